"""Whether a Shirley background exists because of a peak, or because of the noise.

On a step without a peak no curve passes the higher end level, so there is no
background. With noise the level may happen to lie a little lower than the
spectrum does, and then there is one: a curve with a large kappa that lags
behind the step. Its net area can look significant. What gives it away is how
little the best curve passes the level by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.spectra.one_pole import end_weights, make_grid, middles_of

if TYPE_CHECKING:
    from napari_bgremove.spectra.shirley import ShirleyBackground

__all__ = ["measure_firmness"]

Array = NDArray[np.float64]

_NODES = 40
# At the largest kappa the background would be the data.
_TOP = 1 - 1e-9


def measure_firmness(result: ShirleyBackground) -> float | None:
    """Measure by how many standard errors the best curve passes the higher end level.

    For kappa from the solution upwards, the recursion of `one_pole` arrives
    above the higher end level by sum(W M) - step, W being its end weights and M
    the middles above the lower level. Its variance is that of the samples,
    weighted with the squares of W, and that of both levels. The largest
    quotient is returned. On steps without a peak it is below 2 in about nine of
    ten noisy spectra that have a background at all.

    Parameters
    ----------
    result : ShirleyBackground
        Of one spectrum, solved.

    Returns
    -------
    float or None
        None where the noise is not known: without a window of two samples or
        more, or on data without noise.
    """
    sides = _sides(result)
    variances = [sigma**2 * count for sigma, count in sides if count > 1]
    if not variances or not np.isfinite(result.kappa) or result.kappa == 0:
        return None
    of_sample, of_levels = float(np.mean(variances)), np.array([sigma**2 for sigma, _ in sides])
    if not (of_sample > 0 and np.isfinite(of_levels).all()):
        return None
    inside = np.isfinite(result.background) & _between(result.axis, result.shirley_range)
    order = np.argsort(result.axis[inside])
    grid, samples = make_grid(result.axis[inside][order]), result.measured[inside][order]
    low, high = result.end_levels
    if high < low:  # from the end of low intensity, as the recursion runs
        grid, samples, of_levels, low, high = grid.reversed, samples[::-1], of_levels[::-1], high, low
    top = grid.largest_kappa * _TOP
    weights, _ = end_weights(grid, np.geomspace(min(abs(result.kappa), top), top, _NODES))
    passed = weights @ middles_of(samples[np.newaxis] - low)[0] - (high - low)
    padded = np.pad(weights, ((0, 0), (1, 1)))  # a sample counts in the middles on both of its sides
    spread = (padded[:, :-1] + padded[:, 1:]) / 2
    variance = (spread**2).sum(axis=1) * of_sample + (1 - weights.sum(axis=1)) ** 2 * of_levels[0] + of_levels[1]
    return float((passed / np.sqrt(variance)).max())


def _sides(result: ShirleyBackground) -> list[tuple[float, int]]:
    """Standard error and number of samples of the end at the lower and at the higher axis value."""
    drawn = result.axis[np.isfinite(result.background)]
    low, high = result.shirley_range
    counts = int(np.count_nonzero(drawn <= low)), int(np.count_nonzero(drawn >= high))
    return list(zip(map(float, result.sigma_end_levels), counts, strict=True))


def _between(axis: Array, interval: tuple[float, float]) -> NDArray[np.bool_]:
    return (axis >= interval[0]) & (axis <= interval[1])
