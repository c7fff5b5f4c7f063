"""Shrinkage of single values towards zero: soft, half, hard and firm, for real and complex arrays.

Two ways to say how much, kept apart by name. The functions `..._threshold`
take the *threshold*: the largest magnitude that becomes zero. `shrink` and
`PROXIMAL` take the *weight* of a penalty, and are its proximal map

    u = argmin_u 1/2 |u - z|^2 + weight * |u|^p     (p = 1 soft, 1/2 half, 0 hard; firm: minimax-concave)

`find_threshold` leads from one to the other. Numpy alone is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_choice

__all__ = [
    "PENALTIES",
    "PROXIMAL",
    "Penalty",
    "find_threshold",
    "firm_threshold",
    "half_threshold",
    "hard_threshold",
    "positive_threshold",
    "shrink",
    "soft_threshold",
]

Array = NDArray[Any]
Penalty = Literal["soft", "half", "hard", "firm"]
PENALTIES: tuple[Penalty, ...] = ("soft", "half", "hard", "firm")


def soft_threshold(values: ArrayLike, threshold: ArrayLike) -> Array:
    """Bring every value closer to zero by the threshold: max(|z| - t, 0), with the sign or phase of z.

    Parameters
    ----------
    values : array_like
        Real or complex (shrunk by magnitude, the phase kept); NaN stays NaN.
        Not modified.
    threshold : array_like
        The largest magnitude that becomes zero, in the unit of the values;
        zero or above, broadcast against them.

    Returns
    -------
    ndarray
        Broadcast shape; the dtype of the values (float64 for whole numbers).

    Raises
    ------
    ValueError
        When a threshold is negative or NaN.
    """
    return _by_magnitude(values, threshold, _soften)


def positive_threshold(values: ArrayLike, threshold: ArrayLike) -> Array:
    """Lower every value by the threshold, down to zero: max(z - t, 0).

    The proximal map of threshold * |u| for a u that is nowhere negative;
    `soft_threshold` of the positive part in fewer passes.

    Parameters, result and errors are those of `soft_threshold`; real values
    alone.
    """
    given = _as_floating(values)
    return _soften(given, _check_threshold(threshold, given.dtype))


def half_threshold(values: ArrayLike, threshold: ArrayLike) -> Array:
    """Shrink by the proximal map of the square root of magnitudes (p = 1/2), in closed form.

    Above the threshold t

        u = 2/3 z (1 + cos(2 pi/3 - 2/3 phi)),   phi = arccos((t / |z|)^(3/2) / sqrt 2)

    which jumps from 0 to 2/3 t there. Written with the threshold the formula
    of the paper, and its free constants, become this one; see `find_threshold`.

    Parameters, result and errors are those of `soft_threshold`.

    References
    ----------
    Z. Xu, X. Chang, F. Xu and H. Zhang, IEEE Trans. Neural Netw. Learn. Syst.
    23 (2012) 1013. https://doi.org/10.1109/TNNLS.2012.2197412
    """
    return _by_magnitude(values, threshold, _halve)


def hard_threshold(values: ArrayLike, threshold: ArrayLike) -> Array:
    """Set every value to zero whose magnitude does not exceed the threshold, and keep the others.

    Parameters, result and errors are those of `soft_threshold`.
    """
    return _by_magnitude(values, threshold, _cut)


def firm_threshold(values: ArrayLike, threshold: ArrayLike, gamma: float) -> Array:
    """Shrink firmly: zero up to t, unchanged from t / gamma on, a straight line of slope 1 / (1 - gamma) between.

    The proximal map of the minimax-concave penalty, and so the scalar case of
    the generalised one (GMC).

    Parameters
    ----------
    values, threshold
        As of `soft_threshold`.
    gamma : float
        0 (soft) to below 1 (hard is its limit).

    Returns
    -------
    ndarray
        As of `soft_threshold`.

    Raises
    ------
    ValueError
        When a threshold is negative or NaN, or gamma lies outside.

    References
    ----------
    H.-Y. Gao and A. G. Bruce, Statistica Sinica 7 (1997) 855.
    I. Selesnick, IEEE Trans. Signal Process. 65 (2017) 4481.
    https://doi.org/10.1109/TSP.2017.2711501
    """
    if not 0 <= gamma < 1:
        msg = f"'gamma' must lie between 0 and 1, 1 left out; found {gamma}."
        raise ValueError(msg)
    return _by_magnitude(values, threshold, partial(_firm, gamma=gamma))


def find_threshold(weight: ArrayLike, *, penalty: Penalty) -> Array:
    """Return the threshold below which the proximal map of weight * |u|^p is zero.

    Soft and firm: the weight; half: 3/2 weight^(2/3); hard: (2 weight)^(1/2).
    In the paper on half thresholding the quadratic term carries no factor
    1/2: its 54^(1/3)/4 lambda^(2/3) is this for weight = lambda / 2.
    """
    check_choice("penalty", penalty, PENALTIES)
    weights = np.asarray(weight)
    if penalty == "half":
        return np.asarray(1.5 * np.cbrt(np.square(weights)))
    return np.sqrt(2 * weights) if penalty == "hard" else weights


def shrink(values: ArrayLike, weight: ArrayLike, *, penalty: Penalty, gamma: float = 0.5) -> Array:
    """Return the proximal map of weight * |u|^p: the u that minimises 1/2 |u - z|^2 + weight * |u|^p.

    For "firm" |u|^p stands for the minimax-concave penalty: |u| - gamma u^2 /
    (2 weight) up to |u| = weight / gamma, and constant beyond.

    Parameters
    ----------
    values : array_like
        z, real or complex; not modified.
    weight : array_like
        Zero or above, broadcast against the values. In the unit of the values
        for soft and firm, in its power 3/2 for half, in its square for hard.
    penalty : one of PENALTIES
    gamma : float
        Of the firm threshold alone.

    Returns
    -------
    ndarray
        As of `soft_threshold`.

    Raises
    ------
    ValueError
        When there is no such penalty, a weight is negative or NaN, or gamma
        lies outside 0 to 1.
    """
    weights = np.asarray(weight)
    if not np.all(weights >= 0):
        msg = f"'weight' must be zero or above; found {np.min(weights)}."
        raise ValueError(msg)
    threshold = find_threshold(weights, penalty=penalty)
    if penalty == "firm":
        return firm_threshold(values, threshold, gamma)
    return _by_magnitude(values, threshold, {"soft": _soften, "half": _halve, "hard": _cut}[penalty])


#: The proximal maps by name: (values, weight) to the shrunk values.
PROXIMAL: Mapping[Penalty, Callable[..., Array]] = MappingProxyType(
    {penalty: partial(shrink, penalty=penalty) for penalty in PENALTIES}
)


def _by_magnitude(values: ArrayLike, threshold: ArrayLike, rule: Callable[[Array, Array], Array]) -> Array:
    """Apply a rule for magnitudes; real values keep their sign, complex ones their phase."""
    given = _as_floating(values)
    magnitude = np.asarray(np.abs(given))
    limit = _check_threshold(threshold, magnitude.dtype)
    shrunk = np.asarray(rule(magnitude, limit))  # an array of its own, so that it can be written to
    if given.dtype.kind != "c":
        np.copysign(shrunk, given, out=shrunk)
        return shrunk
    shrunk /= np.maximum(magnitude, _smallest(magnitude), out=magnitude)
    return np.asarray(given * shrunk)


def _as_floating(values: ArrayLike) -> Array:
    given = np.asarray(values)
    return given.astype(np.float64) if given.dtype.kind in "bui" else given


def _check_threshold(threshold: ArrayLike, dtype: np.dtype[Any]) -> Array:
    """Return thresholds in the precision of the values, or say which is wrong."""
    # A float64 threshold must not make float64 of float32 values, which numpy 1 and 2 decide differently.
    limit = np.asarray(threshold).astype(dtype)
    if not np.all(limit >= 0):
        msg = f"'threshold' must be zero or above; found {np.min(limit)}."
        raise ValueError(msg)
    return limit


def _smallest(divisor: Array) -> Any:
    """Return what can be divided by where both are zero: the maximum with it is faster than leaving places out."""
    return np.finfo(divisor.dtype).tiny


def _soften(magnitude: Array, threshold: Array) -> Array:
    apart = np.asarray(magnitude - threshold)
    np.maximum(apart, 0, out=apart)
    return apart


def _cut(magnitude: Array, threshold: Array) -> Array:
    # Asked this way round NaN is kept, not set to zero.
    return np.where(magnitude <= threshold, magnitude.dtype.type(0), magnitude)


def _halve(magnitude: Array, threshold: Array) -> Array:
    kept = _cut(magnitude, threshold)
    ratio = np.where(kept == 0, 0, threshold).astype(kept.dtype) / np.maximum(kept, _smallest(kept))
    angle = np.arccos(ratio**1.5 / np.sqrt(2))
    return np.asarray(kept * (1 + np.cos(2 * np.pi / 3 - 2 / 3 * angle)) * 2 / 3).astype(kept.dtype, copy=False)


def _firm(magnitude: Array, threshold: Array, *, gamma: float) -> Array:
    between = _soften(magnitude, threshold)
    between /= 1 - gamma
    np.minimum(between, magnitude, out=between)
    return between
