"""Baselines that know nothing of electrons, from the library pybaselines: what people compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._gaps import bridge_gaps

__all__ = ["BASELINES", "Baseline"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Baseline:
    """One algorithm of pybaselines.

    Attributes
    ----------
    algorithm : str
        Method of `pybaselines.Baseline`.
    defaults : mapping
        The parameters a person may set.
    options : mapping
        What is set for everybody.
    counts_samples : bool
        True where the algorithm knows neighbours but no positions. Gaps are
        then bridged by straight lines, so that a neighbour stays one; the
        others take the usable samples alone.
    """

    algorithm: str
    defaults: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    counts_samples: bool = True

    def estimate(self, axis: Array, values: Array, **parameters: Any) -> tuple[Array, bool | None]:
        """Estimate the baseline of one spectrum.

        Parameters
        ----------
        axis : ndarray, shape (n,)
        values : ndarray, shape (n,)
            NaN where a sample is not usable.

        Returns
        -------
        ndarray, shape (n,)
            NaN where there is nothing to stand on.
        bool or None
            Whether the algorithm met its own tolerance; None where it has none.
        """
        # Slow to import, and not needed by who asks for the table only.
        import pybaselines

        inside = _between_usable(values) if self.counts_samples else np.isfinite(values)
        data = bridge_gaps(axis[inside], values[inside])
        fitter = pybaselines.Baseline(x_data=axis[inside])
        chosen = {**self.defaults, **parameters}
        found, record = getattr(fitter, self.algorithm)(data, **chosen, **self.options)
        baseline = np.full(values.shape, np.nan)
        baseline[inside] = found
        return baseline, _has_converged(record, chosen)


def _between_usable(values: Array) -> NDArray[np.bool_]:
    places = np.flatnonzero(np.isfinite(values))
    inside = np.zeros(values.shape, bool)
    inside[places[0] : places[-1] + 1] = True
    return inside


def _has_converged(record: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool | None:
    history = np.atleast_1d(record.get("tol_history", ()))
    return bool(history[-1] < parameters["tol"]) if history.size and "tol" in parameters else None


# SNIP shrinks its window, the smoother of its two variants (Morhac 1997). Beyond the ends the
# last sample is repeated: a line through a window as wide as the peak leads far below zero.
_SNIP = Baseline(
    "snip",
    {"max_half_window": None, "decreasing": True, "smooth_half_window": 0},
    options={"pad_kwargs": {"mode": "edge"}},
)

#: Names and parameters, with the defaults of pybaselines where it has good ones.
BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "snip": _SNIP,
        "arpls": Baseline("arpls", {"lam": 1e5, "tol": 1e-3, "max_iter": 50}),
        "airpls": Baseline("airpls", {"lam": 1e6, "tol": 1e-3, "max_iter": 50}),
        "modpoly": Baseline("modpoly", {"poly_order": 2, "tol": 1e-3, "max_iter": 250}, counts_samples=False),
    }
)
