"""Filters of 1-D signals with their numbers fixed: as published, and tuned on signals whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.evaluation.signal_metrics import measure_rmse
from napari_bgremove.filters.signal_filters import denoise_signals

__all__ = ["AS_PUBLISHED", "FAMILIES", "FilterFamily", "FixedFilter", "tune_filter"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FixedFilter:
    """A method of `filters.signal_filters` with its parameters.

    Attributes
    ----------
    label : str
        As tables write it.
    method : str
        A key of `filters.signal_filters.METHODS`.
    parameters : mapping
    """

    label: str
    method: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, measured: Array) -> Array:
        """Return the denoised signals, shape (count, length)."""
        return np.asarray(denoise_signals(measured, method=self.method, **self.parameters).signal, np.float64)

    @property
    def settings(self) -> str:
        """The parameters, as tables write them."""
        return ", ".join(
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in self.parameters.items()
        )


@dataclass(frozen=True)
class FilterFamily:
    """What tuning may choose from.

    Attributes
    ----------
    label, method : str
    grid : mapping of str to sequence
        Candidates of each parameter; all combinations are tried.
    """

    label: str
    method: str
    grid: Mapping[str, Sequence[Any]]

    def list_candidates(self) -> list[FixedFilter]:
        """Return every combination of the grid."""
        names = tuple(self.grid)
        return [
            FixedFilter(self.label, self.method, dict(zip(names, values, strict=True)))
            for values in product(*self.grid.values())
        ]


_WEIGHTS = tuple(float(weight) for weight in np.arange(0.25, 8.01, 0.25))

#: The filters of the published table, as they were run there: fixed numbers, L1 and GMC in the Fourier domain.
AS_PUBLISHED: tuple[FixedFilter, ...] = (
    FixedFilter("Wiener", "wiener", MappingProxyType({"window": 3, "sigma": "local", "pad": "zero"})),
    FixedFilter("FFT-L1", "l1", MappingProxyType({"domain": "fourier", "ends": "open", "weight": 1.0})),
    FixedFilter("FFT-GMC", "gmc", MappingProxyType({"domain": "fourier", "ends": "open", "weight": 3.0, "gamma": 0.8})),
)

#: The same filters and their peers with the numbers left open.
FAMILIES: tuple[FilterFamily, ...] = (
    FilterFamily("Wiener, noise known", "wiener", {"window": (3, 5, 7, 9, 11, 13), "sigma": (None,)}),
    FilterFamily("FFT-L1", "l1", {"domain": ("fourier",), "ends": ("open",), "weight": _WEIGHTS}),
    FilterFamily(
        "FFT-GMC", "gmc", {"domain": ("fourier",), "ends": ("open",), "weight": _WEIGHTS, "gamma": (0.3, 0.5, 0.8)}
    ),
    FilterFamily("L1", "l1", {"domain": ("direct",), "weight": _WEIGHTS}),
    FilterFamily("GMC", "gmc", {"domain": ("direct",), "weight": _WEIGHTS, "gamma": (0.3, 0.5, 0.8)}),
    FilterFamily("L1, positive", "soft_positive", {"weight": _WEIGHTS}),
    FilterFamily("total variation", "tv", {"weight": _WEIGHTS[:20]}),
    FilterFamily("wavelets", "wavelet", {"wavelet": ("db1", "db2", "db4"), "sigma": (None,)}),
    FilterFamily("Savitzky-Golay", "savitzky_golay", {"window": (5, 7, 9, 11, 13), "order": (1, 2, 3)}),
    FilterFamily("median", "median", {"window": (3, 5, 7)}),
)


def tune_filter(family: FilterFamily, measured: Array, truth: Array, *, sigma: float) -> FixedFilter:
    """Return the candidate with the least mean RMSE.

    Parameters
    ----------
    family : FilterFamily
        A parameter whose only candidate is None is set to `sigma`: these
        filters are told the noise, as a network is by its training.
    measured, truth : ndarray, shape (count, length)
        Signals for tuning; not those a table is made of.
    sigma : float
        Standard deviation of the noise.
    """
    grid = {name: (sigma,) if tuple(values) == (None,) else values for name, values in family.grid.items()}
    candidates = FilterFamily(family.label, family.method, grid).list_candidates()
    errors = [float(measure_rmse(candidate(measured), truth).mean()) for candidate in candidates]
    return candidates[int(np.argmin(errors))]
