"""Every denoiser of 1-D signals by its name: one table for windows and commands, and one function.

None of them is trained. A number that a person need not know is found from
the noise of the signal (`estimate_sigma`) times a factor, which was
calibrated on generated signals: see `METHODS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._gaps import bridge_gaps, mark_gaps
from napari_bgremove._validation import check_choice, describe_shape
from napari_bgremove.errors import ComputeError
from napari_bgremove.filters.signal_estimators import (
    estimate_by_l1,
    estimate_by_median,
    estimate_by_positive_l1,
    estimate_by_savitzky_golay,
    estimate_by_total_variation,
    estimate_by_wavelets,
    estimate_by_wiener,
)
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.separation import Separation

__all__ = ["METHODS", "SignalFilter", "denoise_signals"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SignalFilter:
    """A denoiser a person can choose.

    Attributes
    ----------
    label : str
        As windows write it.
    summary : str
        One sentence on what it assumes.
    estimate : callable
        (rows, parameters) to the denoised rows; finite float64, shape (rows, n).
    parameters : mapping
        Names and defaults; None means that it is found from the data.
    automatic : str or None
        Name of the parameter that is a multiple of the noise where it is None.
    factor : callable
        The multiple, from the other parameters.
    words : tuple of str
        What may stand in the place of its numbers.
    """

    label: str
    summary: str
    estimate: Callable[..., Array] = field(repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    automatic: str | None = None
    factor: Callable[[Mapping[str, Any]], float] = field(default=lambda _: 1.0, repr=False)
    words: tuple[str, ...] = ()


def denoise_signals(
    measured: ArrayLike, *, method: str, valid_mask: ArrayLike | None = None, **parameters: Any
) -> Separation:
    """Take noise from signals by one of `METHODS`, each signal by itself.

    Samples that are not usable are bridged by straight lines before, and NaN
    again after: they say nothing to their neighbours.

    Parameters
    ----------
    measured : array_like, shape (..., n)
        One signal or many, at equal steps, any real dtype; NaN, Inf and masked
        samples are not usable. Not modified.
    method : str
        A key of `METHODS`.
    valid_mask : array_like of bool, shape (n,) or (..., n), optional
        True where a sample is usable.
    **parameters
        Those of the method; `METHODS[method].parameters` has the defaults.

    Returns
    -------
    Separation
        `signal` is the denoised signal, `background` what was taken away
        (the estimated noise), float64; NaN where a sample is not usable.
        `provenance` holds under ``found`` the numbers that were found from the
        data, one per signal. In a stack a signal that cannot be denoised is
        NaN (there, None), and counted under ``without_result`` with the reason.

    Raises
    ------
    ValueError
        When samples, mask, method or parameters are wrong.
    ComputeError
        When no signal can be denoised: fewer than two usable samples, or the
        noise has to be estimated and no three lie side by side.
    """
    check_choice("method", method, tuple(METHODS))
    chosen = METHODS[method]
    for parameter in parameters:
        check_choice(f"parameter of {method}", parameter, tuple(chosen.parameters))
    given = {**chosen.parameters, **parameters}
    _check_numbers(given, chosen.words)
    values, usable = _check_signals(measured, valid_mask)
    rows, known = values.reshape(-1, values.shape[-1]), usable.reshape(-1, values.shape[-1])
    found = _find_automatic(chosen, rows, given)
    good = _check_usable(known, found)
    used = {**given, **{name: number[good] for name, number in found.items()}}
    denoised = _denoise_good(partial(chosen.estimate, **used), rows, known, good).reshape(values.shape)
    provenance: dict[str, Any] = {"method": method, "parameters": given}
    if found:
        provenance["found"] = {
            name: [float(one) if usable else None for one, usable in zip(number[:, 0], good, strict=True)]
            for name, number in found.items()
        }
    if not good.all():
        provenance["without_result"] = {"count": int(np.count_nonzero(~good)), "reason": _say_why(known)}
    return Separation(denoised, values - denoised, values, provenance=provenance)


def _check_signals(measured: ArrayLike, valid_mask: ArrayLike | None) -> tuple[Array, NDArray[np.bool_]]:
    """Return signals as a new float64 array, NaN where a sample is not usable, and where they are."""
    array = np.asanyarray(measured)
    if array.ndim == 0 or array.size == 0:
        msg = f"'measured' must hold samples along its last axis; found {describe_shape(array.shape)}."
        raise ValueError(msg)
    return mark_gaps(array, valid_mask=valid_mask)


def _check_numbers(given: Mapping[str, Any], words: tuple[str, ...]) -> None:
    """Raise ValueError where a multiple of the noise is given that cannot be one."""
    for name in ("weight", "sigma"):
        number = given.get(name)
        if number is None or (isinstance(number, str) and number in words):
            continue
        if not isinstance(number, (int, float, np.number)) or not (math.isfinite(number) and number >= 0):
            msg = f"'{name}' must be zero or above, in the unit of the signal; found {number}."
            raise ValueError(msg)


def _find_automatic(chosen: SignalFilter, rows: Array, given: Mapping[str, Any]) -> dict[str, Array]:
    """Return what is found from the noise of each row, shape (rows, 1); nothing where all is given."""
    if chosen.automatic is None or given[chosen.automatic] is not None:
        return {}
    return {chosen.automatic: chosen.factor(given) * estimate_sigma(rows)[:, np.newaxis]}


def _check_usable(known: NDArray[np.bool_], found: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Return which rows can be denoised, or raise when none can."""
    # Counting row by row takes longer than some filters, and is seldom needed.
    good = np.full(len(known), known.shape[-1] >= 2) if known.all() else np.count_nonzero(known, axis=-1) >= 2
    for number in found.values():
        good &= np.isfinite(number[:, 0])
    if not good.any():
        raise ComputeError(_say_why(known))
    return good


