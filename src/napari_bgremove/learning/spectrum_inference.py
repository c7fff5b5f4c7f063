"""A trained network applied to spectra: scale, convolve with the normalisation folded in, undo, subtract."""

from __future__ import annotations

import logging
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_bgremove._validation import check_choice, check_positive, describe_shape
from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.channel_masks import bridge_channels, check_marked
from napari_bgremove.learning.devices import halve_on_out_of_memory, limited_threads
from napari_bgremove.learning.inference import PRECISIONS
from napari_bgremove.learning.model_description import SpectraModelDescription
from napari_bgremove.learning.model_file import LoadedSpectraModel
from napari_bgremove.learning.networks.spectroscopy_net import Branch
from napari_bgremove.separation import Separation

__all__ = ["OUTPUTS", "SpectraOptions", "fold_branch", "separate_spectra"]

_LOG = logging.getLogger(__name__)
OUTPUTS = ("subtract", "synthesis", "both")
Spectra = NDArray[np.float32]


@dataclass(frozen=True)
class SpectraOptions:
    """How a network is applied to spectra.

    Attributes
    ----------
    output : {"subtract", "synthesis", "both"}
        What is called signal and background: y - z_n and z_n, where only the
        background's branch is run and every photon is kept; z_x and y - z_x,
        where only the signal's branch is run; or z_x and z_n, which leave a
        residual that neither explains.
    batch_size : int
        Spectra at once; halved when the memory of the device ends. More than a
        few do not fit into the cache of a processor and are slower.
    device : torch.device
    precision : {"float32", "bfloat16"}
    threads : int, optional
        Of the processor; on a busy machine one can be faster than two. None
        leaves the number as it is.
    """

    output: str = "subtract"
    batch_size: int = 2
    device: torch.device = torch.device("cpu")
    precision: str = "float32"
    threads: int | None = None

    def __post_init__(self) -> None:
        check_choice("output", self.output, OUTPUTS)
        check_choice("precision", self.precision, PRECISIONS)
        check_positive("batch_size", self.batch_size)
        if self.threads is not None:
            check_positive("threads", self.threads)


def separate_spectra(
    model: LoadedSpectraModel,
    spectra: ArrayLike,
    *,
    axis: ArrayLike | None = None,
    signal_channels: ArrayLike | None = None,
    options: SpectraOptions | None = None,
) -> Separation:
    """Separate spectra into signal and background by a trained network (Castorena & Oyen).

    Parameters
    ----------
    model : LoadedSpectraModel
        From `read_spectra_model`.
    spectra : array_like, shape (n, N) or (N,)
        In the unit the network was trained in, on its channels. Not modified.
    axis : array_like, shape (N,), optional
        Positions of the channels, compared with those the network knows.
    signal_channels : array_like of bool, shape (N,), optional
        True where a person has marked signal, besides the channels marked
        before training: the background is bridged across them by straight lines.
    options : SpectraOptions, optional

    Returns
    -------
    Separation
        In the unit of the spectra, float32. A spectrum separated alone or
        among others gives the same up to rounding; the same call gives the
        same bits on a processor.

    Raises
    ------
    ValueError
        When the channels are not those of the network.
    ComputeError
        When a spectrum is not finite, or the memory does not hold a single one.

    References
    ----------
    J. Castorena and D. Oyen, SpectroscopyNet, arXiv:2110.13748 (2021), Fig. 2.
    """
    options = options or SpectraOptions()
    measured = _check_spectra(model.description, spectra, axis)
    free = _free_channels(model.description, signal_channels)
    scales = np.repeat(
        np.array([block.scale for block in model.description.blocks], np.float32), model.description.network.blocks
    )
    scaled = np.atleast_2d(measured) / scales
    outputs = {}
    with limited_threads(options.threads):
        if options.output != "subtract":
            outputs["signal"] = _run(model.network.signal, scaled, options)
        if options.output != "synthesis":
            raw = _run(model.network.background, scaled, options)
            outputs["background"] = _bridge_blocks(raw, free, model.description)
    parts = {name: (values * scales).reshape(measured.shape) for name, values in outputs.items()}
    signal = parts["signal"] if "signal" in parts else measured - parts["background"]
    background = parts["background"] if "background" in parts else measured - signal
    provenance = {"method": "spectroscopy_net", "model": model.sha256, "output": options.output}
    return Separation(signal, background, measured, provenance=provenance)


