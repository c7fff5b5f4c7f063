"""Classical ways to take hits off a detector image: the bars a network must clear.

Every filter estimates the signal from the measured image; the background is
what it took away. NaN marks unusable pixels: they never enter a result and are
NaN again afterwards. `PARAMETER_GRID` lists what tuning may choose from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_bgremove._validation import check_choice, check_image, check_positive, check_range
from napari_bgremove.errors import ComputeError
from napari_bgremove.separation import Separation

__all__ = ["FAMILIES", "PARAMETER_GRID", "ClassicalFilter", "available_families", "estimate_many", "list_filters"]

Image = NDArray[np.float32]
# Turns a median absolute deviation into the sigma of a Gaussian.
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class ClassicalFilter:
    """One filter with its parameters fixed; call it with a measured image.

    Attributes
    ----------
    family : str
        One of `FAMILIES`.
    parameters : tuple of (name, value)
        Keyword arguments of the family, sorted by name.

    Examples
    --------
    >>> ClassicalFilter.make("median", window=5).label
    'median(window=5)'
    """

    family: str
    parameters: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        check_choice("family", self.family, tuple(FAMILIES))

    @classmethod
    def make(cls, family: str, **parameters: float) -> ClassicalFilter:
        """Build a filter from keyword arguments."""
        return cls(family, tuple(sorted(parameters.items())))

    @property
    def label(self) -> str:
        """Family and parameters, as printed in tables."""
        if not self.parameters:
            return self.family
        return f"{self.family}({', '.join(f'{name}={value:g}' for name, value in self.parameters)})"

    def estimate_signal(self, measured: NDArray[Any]) -> Image:
        """Return the signal in `measured`, shape (rows, columns), NaN kept."""
        return self._apply(_Workspace(measured))

    def __call__(self, measured: NDArray[Any], /) -> Separation:
        """Take `measured` apart: background = measured - signal."""
        signal = self.estimate_signal(measured)
        values = np.where(np.isfinite(signal), np.asarray(measured, np.float32), np.float32(np.nan))
        provenance = {"method": self.family, "parameters": dict(self.parameters)}
        return Separation(signal, values - signal, values, provenance=provenance)

    def _apply(self, work: _Workspace) -> Image:
        signal = FAMILIES[self.family](work, **dict(self.parameters))
        return np.where(work.usable, signal, np.float32(np.nan)).astype(np.float32, copy=False)


def estimate_many(
    measured: NDArray[Any], filters: Iterable[ClassicalFilter]
) -> Iterator[tuple[ClassicalFilter, Image]]:
    """Apply many filters to one image: the results of one by one, sharing local medians."""
    work = _Workspace(measured)
    for one in filters:
        yield one, one._apply(work)


class _Workspace:
    """One measured image, and what several filters of a tuning run can share about it."""

    def __init__(self, measured: NDArray[Any]) -> None:
        self.values: Image = np.ascontiguousarray(check_image("measured", measured), np.float32)
        self.usable: NDArray[np.bool_] = np.isfinite(self.values)
        if not self.usable.any():
            msg = f"'measured' must have usable pixels; all {self.values.size} are NaN. Check the valid mask."
            raise ComputeError(msg)
        self._medians: dict[int, Image] = {}
        self._spreads: dict[int, Image] = {}

    @cached_property
    def filled(self) -> Image:
        """Every gap takes its nearest usable value, so that rank filters see no NaN."""
        if self.usable.all():
            return self.values
        nearest = ndimage.distance_transform_edt(~self.usable, return_distances=False, return_indices=True)
        return _as_image(self.values[tuple(nearest)])

    def median(self, window: int) -> Image:
        """Local median."""
        if window not in self._medians:
            self._medians[window] = _as_image(ndimage.median_filter(self.filled, size=window))
        return self._medians[window]

    def spread(self, window: int) -> Image:
        """Local median absolute deviation, as the sigma of a Gaussian."""
        if window not in self._spreads:
            deviation = np.abs(self.filled - self.median(window))
            self._spreads[window] = _as_image(_MAD_TO_SIGMA * ndimage.median_filter(deviation, size=window))
        return self._spreads[window]


def _keep_raw(work: _Workspace) -> Image:
    return work.values


def _filter_percentile(work: _Workspace, *, percentile: float, window: int) -> Image:
    check_range("percentile", percentile, 0, 100)
    check_positive("window", window, unit="px")
    return _as_image(ndimage.percentile_filter(work.filled, percentile, size=int(window)))


def _filter_median(work: _Workspace, *, window: int) -> Image:
    check_positive("window", window, unit="px")
    return work.median(int(window))


def _open_grey(work: _Workspace, *, window: int) -> Image:
    """Erode, then dilate; exact beside gaps, as +Inf never wins a minimum nor -Inf a maximum."""
    check_positive("window", window, unit="px")
    eroded = ndimage.grey_erosion(np.where(work.usable, work.values, np.float32(np.inf)), size=int(window))
    return _as_image(ndimage.grey_dilation(np.where(work.usable, eroded, np.float32(-np.inf)), size=int(window)))


def _replace_hot(work: _Workspace, *, sigma: float, window: int) -> Image:
    """Pixels more than `sigma` robust standard deviations above the local median become that median."""
    check_positive("sigma", sigma)
    check_positive("window", window, unit="px")
    median = work.median(int(window))
    hot = work.filled > median + np.float32(sigma) * work.spread(int(window))
    return _as_image(np.where(hot, median, work.filled))


def _detect_cosmics(work: _Workspace, *, sigma: float, contrast: float, read_noise: float = 0.3) -> Image:
    """L.A.Cosmic (van Dokkum 2001, doi:10.1086/323894) by astroscrappy."""
    try:
        from astroscrappy import detect_cosmics
    except ImportError as error:
        msg = "'lacosmic' needs the library astroscrappy, which is not installed. Run: pip install astroscrappy"
        raise ComputeError(msg) from error
    _, cleaned = detect_cosmics(work.filled, inmask=~work.usable, sigclip=sigma, objlim=contrast, readnoise=read_noise)
    return _as_image(cleaned)


FAMILIES: Mapping[str, Callable[..., Image]] = MappingProxyType(
    {
        "raw": _keep_raw,
        "percentile": _filter_percentile,
        "opening": _open_grey,
        "median": _filter_median,
        "mad": _replace_hot,
        "lacosmic": _detect_cosmics,
    }
)

_WINDOWS = (3, 5, 7, 9, 11, 15, 21)
PARAMETER_GRID: Mapping[str, Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        "raw": {},
        "percentile": {"percentile": (5, 10, 20, 25, 30, 35, 40, 45), "window": _WINDOWS},
        "opening": {"window": (2, 3, 4, 5, 7, 9)},
        "median": {"window": (*_WINDOWS, 31)},
        "mad": {"sigma": (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 8), "window": (*_WINDOWS, 31)},
        "lacosmic": {"contrast": (1, 2), "sigma": (2, 3, 4.5)},
    }
)


def available_families() -> tuple[str, ...]:
    """Names of the families that can run here; L.A.Cosmic needs astroscrappy."""
    from importlib.util import find_spec

    return tuple(family for family in FAMILIES if family != "lacosmic" or find_spec("astroscrappy") is not None)


def list_filters(family: str) -> tuple[ClassicalFilter, ...]:
    """Every parameter set of `family` that tuning may choose from."""
    check_choice("family", family, tuple(FAMILIES))
    grid = PARAMETER_GRID[family]
    choices = (dict(zip(grid, values, strict=True)) for values in product(*grid.values()))
    return tuple(ClassicalFilter.make(family, **choice) for choice in choices)


def _as_image(values: NDArray[Any]) -> Image:
    return np.asarray(values, np.float32)