def _say_why(known: NDArray[np.bool_]) -> str:
    fewest = int(np.count_nonzero(known, axis=-1).min())
    return (
        "'measured' must have at least 2 usable samples, and 3 side by side where the noise is estimated; "
        f"found a signal with {fewest} of {known.shape[-1]}. Check the mask, or give the parameters."
    )


def _denoise_good(
    estimate: Callable[[Array], Array], rows: Array, known: NDArray[np.bool_], good: NDArray[np.bool_]
) -> Array:
    """Denoise the good rows with their gaps bridged by straight lines, the ends held; NaN in gaps and other rows."""
    if good.all() and known.all():
        return estimate(rows)
    signal = np.full(rows.shape, np.nan)
    signal[good] = estimate(bridge_gaps(np.arange(rows.shape[1]), rows[good]))
    signal[~known] = np.nan
    return signal


# Each factor is the one with the least RMSE, relative to the least that any factor gives and averaged over
# `make_spikes` and `make_spectra` with noise of 0.3, 1 and 2; windows likewise: benchmarks/tune_signal_filters.py.
def _sparse_factor(parameters: Mapping[str, Any]) -> float:
    """Firm thresholds begin higher the more they spare; one line fits both domains and every gamma up to 0.8."""
    return 0.8 + 1.2 * float(parameters.get("gamma", 0.0))


_SPARSE = {"domain": "fourier", "ends": "joined", "weight": None}

#: Every denoiser by its name.
METHODS: Mapping[str, SignalFilter] = MappingProxyType(
    {
        "wiener": SignalFilter(
            "Wiener",
            "Where samples vary more than the noise they are kept, elsewhere they take their local mean.",
            estimate_by_wiener,
            {"window": 5, "sigma": None, "pad": "reflect"},
            automatic="sigma",
            words=("local",),
        ),
        "l1": SignalFilter(
            "Sparse (L1)",
            "Few frequencies or samples are not zero; all are brought closer to it.",
            estimate_by_l1,
            _SPARSE,
            automatic="weight",
            factor=_sparse_factor,
        ),
        "gmc": SignalFilter(
            "Sparse (GMC)",
            "As L1, but what is far above the noise is not made smaller.",
            estimate_by_l1,
            {**_SPARSE, "gamma": 0.8},
            automatic="weight",
            factor=_sparse_factor,
        ),
        "soft_positive": SignalFilter(
            "Sparse, positive",
            "Few samples are above zero, and none is below; there is no pedestal.",
            estimate_by_positive_l1,
            {"weight": None},
            automatic="weight",
            factor=lambda _: 0.6,
        ),
        "tv": SignalFilter(
            "Total variation",
            "The signal rises and falls as little as its noise allows; edges stay sharp, peaks become steps.",
            estimate_by_total_variation,
            {"weight": None},
            automatic="weight",
            factor=lambda _: 1.2,
        ),
        "wavelet": SignalFilter(
            "Wavelets (BayesShrink)",
            "At each scale few wavelet coefficients stand out of the noise.",
            estimate_by_wavelets,
            {"sigma": None, "wavelet": "db2"},
            automatic="sigma",
        ),
        "savitzky_golay": SignalFilter(
            "Savitzky-Golay",
            "The signal is a polynomial within each window.",
            estimate_by_savitzky_golay,
            {"window": 7, "order": 2},
        ),
        "median": SignalFilter(
            "Median",
            "Single samples are wrong; wide structures stay.",
            estimate_by_median,
            {"window": 3},
        ),
    }
)
