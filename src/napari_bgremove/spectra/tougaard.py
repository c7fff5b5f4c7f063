"""The background of Tougaard: what electrons lose on their way out, as one convolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import fftconvolve

from napari_bgremove._validation import check_positive
from napari_bgremove.errors import ComputeError

__all__ = ["LOSS_FUNCTIONS", "LossFunction", "estimate_tougaard"]

Array = NDArray[np.float64]

# How far a position may lie from the even grid, as a share of the step: text files round energies.
_POSITION_TOLERANCE = 0.05
_ROUNDING = 1e-9


@dataclass(frozen=True)
class LossFunction:
    """The universal inelastic cross section, apart from its strength B.

    K(T) = B T / ((C + C' T^2)^2 + D T^2) for an energy loss T >= T0, else 0.

    Attributes
    ----------
    c : float
        C, eV^2.
    c_sign : {1, -1}
        C': +1 with D = 0 is the two-parameter form (U2), -1 the
        three-parameter form (U3), in which C and D set place and width of
        the loss peak.
    d : float
        D, eV^2.
    gap : float
        T0, eV: nothing loses less than this, as below the band gap of an
        insulator.

    References
    ----------
    S. Tougaard, Surf. Interface Anal. 11, 453 (1988),
    doi:10.1002/sia.740110902 (U2); Surf. Interface Anal. 25, 137 (1997) (U3).
    """

    c: float
    c_sign: int = 1
    d: float = 0.0
    gap: float = 0.0

    def __post_init__(self) -> None:
        check_positive("c", self.c, unit="eV^2")
        if self.c_sign not in (1, -1):
            msg = f"'c_sign' must be 1 (two parameters) or -1 (three parameters); found {self.c_sign}."
            raise ValueError(msg)
        if not (np.isfinite(self.d) and self.d >= 0) or (self.c_sign < 0 and self.d == 0):
            rule = "above zero" if self.c_sign < 0 else "zero or above"
            msg = f"'d' must be {rule}, or the cross section has a pole; found {self.d} eV^2."
            raise ValueError(msg)
        if not (np.isfinite(self.gap) and self.gap >= 0):
            msg = f"'gap' must be zero or above; found {self.gap} eV."
            raise ValueError(msg)

    def __call__(self, loss: ArrayLike) -> Array:
        """Return K(T) / B for energy losses in eV, in eV^-3."""
        loss = np.asarray(loss, float)
        cross_section = loss / ((self.c + self.c_sign * loss**2) ** 2 + self.d * loss**2)
        # Losses are multiples of a step: a gap of 3 eV is not to depend on the rounding of 60 x 0.05.
        return np.where(loss >= self.gap - _ROUNDING * (1 + self.gap), cross_section, 0.0)


#: Published constants: U2 for metals and their oxides, U3 where a plasmon stands out (Tougaard 1997).
LOSS_FUNCTIONS: Mapping[str, LossFunction] = MappingProxyType(
    {
        "universal": LossFunction(1643.0),
        "polymer": LossFunction(551.0, -1, 436.0),
        "silicon dioxide": LossFunction(542.0, -1, 275.0),
        "silicon": LossFunction(325.0, -1, 96.0),
        "aluminium": LossFunction(230.0, -1, 4.5),
    }
)


def estimate_tougaard(
    axis: ArrayLike,
    measured: ArrayLike,
    *,
    loss: LossFunction = LOSS_FUNCTIONS["universal"],
    levels: tuple[ArrayLike, ArrayLike],
    strength: float | None = None,
) -> tuple[Array, Array]:
    """Estimate the background of electrons that lost energy on their way out.

    B(E) = I_low + strength x integral over T >= 0 of K(T) (J(E + T) - I_low),
    where E + T runs towards the end with the lower level (the low binding
    energy). The integral is the trapezoid sum over the samples, evaluated for
    all of them by one convolution.

    Parameters
    ----------
    axis : array_like, shape (n,)
        Energies in eV, equally spaced, in either order.
    measured : array_like, shape (..., n)
        Intensity J without gaps.
    loss : LossFunction
        Shape of the cross section.
    levels : (float, float) or two arrays of shape (...,)
        Level at the first and at the last sample. The lower one decides from
        which end electrons come.
    strength : float, optional
        B, eV^2. By default it is chosen for each spectrum so that the
        background meets the level of the other end.

    Returns
    -------
    background : ndarray, shape (..., n)
        In the unit of `measured`.
    strength : ndarray, shape (...,)
        B that was used, eV^2.

    Raises
    ------
    ValueError
        When the axis is not equally spaced or the strength is not above zero.
    ComputeError
        When the losses never rise above the lower level, so that no strength
        makes the background meet the other end.

    References
    ----------
    S. Tougaard, Surf. Interface Anal. 11, 453 (1988), doi:10.1002/sia.740110902.
    """
    step = _check_equal_steps(np.asarray(axis, float))
    values = np.asarray(measured, float)
    first, last = np.broadcast_arrays(*(np.asarray(level, float) for level in levels))
    # Electrons come from the end with the lower level; there the sum starts, at index 0.
    falling = (first > last)[..., np.newaxis]
    values = np.where(falling, values[..., ::-1], values)
    low, high = np.minimum(first, last), np.maximum(first, last)
    losses = _convolve_losses(values - low[..., np.newaxis], loss, step)
    used = np.broadcast_to(
        _fit_strength(losses[..., -1], high - low) if strength is None else _checked(strength), low.shape
    )
    background = low[..., np.newaxis] + used[..., np.newaxis] * losses
    return np.where(falling, background[..., ::-1], background), np.array(used)


def _convolve_losses(above: Array, loss: LossFunction, step: float) -> Array:
    """Trapezoid sum of K(T) times the intensity at T before each sample."""
    count = above.shape[-1]
    kernel = loss(step * np.arange(count)) * step
    summed = fftconvolve(above, np.broadcast_to(kernel, above.shape), axes=-1)[..., :count]
    # Half weight for the sample the sum starts at; K(0) = 0 needs none.
    return np.asarray(summed - 0.5 * above[..., :1] * kernel)


def _fit_strength(lost: Array, rise: Array) -> Array:
    if np.any(lost <= 0):
        msg = (
            "'measured' must rise above its lower end level, or no electron loses energy; the losses at the other end "
            f"add up to {float(np.min(lost)):.3g}. Put the ends on both sides of a peak, or give 'strength'."
        )
        raise ComputeError(msg)
    return np.asarray(rise / lost)


def _checked(strength: float) -> Array:
    check_positive("strength", strength, unit="eV^2")
    return np.asarray(float(strength))


def _check_equal_steps(axis: Array) -> float:
    even = np.linspace(axis[0], axis[-1], len(axis))
    step = abs(float(axis[-1] - axis[0])) / (len(axis) - 1)
    if np.abs(axis - even).max() > _POSITION_TOLERANCE * step:
        steps = np.abs(np.diff(axis))
        msg = (
            f"'axis' must have equal steps for the background of Tougaard; found {steps.min():.6g} to "
            f"{steps.max():.6g} eV. Interpolate the spectrum onto equal steps first (numpy.interp)."
        )
        raise ValueError(msg)
    return step
