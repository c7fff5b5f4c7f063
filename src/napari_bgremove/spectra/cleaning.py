"""Classical cleaning of whole sets: spectrometer by spectrometer, by one table of methods.

What each method takes away is the background; drawn signal channels take no
part in its estimate, and it goes straight across them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_choice, describe_shape
from napari_bgremove.errors import ComputeError
from napari_bgremove.separation import Separation
from napari_bgremove.spectra import chemcam_pipeline as chemcam
from napari_bgremove.spectra.axes import check_axis, check_spectra
from napari_bgremove.spectra.backgrounds import METHODS, separate_background
from napari_bgremove.spectra.blocks import Block, check_blocks
from napari_bgremove.spectra.cleaning_remarks import RemarkCounter
from napari_bgremove.spectra.drawn_signal import check_signal_channels, fill_rows, go_across

__all__ = ["CLEANERS", "Cleaner", "NothingUsableError", "clean_spectra"]

Array = NDArray[np.float64]


class NothingUsableError(ComputeError):
    """Not one of the spectra can be taken apart; among others they would be NaN, and counted."""


@dataclass(frozen=True)
class Cleaner:
    """A classical cleaning a person can choose.

    Attributes
    ----------
    label : str
        As windows write it.
    summary : str
        One sentence on what it assumes.
    clean : callable
        (axis, values, blocks, signal_channels, parameters) to a `Separation`.
    parameters : mapping
        Names and defaults; None means that it is found from the data, or not
        wanted.
    """

    label: str
    summary: str
    clean: Callable[..., Separation] = field(repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)


def clean_spectra(
    axis: ArrayLike,
    spectra: ArrayLike,
    *,
    method: str,
    blocks: Sequence[Block] | None = None,
    signal_channels: ArrayLike | None = None,
    **parameters: Any,
) -> Separation:
    """Take the background off spectra by one of `CLEANERS`, each spectrometer by itself.

    Parameters
    ----------
    axis : array_like, shape (n,)
        Wavelength or shift, ascending within each block.
    spectra : array_like, shape (..., n)
        NaN, Inf and masked samples are not usable. Not modified.
    method : str
        A key of `CLEANERS`.
    blocks : sequence of Block, optional
        The spectrometers; without them all channels belong to one.
    signal_channels : array_like of bool, shape (n,), optional
        True where a person has drawn signal: what stands there does not
        shape the background, which runs on a straight line across.
    **parameters
        Those of the method; `CLEANERS[method].parameters` has the defaults.

    Returns
    -------
    Separation
        signal and background, float64, NaN where a sample is not usable.
        They add up to the spectrum, but for "chemcam", whose denoising leaves
        the noise it takes away in `residual`. What the library had to say of
        the spectra is in the provenance under 'remarks', counted; see
        `describe_remarks`.

    Raises
    ------
    ValueError
        When axis, blocks, channels, method or parameters are wrong.
    ComputeError
        When no spectrum has usable samples, for "chemcam" when one has none in
        a block; or when the signal channels leave no others.
    """
    check_choice("method", method, tuple(CLEANERS))
    chosen = CLEANERS[method]
    for parameter in parameters:
        check_choice(f"parameter of {method}", parameter, tuple(chosen.parameters))
    positions = np.asarray(axis, np.float64)
    parts = (Block("spectrum", 0, positions.size),) if blocks is None else tuple(blocks)
    check_blocks(parts, positions.size)
    for block in parts:
        check_axis(positions[block.channels])
    values = check_spectra(positions, spectra)
    signal = check_signal_channels(signal_channels, positions, parts)
    used = {**chosen.parameters, **parameters}
    result = chosen.clean(positions, values, parts, signal, **used)
    recorded = {name: _as_record(value) for name, value in used.items()}
    provenance = {
        **result.provenance,
        "method": method,
        "parameters": recorded,
        "blocks": [[block.name, block.start, block.stop] for block in parts],
        "signal_channels": int(np.count_nonzero(signal)),
    }
    return replace(result, provenance=provenance)


def _clean_by_baseline(
    axis: Array,
    values: Array,
    blocks: Sequence[Block],
    signal: NDArray[np.bool_],
    *,
    name: str,
    **parameters: Any,
) -> Separation:
    rows = values.reshape(-1, len(axis))
    background, counter, reason = np.full(rows.shape, np.nan), RemarkCounter(), None
    for curve, row in zip(background, rows, strict=True):
        with counter.next_spectrum() as remark:
            for block in blocks:
                part = block.channels
                try:
                    found = separate_background(
                        axis[part], row[part], method=name, valid_mask=~signal[part], **parameters
                    )
                except ComputeError as error:
                    reason = reason or error
                    remark.without_result()
                    continue
                if not found.provenance["found"][0].get("converged", True):
                    remark.not_converged()
                curve[part] = go_across(axis[part], found.background.astype(np.float64), signal[part])
    if reason is not None and not np.isfinite(background).any():
        raise NothingUsableError(str(reason))
    background[np.isnan(rows)] = np.nan
    whole = background.reshape(values.shape)
    return Separation(values - whole, whole, values, provenance={"remarks": counter.counts})


def _clean_as_chemcam(
    axis: Array,
    values: Array,
    blocks: Sequence[Block],
    signal: NDArray[np.bool_],
    *,
    clips: int,
    sigmas: float,
    lowest_levels: Mapping[str, int] | int,
    dark: ArrayLike | None,
    response: ArrayLike | None,
) -> Separation:
    lit = values if dark is None else chemcam.subtract_dark(values, dark)
    denoised, continuum = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    for block in blocks:
        part = block.channels
        level = _choose_level(block, lowest_levels)
        filled = fill_rows(axis[part], lit[..., part])
        smooth = chemcam.denoise_spectra(filled, clips=clips, sigmas=sigmas)
        bridged = go_across(axis[part], np.where(signal[part], np.nan, smooth), signal[part])
        below = chemcam.estimate_continuum(axis[part], bridged, lowest_level=level)
        below = go_across(axis[part], np.where(signal[part], np.nan, below), signal[part])
        denoised[..., part], continuum[..., part] = smooth, below
    background = continuum + (values - lit)  # the dark is background too; NaN where not usable
    scale = np.ones(axis.shape) if response is None else response
    radiance = partial(chemcam.convert_to_radiance, response=scale)
    signal_part = np.where(np.isnan(values), np.nan, denoised - continuum)
    return Separation(radiance(signal_part), radiance(background), radiance(values))


def _as_record(value: Any) -> Any:
    """Return a parameter as a record holds it: an array by its size, a table as a plain dictionary."""
    if isinstance(value, Mapping):
        return dict(value)
    return value if np.ndim(value) == 0 else f"{describe_shape(np.shape(value))} values"


def _choose_level(block: Block, levels: Mapping[str, int] | int) -> int:
    if not isinstance(levels, Mapping):
        return levels
    # A block of another instrument gets the level of most of ChemCam's.
    return levels.get(block.name, chemcam.CONTINUUM_LEVELS["UV"])


def _baseline(name: str) -> Cleaner:
    method = METHODS[name]
    return Cleaner(method.label, method.summary, partial(_clean_by_baseline, name=name), method.parameters)


#: Every classical cleaning by its name.
CLEANERS: Mapping[str, Cleaner] = MappingProxyType(
    {
        "chemcam": Cleaner(
            "ChemCam",
            "The mission's steps: dark, wavelet denoising, a continuum through minima of wavelet planes, response.",
            _clean_as_chemcam,
            {
                "clips": chemcam.DENOISE_CLIPS,
                "sigmas": chemcam.DENOISE_SIGMAS,
                "lowest_levels": chemcam.CONTINUUM_LEVELS,
                "dark": None,
                "response": None,
            },
        ),
        **{name: _baseline(name) for name in ("arpls", "airpls", "snip", "modpoly")},
    }
)
