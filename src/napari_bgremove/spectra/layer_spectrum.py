"""The energies of a layer's units as a spectrum, with its Shirley background.

Weights have two signs, and a spectrum of them falls to nothing at both ends,
where a Shirley background vanishes. Energies, norms of what leads into or out
of a unit, have one sign: the units that carry little stand at low energy, and
the background falls from them towards the peaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, pi, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import trapezoid

from napari_bgremove._validation import check_positive, check_range, describe_shape
from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.axes import check_axis, check_spectra
from napari_bgremove.spectra.ends import Endpoint
from napari_bgremove.spectra.shirley import separate_shirley

__all__ = ["NO_PEAK", "LayerSpectrum", "find_half_fall", "make_layer_spectrum"]

Array = NDArray[np.float64]

#: What is said where the whole spectrum is background.
NO_PEAK = "No peak above the low-energy end: no Shirley background exists, and everything counts as background."

# The window ends this far above the largest energy, where the kernel has died away.
_BEYOND = 0.5
# Samples of the axis per bandwidth: trapezoids integrate such a Gaussian to rounding.
_SAMPLES = 8
# More units than this are first collected on a grid of so many nodes per bandwidth.
_MOST_UNITS, _NODES = 256, 16


@dataclass(frozen=True, eq=False)
class LayerSpectrum:
    """The power of a layer along the energy of its units, taken apart.

    Attributes
    ----------
    axis : ndarray, shape (n,)
        Energy E, in units of the root mean square energy of the layer; from 0
        to beyond the largest.
    spectrum : ndarray, shape (n,)
        J(E), power per unit of E; its integral is 1.
    background, residual : ndarray, shape (n,)
        Shirley's background B and J - B; NaN below the window, and everywhere
        where no background exists.
    gate : ndarray, shape (n,)
        Share of background at each energy: B / J in the window, 1 below it.
    x : ndarray, shape (units,)
        Energies of the units, in units of their root mean square.
    window : (float, float)
        E1 and E2, between which the background is drawn; all power below E1 is
        background.
    background_share : float
        Power below E1 plus area of B: the share of the layer's power.
    participation_ratio : float
        (sum e^2)^2 / (units sum e^4): 1 where all units carry the same, 1 /
        units where one carries everything; NaN where none carries anything.
    status : {"ok", "no_peak", "no_energy"}
    sentence : str
        What became of it.
    """

    axis: Array
    spectrum: Array
    background: Array
    residual: Array
    gate: Array
    x: Array
    window: tuple[float, float]
    background_share: float
    participation_ratio: float
    status: Literal["ok", "no_peak", "no_energy"]
    sentence: str

    @property
    def snr(self) -> float:
        """Layer SNR: power of the residual over power of the background; 0 where everything is background."""
        return (1 - self.background_share) / self.background_share if self.background_share > 0 else np.inf

    def measure_gate(self, x: ArrayLike) -> Array:
        """Return the share of background at energies in units of the root mean square; any shape."""
        return np.asarray(np.interp(np.asarray(x, float), self.axis, self.gate))


def make_layer_spectrum(energies: ArrayLike, *, bandwidth: float = 0.12, low: float = 0.75) -> LayerSpectrum:
    """Make the spectrum of a layer from the energies of its units, and separate its background.

    With x_j = e_j / rms(e), J(E) is the mean over the units of x_j^2 K(E -
    x_j), K a Gaussian of area 1; what K would put below zero is folded back.
    The background is Shirley's between E1 = `low` and E2 = max(x) + 0.5, with
    B(E1) = J(E1) and B(E2) = J(E2) (Qajar, formula for the Shirley
    background). Strong units draw the mean up, and the hump of the weak ones
    comes to stand on `low`, where its height is the level of a background that
    does not exist, or runs along all peaks. Therefore E1 may also be a minimum
    of J above `low`: it is where the most residual is left.

    Parameters
    ----------
    energies : array_like, shape (units,)
        Norms of weights, or their absolute values: not negative, of any scale.
    bandwidth : float
        Standard deviation of K, in units of the root mean square energy.
    low : float
        The least E1, in the same unit; at most 1, as the largest energy is at
        least 1.

    Returns
    -------
    LayerSpectrum
        The same for energies of any scale. A spectrum that falls from `low` on
        has no Shirley background: its status is "no_peak", background and
        residual are NaN, the gate is 1, the SNR 0.

    Raises
    ------
    ValueError
        When energies, bandwidth or low are not as above.

    Notes
    -----
    Above 256 units the power of each is shared between the two nearest nodes
    of a grid of a sixteenth of the bandwidth, which widens K by 0.05 % at most.

    References
    ----------
    A. Qajar, "Gaussian-Lorentzian Layer Background Removal".
    """
    check_positive("bandwidth", bandwidth)
    check_positive("low", low)
    check_range("low", low, 0, 1)
    x = _normalize(_check_energies(energies))
    axis = _make_axis(low, max(float(x.max()), 1.0) + _BEYOND, bandwidth)
    spectrum = _smooth(axis, x, bandwidth)
    if not x.any():
        return _all_background(axis, spectrum, x, low, "no_energy", "No unit of this layer carries any energy.")
    background = _find_background(axis, spectrum, low)
    if background is None:
        return _all_background(axis, spectrum, x, low, "no_peak", NO_PEAK)
    return _take_apart(axis, spectrum, background, x)


def find_half_fall(axis: ArrayLike, background: ArrayLike) -> tuple[float, float]:
    """Find where a background has fallen half-way, and half the distance between its 75 % and 25 % points.

    They are E0 and gamma of the closed gate: B_L of a Lorentzian falls to
    3/4, 1/2 and 1/4 of its step at E0 - gamma, E0 and E0 + gamma. Between
    ends that are w half widths away the whole step is shorter by the tails
    beyond them, and gamma comes out too small by a share of 1 / w.

    Parameters
    ----------
    axis : array_like, shape (n,)
        Ascending or descending.
    background : array_like, shape (n,)
        Monotonic, such as Shirley's; NaN beyond its ends.

    Returns
    -------
    e0, gamma : float
        In the unit of the axis.

    Raises
    ------
    ValueError
        When the shapes do not fit.
    ComputeError
        When the background has no step.
    """
    positions = check_axis(axis)
    values = check_spectra(positions, background)
    if values.ndim != 1:
        msg = f"'background' must be one curve; found {describe_shape(values.shape)}. Pick one."
        raise ValueError(msg)
    known = np.isfinite(values)
    positions, values = positions[known], values[known]
    if len(values) < 2 or values[0] == values[-1]:
        msg = "'background' must differ between its two ends; found no step. There is none where no background exists."
        raise ComputeError(msg)
    gone = (values - values[0]) / (values[-1] - values[0])
    first, half, last = np.interp((0.25, 0.5, 0.75), gone, positions)
    return float(half), float(abs(last - first)) / 2


def _check_energies(energies: ArrayLike) -> Array:
    values = np.asarray(energies, float)
    if values.ndim != 1 or values.size == 0:
        msg = f"'energies' must be one number for each unit of a layer; found {describe_shape(values.shape)}."
        raise ValueError(msg)
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        msg = f"'energies' must be finite and not negative, as norms are; found {values[at]} at unit {at}."
        raise ValueError(msg)
    return values


def _normalize(energies: Array) -> Array:
    largest = energies.max()
    if largest == 0:
        return energies
    relative = energies / largest  # its square neither overflows nor vanishes
    return np.asarray(relative / np.sqrt(np.mean(relative**2)))


def _make_axis(low: float, top: float, bandwidth: float) -> Array:
    step = bandwidth / _SAMPLES
    window = np.linspace(low, top, ceil((top - low) / step) + 1)
    return np.concatenate([np.linspace(0, low, ceil(low / step), endpoint=False), window])


def _smooth(axis: Array, x: Array, bandwidth: float) -> Array:
    """Mean over the units of x^2 K(E - x), and its reflection at zero."""
    at, power = (x, x**2 / len(x)) if len(x) <= _MOST_UNITS else _collect(x, bandwidth / _NODES)
    apart, mirrored = axis[:, np.newaxis] - at, axis[:, np.newaxis] + at
    kernels = np.exp(-0.5 * (apart / bandwidth) ** 2) + np.exp(-0.5 * (mirrored / bandwidth) ** 2)
    return np.asarray(kernels @ power / (bandwidth * sqrt(2 * pi)))


def _collect(x: Array, step: float) -> tuple[Array, Array]:
    """Share the power of each unit between the nodes below and above it."""
    below = np.floor(x / step).astype(np.intp)
    above_share = x / step - below
    power, nodes = x**2 / len(x), int(below.max()) + 2
    collected = np.bincount(below, power * (1 - above_share), nodes) + np.bincount(
        below + 1, power * above_share, nodes
    )
    return np.asarray(step * np.arange(nodes)), np.asarray(collected)


def _find_background(axis: Array, spectrum: Array, low: float) -> Array | None:
    """Shirley's background from `low` or a minimum above it: of all that exist, the one with the largest residual."""
    dips = (spectrum[1:-1] < spectrum[:-2]) & (spectrum[1:-1] <= spectrum[2:]) & (axis[1:-1] > low)
    starts = (int(np.searchsorted(axis, low)), *(np.flatnonzero(dips) + 1))
    found = [
        (start, separate_shirley(axis[start:], spectrum[start:], ends=(Endpoint(axis[start]), Endpoint(axis[-1]))))
        for start in starts
    ]
    drawn = [pair for pair in found if np.isfinite(pair[1].kappa)]
    if not drawn:
        return None
    start, best = max(drawn, key=lambda pair: float(pair[1].net_area))
    return np.concatenate([np.full(start, np.nan), best.background])


