"""A trained denoiser applied to signals: bridge the gaps, scale by the noise, denoise, undo."""

from __future__ import annotations

import logging
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._gaps import bridge_gaps, mark_gaps
from napari_bgremove._validation import check_choice, check_positive, describe_shape
from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.devices import explain_out_of_memory, halve_on_out_of_memory
from napari_bgremove.learning.model_file import LoadedSignalModel
from napari_bgremove.learning.networks import PriorGuidedNet
from napari_bgremove.learning.networks.prior_guided import NORMS
from napari_bgremove.learning.signal_scaling import measure_scaling
from napari_bgremove.numpy_network.spec import SHORTEST_SIGNAL, NormMode
from napari_bgremove.separation import Separation

__all__ = ["denoise_signals"]

_LOG = logging.getLogger(__name__)
# Samples at once; at width 8 their feature maps take about 80 MB.
_SAMPLES_AT_ONCE = 2**18
Array = NDArray[np.float64]


def denoise_signals(
    model: LoadedSignalModel,
    measured: ArrayLike,
    *,
    norm: NormMode | None = None,
    scale: float | None = None,
    device: torch.device = torch.device("cpu"),
) -> Separation:
    """Take noise from signals by a trained network (Fang), each signal by itself.

    The network knows signals with the noise and the level of its training. A
    signal is multiplied so that its noise becomes the former, shifted so that
    its median becomes the latter, denoised, shifted back and divided. Hence
    a pedestal stays what it is: denoising y + c gives c more than denoising
    y. Unusable samples are bridged by straight lines before, and NaN again
    after.

    Parameters
    ----------
    model : LoadedSignalModel
        From `read_signal_model`.
    measured : array_like, shape (..., L)
        One signal or many, L at least 16 and not necessarily that of training;
        NaN and Inf are not usable. Not modified.
    norm : {"fixed", "batch", "signal"}, optional
        Whose mean and variance batch normalization uses: those of the training,
        of all signals given here (which are then computed at once), or of each
        signal by itself. The latter two are the paper's unfixed mode. None takes
        what the network was trained with: "signal" for training batches of one,
        "fixed" for larger ones.
    scale : float, optional
        Factor for all signals, which stay at their level unless the network
        was trained on centred ones; 1 leaves them as they are. None finds one
        for each from its noise, see `filters.signal_noise.estimate_sigma`.
    device : torch.device

    Returns
    -------
    Separation
        `signal` is the denoised signal, `background` what was taken away (the
        estimated noise), float64 in the unit of the signals. A signal without
        noise comes back as it is; one whose noise cannot be told is NaN. With
        "fixed" and "signal", and a prior that is not "batch-mean", a signal
        gives the same alone and among others, up to rounding.

    Raises
    ------
    ValueError
        When there is no such norm, the scale is not above zero, or the signals
        are too short.
    ComputeError
        When no signal can be denoised, the memory does not suffice, or
        statistics would come from a single value.

    References
    ----------
    H. Fang, "Advanced Project Updating", NYU Tandon School of Engineering (2021).
    """
    norm = norm or model.description.fitting_norm
    check_choice("norm", norm, NORMS)
    if scale is not None:
        check_positive("scale", scale)
    values = _check_signals(measured)
    rows = values.reshape(-1, values.shape[-1])
    signal = _denoise_rows(model, rows, norm, scale, device).reshape(values.shape)
    provenance = {"method": "prior_guided", "model": model.sha256, "norm": norm, "scale": scale}
    return Separation(signal, values - signal, values, provenance=provenance)


def _denoise_rows(
    model: LoadedSignalModel, rows: Array, norm: NormMode, scale: float | None, device: torch.device
) -> Array:
    """Denoise what can be; a row without noise stays as it is, one that nothing is known of is NaN."""
    known = np.isfinite(rows)
    description = model.description
    scaling = measure_scaling(
        rows, noise=description.noise, level=description.level, centred=description.centred, scale=scale
    )
    good = np.isfinite(scaling.factor)[:, 0] & known.any(axis=1)
    denoised = np.where(np.isinf(scaling.factor), rows, np.nan)
    if not good.any() and np.isnan(denoised).all():
        msg = "'measured' must have three usable samples side by side in some signal; found none. Check the gaps."
        raise ComputeError(msg)
    if good.any():
        bridged = bridge_gaps(np.arange(rows.shape[1]), rows[good])
        own = scaling.of(good)
        denoised[good] = own.undo(_run(model.network, own.apply(bridged), norm, device))
        denoised[~known] = np.nan
    return denoised


def _run(network: PriorGuidedNet, scaled: Array, norm: NormMode, device: torch.device) -> Array:
    """Run the network over all signals, block by block where they do not share statistics."""
    network = network.to(device).eval()

    def compute(start: int, size: int) -> Array:
        with torch.inference_mode():
            block = torch.from_numpy(scaled[start : start + size].astype(np.float32)).to(device)
            return np.asarray(network(block, norm=norm).cpu().numpy(), np.float64)

    if norm == "batch" or network.spec.prior == "batch-mean":
        with explain_out_of_memory():
            return compute(0, len(scaled))
    batch, parts, start = max(_SAMPLES_AT_ONCE // scaled.shape[1], 1), [], 0
    while start < len(scaled):
        done, batch = halve_on_out_of_memory(
            partial(compute, start), batch, report=_LOG.warning, what="signal", key=network
        )
        parts.append(done)
        start += len(done)
    return np.concatenate(parts)


def _check_signals(measured: ArrayLike) -> Array:
    """Return signals as a new float64 array, NaN where a sample is not usable."""
    array = np.asanyarray(measured)
    if array.ndim == 0 or array.size == 0 or array.shape[-1] < SHORTEST_SIGNAL or array.dtype.kind not in "buif":
        msg = (
            f"'measured' must hold real signals of {SHORTEST_SIGNAL} samples or more along its last axis; found "
            f"{describe_shape(array.shape)} of {array.dtype}."
        )
        raise ValueError(msg)
    return mark_gaps(array)[0]