def fold_branch(branch: Branch) -> nn.Sequential:
    """Return the same function with each batch normalisation folded into its convolution, for (B, 1, 1, n).

    Exact up to rounding: with fixed statistics, a normalisation is a factor
    and an offset per feature. The branch stays as and where it is.
    """
    copy = deepcopy(branch).eval()
    first, *middle, last = copy.convolutions
    folded = (
        fuse_conv_bn_eval(cast("nn.Conv2d", convolution), cast("nn.BatchNorm2d", norm))
        for convolution, norm in zip(middle, copy.norms, strict=True)
    )
    layers = chain.from_iterable((layer, copy.activation) for layer in (first, *folded))
    network = nn.Sequential(*layers, last, copy.smoothing)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub does not know the argument
    return network


def _run(branch: Branch, scaled: Spectra, options: SpectraOptions) -> Spectra:
    """Run one branch over all spectra, block by block and batch by batch."""
    folded = fold_branch(branch).to(options.device)
    result = np.empty_like(scaled)
    batch, start = options.batch_size, 0
    while start < len(scaled):

        def compute(size: int, start: int = start) -> Spectra:
            return _forward(folded, scaled[start : start + size], branch.blocks, options)

        done, batch = halve_on_out_of_memory(compute, batch, report=_LOG.warning, what="spectrum")
        result[start : start + len(done)] = done
        start += len(done)
    if branch.pedestals is None:
        return result
    with torch.inference_mode():
        return np.asarray(branch.add_pedestals(torch.from_numpy(result).to(branch.pedestals.device)).cpu().numpy())


def _forward(folded: nn.Module, scaled: Spectra, blocks: tuple[int, ...], options: SpectraOptions) -> Spectra:
    maps = torch.from_numpy(scaled[:, None, None]).to(options.device)
    with (
        torch.inference_mode(),
        torch.autocast(options.device.type, dtype=torch.bfloat16, enabled=options.precision == "bfloat16"),
    ):
        parts = [folded(part) for part in torch.split(maps, list(blocks), dim=-1)]
    result: Spectra = torch.cat(parts, dim=-1)[:, 0, 0].float().cpu().numpy()
    return result


def _bridge_blocks(values: Spectra, free: NDArray[np.bool_], description: SpectraModelDescription) -> Spectra:
    """Bridge each spectrometer alone: a line from one to the next would mean nothing."""
    if free.all():
        return values
    sizes = list(description.network.blocks)
    pairs = zip(torch.from_numpy(values).split(sizes, -1), torch.from_numpy(free).split(sizes), strict=True)  # type: ignore[no-untyped-call]
    bridged: Tensor = torch.cat([bridge_channels(part, mask) for part, mask in pairs], dim=-1)
    return np.asarray(bridged.numpy(), np.float32)


def _check_spectra(description: SpectraModelDescription, spectra: ArrayLike, axis: ArrayLike | None) -> Spectra:
    measured = np.asarray(spectra, np.float32)
    n = sum(description.network.blocks)
    if measured.ndim not in (1, 2) or measured.shape[-1] != n:
        msg = (
            f"'spectra' must have the {n} channels the network was trained on; found {describe_shape(measured.shape)}. "
            "Leave out the same bands as in training."
        )
        raise ValueError(msg)
    if axis is not None:
        _check_axis(description, np.asarray(axis, np.float64))
    finite = np.isfinite(np.atleast_2d(measured))
    if not finite.all():
        row, channel = (int(i) for i in np.argwhere(~finite)[0])
        msg = f"'spectra' must be finite; spectrum {row} is not at channel {channel}. Leave it out, or fill the gap."
        raise ComputeError(msg)
    return measured


def _check_axis(description: SpectraModelDescription, axis: NDArray[np.float64]) -> None:
    n = sum(description.network.blocks)
    if axis.shape != (n,):
        msg = f"'axis' must have one position for each of {n} channels; found {describe_shape(axis.shape)}."
        raise ValueError(msg)
    for block, part in zip(description.blocks, np.split(axis, np.cumsum(description.network.blocks)[:-1]), strict=True):
        step = abs(block.last - block.first) / max(block.channels - 1, 1)
        if max(abs(part[0] - block.first), abs(part[-1] - block.last)) > step:
            unit = description.axis_unit
            msg = (
                f"'axis' must be that of training, {block.first:.3f} to {block.last:.3f} {unit} in the block "
                f"'{block.name}'; found {part[0]:.3f} to {part[-1]:.3f} {unit}. Train on this instrument."
            )
            raise ValueError(msg)


def _free_channels(description: SpectraModelDescription, marked: ArrayLike | None) -> NDArray[np.bool_]:
    """Return where the background counts: outside of the channels marked before training and now."""
    blocks = {block.name: block.channels for block in description.blocks}
    before = np.zeros(sum(blocks.values()), bool)
    for start, stop in description.signal_channels:
        before[start:stop] = True
    now = before if marked is None else check_marked(marked, blocks)
    return ~check_marked(before | now, blocks)