def _take_apart(axis: Array, spectrum: Array, background: Array, x: Array) -> LayerSpectrum:
    window = np.isfinite(background)
    low = float(axis[window][0])
    below = axis <= low
    share = trapezoid(spectrum[below], axis[below]) + trapezoid(background[window], axis[window])
    gate = np.ones_like(axis)
    # Where the background is not below the spectrum, as in gaps between peaks, there is nothing but background.
    np.divide(background, spectrum, out=gate, where=window & (background < spectrum))
    return LayerSpectrum(
        axis, spectrum, background, spectrum - background, gate, x, (low, float(axis[-1])), float(share),
        _participation(x), "ok", f"Background holds {100 * share:.3g} % of the power; layer SNR {1 / share - 1:.3g}.",
    )  # fmt: skip


def _all_background(
    axis: Array, spectrum: Array, x: Array, low: float, status: Literal["no_peak", "no_energy"], sentence: str
) -> LayerSpectrum:
    nothing, window = np.full_like(axis, np.nan), (low, float(axis[-1]))
    return LayerSpectrum(
        axis, spectrum, nothing, nothing.copy(), np.ones_like(axis), x, window, 1.0, _participation(x), status, sentence
    )


def _participation(x: Array) -> float:
    fourth = float(np.mean(x**4))
    return 1 / fourth if fourth > 0 else np.nan
