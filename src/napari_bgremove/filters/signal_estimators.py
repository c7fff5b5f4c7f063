"""Denoisers of whole signals by scipy and scikit-image, with what these leave to the caller taken care of.

Every function takes finite signals (rows, n) and its parameters, where a
number may be one for all or (rows, 1), and returns the denoised rows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, signal

from napari_bgremove._validation import check_choice, check_range
from napari_bgremove.filters.sparse_denoising import Domain, estimate_sparse

__all__ = [
    "ENDS",
    "PADS",
    "estimate_by_l1",
    "estimate_by_median",
    "estimate_by_positive_l1",
    "estimate_by_savitzky_golay",
    "estimate_by_total_variation",
    "estimate_by_wavelets",
    "estimate_by_wiener",
]

Array = NDArray[np.float64]
Pad = Literal["zero", "reflect"]
PADS: tuple[Pad, ...] = ("zero", "reflect")
Ends = Literal["joined", "open"]
ENDS: tuple[Ends, ...] = ("joined", "open")
# Samples whose mean is the level of an end.
_END = 5


def estimate_by_wiener(rows: Array, *, window: int, sigma: ArrayLike | Literal["local"], pad: Pad) -> Array:
    """Wiener filter from local mean m and local variance v: m + max(1 - sigma^2 / v, 0) (x - m).

    With `pad` "zero" that of `scipy.signal.wiener`, row by row (a stack given
    to scipy has one noise for all rows). "reflect" mirrors the signal at its
    ends, as MATLAB does, so that they do not darken. A patch without any
    variance keeps its mean, where scipy divides zero by zero.

    Parameters
    ----------
    rows : ndarray, shape (rows, n)
    window : int
        Odd, samples.
    sigma : float or array_like of shape (rows, 1), or "local"
        Standard deviation of the noise. "local" takes the mean of the local
        variances of the row for its square, as scipy does where no noise is
        given: that of the signal is then in it, and a single high peak makes
        noise of the rest.
    pad : "zero" or "reflect"

    References
    ----------
    J. S. Lim, Two-Dimensional Signal and Image Processing, Prentice Hall 1990, p. 548.
    """
    _check_window(window, rows)
    check_choice("pad", pad, PADS)
    # Variances are differences of squares: without its level a signal on a pedestal keeps its digits.
    level = rows.mean(axis=-1, keepdims=True) if pad == "reflect" else np.zeros((len(rows), 1))
    values = rows - level
    mode = "constant" if pad == "zero" else "reflect"
    # Each window is added up by itself: in a running sum one huge sample would spoil all that come after it.
    box = np.full(window, 1 / window)
    mean, square = (ndimage.correlate1d(v, box, axis=-1, mode=mode) for v in (values, np.square(values)))
    variance = square - np.square(mean)
    is_local = isinstance(sigma, str)
    noise = variance.mean(axis=-1, keepdims=True) if is_local else np.square(np.asarray(sigma, np.float64))
    above = variance > noise
    # Nothing to divide by where the variance is below the noise; such a sample takes its local mean.
    gain = np.divide(noise, variance, out=np.ones_like(variance), where=above)
    return np.asarray(level + mean + (1 - gain) * (values - mean))


def estimate_by_l1(
    rows: Array, *, weight: ArrayLike, gamma: float = 0.0, domain: Domain, ends: Ends = "joined"
) -> Array:
    """L1 (gamma = 0) or GMC in closed form, see `estimate_sparse`.

    To frequencies a signal that ends on another level than it began with has
    a jump where it repeats itself, which takes many of them. With `ends`
    "joined" the straight line through the means of the first and the last
    five samples is left out of it, and put back after; with "open", and of
    samples, nothing is.
    """
    check_choice("ends", ends, ENDS)
    if domain == "direct" or ends == "open":
        return estimate_sparse(rows, weight=weight, gamma=gamma, domain=domain)
    line = _draw_line(rows)
    return estimate_sparse(rows - line, weight=weight, gamma=gamma, domain=domain) + line


def estimate_by_positive_l1(rows: Array, *, weight: ArrayLike) -> Array:
    """L1 of samples that are known not to be negative."""
    return estimate_sparse(rows, weight=weight, positive=True)


def estimate_by_total_variation(rows: Array, *, weight: ArrayLike) -> Array:
    """Near the least 1/2 ||u - x||^2 + weight ||du||_1, where Chambolle's algorithm stops in scikit-image.

    Far above the noise a larger weight then no longer smooths more.
    """
    from skimage.restoration import denoise_tv_chambolle

    # It divides by the weight; without one the minimum is the signal itself.
    return np.stack(
        [denoise_tv_chambolle(row, weight=each) if each else row for row, each in _with_number(rows, weight)]
    )


def estimate_by_wavelets(rows: Array, *, sigma: ArrayLike, wavelet: str) -> Array:
    """Soft thresholds of wavelet coefficients, one for each scale by BayesShrink (scikit-image)."""
    import pywt  # type: ignore[import-untyped]
    from skimage.restoration import denoise_wavelet

    # The orthogonal ones: coefficients of the others share their noise, and scikit-image warns.
    check_choice(
        "wavelet", wavelet, [name for family in ("haar", "db", "sym", "coif") for name in pywt.wavelist(family)]
    )
    if pywt.dwt_max_level(rows.shape[-1], wavelet) < 1:
        shortest = 2 * (pywt.Wavelet(wavelet).dec_len - 1)
        msg = (
            f"'measured' must have at least {shortest} samples for the wavelet {wavelet}; found {rows.shape[-1]}. "
            "Take a shorter wavelet."
        )
        raise ValueError(msg)
    # In units of the noise, because scikit-image compares variances with a constant 1e-16.
    return np.stack(
        [
            denoise_wavelet(row / each, sigma=1.0, wavelet=wavelet, method="BayesShrink", mode="soft") * each
            if each
            else row
            for row, each in _with_number(rows, sigma)
        ]
    )


def estimate_by_savitzky_golay(rows: Array, *, window: int, order: int) -> Array:
    """Fit a polynomial around each sample; the ends take the polynomial of the last window.

    What `scipy.signal.savgol_filter` gives, up to rounding; that one fits the
    ends of the signals anew in each call, which takes as long as a third of
    the work on a thousand of them.
    """
    _check_window(window, rows)
    check_range("order", order, 0, window - 1)
    window, half = int(window), int(window) // 2
    smoothing = _fit_window(window, int(order))
    fitted = ndimage.correlate1d(rows, smoothing[half], axis=-1)
    fitted[:, :half] = rows[:, :window] @ smoothing[:half].T
    fitted[:, -half or fitted.shape[1] :] = rows[:, -window:] @ smoothing[half + 1 :].T
    return np.asarray(fitted)


@lru_cache(maxsize=8)
def _fit_window(window: int, order: int) -> Array:
    """Return, for each place in a window, the factors of its samples whose sum is the fitted polynomial there."""
    return np.stack([signal.savgol_coeffs(window, order, pos=place, use="dot") for place in range(window)])


def estimate_by_median(rows: Array, *, window: int) -> Array:
    """Take the median of the samples around each (scipy); the ends are held."""
    _check_window(window, rows)
    return np.asarray(ndimage.median_filter(rows, (1, window), mode="nearest"))


def _draw_line(rows: Array) -> Array:
    """Return the line through the means of the first and the last samples of each row."""
    length = rows.shape[1]
    width = max(min(_END, length // 2), 1)
    first, last = (rows[:, end].mean(axis=1, keepdims=True) for end in (slice(width), slice(-width, None)))
    along = (np.arange(length) - (width - 1) / 2) / max(length - width, 1)  # 0 and 1 in their middles
    return np.asarray(first + (last - first) * along)


def _check_window(window: int, rows: Array) -> None:
    if window != int(window) or window % 2 != 1 or not 1 <= window <= rows.shape[-1]:
        msg = (
            f"'window' must be an odd number of samples, at most the {rows.shape[-1]} of a signal; found {window}. "
            "Take an odd number, so that it has a middle."
        )
        raise ValueError(msg)


def _with_number(rows: Array, number: ArrayLike) -> Any:
    """Go through rows and the number of each."""
    return zip(rows, np.broadcast_to(np.asarray(number, np.float64), (len(rows), 1))[:, 0].tolist(), strict=True)
