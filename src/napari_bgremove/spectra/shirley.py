"""Shirley's background, solved directly, with its uncertainty, and a reason where there is none.

The background of a core level in photoelectron spectroscopy: at each energy
it is proportional to the net intensity on its other side (D. A. Shirley, Phys.
Rev. B 5 (1972) 4709, doi:10.1103/PhysRevB.5.4709).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_choice, check_positive
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.axes import check_axis, check_spectra
from napari_bgremove.spectra.curve import STATUSES
from napari_bgremove.spectra.direct import solve_direct
from napari_bgremove.spectra.ends import End, place_ends
from napari_bgremove.spectra.iteration import solve_by_iteration
from napari_bgremove.spectra.patterns import solve_patterns
from napari_bgremove.spectra.sample_noise import NoiseRule, check_sigma
from napari_bgremove.spectra.sentences import describe_map, describe_spectrum
from napari_bgremove.spectra.solution import Solution, Solver

__all__ = ["METHODS", "STATUSES", "ShirleyBackground", "separate_shirley"]

Array = NDArray[np.float64]

METHODS = ("direct", "iterate")


@dataclass(frozen=True, kw_only=True)
class ShirleyBackground(Separation):
    """A spectrum, or many, taken apart into net signal and Shirley background.

    Numbers are scalars for one spectrum, and arrays of the leading shape for
    many. `uncertainty` is the standard error of the background, None where no
    `sigma` was given.

    Attributes
    ----------
    axis : ndarray, shape (n,)
    status_code : int or ndarray of uint8
        Place of the status in `STATUSES`: the number for a status layer.
    kappa : float or ndarray
        (I1 - I2) / net area, per unit of the axis; I1 is the level at the
        lower axis value. 0 where flat, NaN where there is no background.
    net_area : float or ndarray
        Area of the signal between the inner edges of the ends.
    sigma_kappa, sigma_area : float or ndarray
        Standard errors, the noise of both end levels included; NaN without
        `sigma`.
    end_levels : ndarray, shape (..., 2)
        I1 at the lower and I2 at the higher axis value.
    sigma_end_levels : ndarray, shape (..., 2)
        Standard errors of these: by `sigma`, or by the scatter in the window.
    end_mismatch : ndarray, shape (..., 2)
        Measured value at the inner edge minus end level: well above zero when
        the tail of a peak reaches the window.
    min_net : float or ndarray
        Smallest net value of the range. Noise makes it negative at the ends.
    shortfall : float or ndarray
        Without a solution, by how much the nearest curve misses the higher
        end level; when the iteration did not settle, its last change.
    evaluations : int or ndarray of int
        Newton steps, or sweeps of the iteration.
    shirley_range : tuple of float
        The inner edges, on the axis.
    """

    axis: Array
    status_code: Any
    kappa: Any
    net_area: Any
    sigma_kappa: Any
    sigma_area: Any
    end_levels: Array
    sigma_end_levels: Array
    end_mismatch: Array
    min_net: Any
    shortfall: Any
    evaluations: Any
    shirley_range: tuple[float, float]

    @property
    def status(self) -> Any:
        """What became of it, str or ndarray of str, see `STATUSES`.

        "ok"; "flat": equal end levels, a flat line; "ill_conditioned": solved,
        but the standard error of the net area is above half of it;
        "no_solution", "negative_area": there is no background (NaN), see
        `sentence`; "not_converged": only of the iteration; "no_data": too few
        usable samples (in a map).
        """
        return np.array(STATUSES)[self.status_code] if np.ndim(self.status_code) else STATUSES[self.status_code]

    @property
    def sigma_background(self) -> NDArray[np.floating[Any]] | None:
        """Standard error of the background at each sample."""
        return self.uncertainty

    @property
    def sentence(self) -> str:
        """What became of it, why, and what to change."""
        if np.ndim(self.status_code):
            return describe_map(self.status)
        inside = (self.axis >= self.shirley_range[0]) & (self.axis <= self.shirley_range[1])
        highest = np.nanmax(self.measured[inside])
        return describe_spectrum(self, highest=float(highest))


def separate_shirley(
    axis: ArrayLike,
    measured: ArrayLike,
    *,
    ends: tuple[End, End],
    method: Literal["direct", "iterate"] = "direct",
    sigma: ArrayLike | NoiseRule | None = None,
    valid_mask: ArrayLike | None = None,
    tolerance: float = 1e-12,
    max_sweeps: int = 500,
) -> ShirleyBackground:
    """Estimate Shirley's background of spectra, and take it away.

    At energy E the background is I2 plus (I1 - I2) times the share of the net
    area that lies between E and E2 (Qajar, formula for the Shirley background
    calculation); I1 and I2 are its levels at E1 < E2. On the samples, joined by
    the trapezoid rule, it is solved exactly and without iteration: one
    unknown, kappa = (I1 - I2) / net area, is found as the first root of a
    scalar function, with the sign of I1 - I2, so that the net area is positive.

    Parameters
    ----------
    axis : array_like, shape (n,)
        Energy, wavelength or position; ascending or descending, of any
        spacing. Binding or kinetic does not matter: the levels decide.
    measured : array_like, shape (..., n)
        One spectrum, or many; any real dtype, not modified. NaN, Inf and masked
        samples are left out, and the steps across them are wider.
    ends : pair of Anchor or Endpoint
        In any order. An anchor fixes the level by the mean over its window;
        the background is solved between the inner edges of the two, is held
        at the levels inside the windows, and is NaN beyond them.
    method : {"direct", "iterate"}
        "iterate" sweeps the printed formula until it settles, if it does.
    sigma : array_like, "poisson" or "scatter", optional
        Standard error of each sample, of shape (), (n,) or (..., n).
        "poisson": the root of the count, at least 1. "scatter": the standard
        deviation within the two windows, for the whole spectrum. Without it
        no standard errors are computed.
    valid_mask : array_like of bool, shape (n,) or (..., n), optional
        True where a sample is usable.
    tolerance, max_sweeps : float, int
        Of the iteration: largest change as a share of the step, and when to
        give up.

    Returns
    -------
    ShirleyBackground
        Where no background exists it is NaN, and `sentence` says why.

    Raises
    ------
    ValueError
        When axis, samples, ends, mask, sigma or method are not as above.
    ComputeError
        When a single spectrum, shape (n,), has too few usable samples in a
        window; in a map such spectra get the status "no_data".

    Examples
    --------
    >>> axis = np.linspace(-10, 10, 201)
    >>> spectrum = 100 * np.exp(-axis**2) + 20 - 10 / (1 + np.exp(-3 * axis))
    >>> ends = Anchor(Window(-10, -8)), Anchor(Window(8, 10))
    >>> separate_shirley(axis, spectrum, ends=ends).status
    'ok'
    """
    positions = check_axis(axis)
    values = check_spectra(positions, measured, valid_mask=valid_mask)
    forth = slice(None) if positions[0] < positions[-1] else slice(None, None, -1)
    placed = place_ends(positions[forth], ends)
    solver = _choose_solver(method, tolerance, max_sweeps)
    noise = None if sigma is None else check_sigma(sigma, values, placed)
    rows = np.ascontiguousarray(values.reshape(-1, len(positions))[:, forth])  # the same bits either way
    if isinstance(noise, np.ndarray):
        noise = noise.reshape(rows.shape)[:, forth]
    solution = solve_patterns(positions[forth], rows, placed, solver, noise, alone=values.ndim == 1)
    inner = tuple(float(positions[forth][end.inner]) for end in placed)
    record = {
        "method": "shirley", "solver": method, "ends": [str(end.end) for end in placed],
        "sigma": sigma if isinstance(sigma, str) else "none" if sigma is None else "given",
    }  # fmt: skip
    return _assemble(
        positions, values, solution, forth, uncertain=sigma is not None, shirley_range=inner, provenance=record
    )


def _choose_solver(method: str, tolerance: float, max_sweeps: int) -> Solver:
    check_choice("method", method, METHODS)
    check_positive("tolerance", tolerance)
    check_positive("max_sweeps", max_sweeps)
    if method == "direct":
        return solve_direct
    return partial(solve_by_iteration, tolerance=tolerance, max_sweeps=max_sweeps)


def _assemble(
    axis: Array,
    values: Array,
    solution: Solution,
    forth: slice,
    *,
    uncertain: bool,
    shirley_range: tuple[float, ...],
    provenance: dict[str, Any],
) -> ShirleyBackground:
    """Give everything the leading shape of the input, and the direction of its axis."""
    leading = values.shape[:-1]

    def shape(of_rows: NDArray[Any]) -> Any:
        return of_rows.reshape(leading + of_rows.shape[1:])[()]

    background = shape(solution.background[:, forth])
    return ShirleyBackground(
        signal=values - background,
        background=background,
        measured=values,
        uncertainty=shape(solution.sigma_background[:, forth]) if uncertain else None,
        provenance=provenance,
        axis=axis,
        status_code=shape(solution.status),
        kappa=shape(solution.kappa),
        net_area=shape(solution.net_area),
        sigma_kappa=shape(solution.sigma_kappa),
        sigma_area=shape(solution.sigma_area),
        end_levels=shape(solution.levels),
        sigma_end_levels=shape(solution.level_sigmas),
        end_mismatch=shape(solution.mismatch),
        min_net=shape(solution.min_net),
        shortfall=shape(solution.shortfall),
        evaluations=shape(solution.evaluations),
        shirley_range=(shirley_range[0], shirley_range[1]),
    )
