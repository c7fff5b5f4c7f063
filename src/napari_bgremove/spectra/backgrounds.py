"""Every background by its name: one table for windows and commands, and one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._gaps import bridge_gaps
from napari_bgremove._validation import check_choice
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.baselines import BASELINES
from napari_bgremove.spectra.ends import End
from napari_bgremove.spectra.line_fit import fit_line
from napari_bgremove.spectra.one_by_one import Estimate, Tie, separate_one_by_one
from napari_bgremove.spectra.shirley import separate_shirley
from napari_bgremove.spectra.steps import estimate_step
from napari_bgremove.spectra.tougaard import LossFunction, estimate_tougaard

__all__ = ["METHODS", "Method", "separate_background"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Method:
    """A background a person can choose.

    Attributes
    ----------
    label : str
        As windows write it.
    summary : str
        One sentence on what it assumes.
    separate : callable
        (axis, measured, ends, valid_mask, parameters) to a `Separation`.
    parameters : mapping
        Names and defaults; None means that it is found from the data, or not
        wanted.
    needs_ends : bool
        Whether it is tied to two ends. The others take the spectrum between
        the ends, or all of it.
    """

    label: str
    summary: str
    separate: Callable[..., Separation] = field(repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    needs_ends: bool = True


def separate_background(
    axis: ArrayLike,
    measured: ArrayLike,
    *,
    method: str,
    ends: tuple[End, End] | None = None,
    valid_mask: ArrayLike | None = None,
    **parameters: Any,
) -> Separation:
    """Take spectra apart into a net spectrum and a background, by one of `METHODS`.

    A background that is tied to ends runs between the inner edges of both and
    is held at their levels inside the windows; beyond the outer edges nothing
    is estimated. The order of the axis does not matter.

    Parameters
    ----------
    axis : array_like, shape (n,)
        Energies, rising or falling.
    measured : array_like, shape (..., n)
        One spectrum or many; NaN, Inf and masked samples are not usable. Not
        modified.
    method : str
        A key of `METHODS`.
    ends : pair of Anchor or Endpoint, optional
        May be left out where the method does not need them.
    valid_mask : array_like of bool, shape (n,) or (..., n), optional
        True where a sample is usable.
    **parameters
        Those of the method; `METHODS[method].parameters` has the defaults.

    Returns
    -------
    Separation
        signal = measured - background, float64; NaN where a sample is not
        usable or lies beyond the ends. For the two solvers of Shirley's
        background it is a `ShirleyBackground`. For the others `provenance`
        holds under ``found`` what came out on the way (levels, fitted line,
        strength), one entry per spectrum; in a stack a spectrum that has no
        background is NaN, and counted under ``without_result`` with the
        first reason.

    Raises
    ------
    ValueError
        When axis, ends, method or parameters are wrong.
    ComputeError
        When no spectrum has a background of this kind.
    """
    check_choice("method", method, tuple(METHODS))
    chosen = METHODS[method]
    for parameter in parameters:
        check_choice(f"parameter of {method}", parameter, tuple(chosen.parameters))
    if chosen.needs_ends and ends is None:
        msg = f"'ends' must be two anchors or endpoints for the method {method}; found none. Choose two windows."
        raise ValueError(msg)
    result = chosen.separate(axis, measured, ends=ends, valid_mask=valid_mask, **{**chosen.parameters, **parameters})
    return replace(result, provenance={"method": method, **result.provenance})


def _estimate_linear(axis: Array, _values: Array, tie: Tie) -> tuple[Array, dict[str, Any]]:
    return np.interp(axis, axis[[tie.first, tie.last]], tie.levels), {"levels": tie.levels}


def _estimate_step(
    axis: Array, values: Array, tie: Tie, *, shape: str, window: str, **given: float | None
) -> tuple[Array, dict[str, Any]]:
    inner = slice(tie.first, tie.last + 1)
    fitted = fit_line(axis[inner], values[inner], levels=tie.levels, shape=shape, window=window, **given)
    line, positions = fitted.line, (axis[tie.first], axis[tie.last])
    step = estimate_step(axis, line, positions=positions, levels=tie.levels, window=window)
    found = {"centre": line.centre, "half_width": line.half_width, "lorentzian_share": line.lorentzian_share}
    return step, {"levels": tie.levels, "area": fitted.area, **found}


def _estimate_tougaard(
    axis: Array, values: Array, tie: Tie, *, c_sign: int, c: float, d: float, gap: float, strength: float | None
) -> tuple[Array, dict[str, Any]]:
    inner = slice(tie.first, tie.last + 1)
    filled = bridge_gaps(axis[inner], values[inner])
    loss = LossFunction(c, c_sign, d, gap)
    background, used = estimate_tougaard(axis[inner], filled, loss=loss, levels=tie.levels, strength=strength)
    held = np.pad(background, (tie.first, len(axis) - 1 - tie.last), mode="edge")
    return held, {"levels": tie.levels, "strength": float(used)}


def _estimate_baseline(
    axis: Array, values: Array, _tie: Tie | None, *, name: str, **parameters: Any
) -> tuple[Array, dict[str, Any]]:
    baseline, converged = BASELINES[name].estimate(axis, values, **parameters)
    return baseline, {} if converged is None else {"converged": converged}


def _tied(label: str, summary: str, estimate: Estimate, **parameters: Any) -> Method:
    return Method(label, summary, partial(separate_one_by_one, estimate), parameters)


def _step(label: str, shape: str, **parameters: Any) -> Method:
    summary = "A step in closed form below one line of this shape, fitted where centre and half width are not given."
    estimate = partial(_estimate_step, shape=shape)
    return _tied(label, summary, estimate, centre=None, half_width=None, **parameters, window="finite")


def _baseline(label: str, name: str, summary: str) -> Method:
    separate = partial(separate_one_by_one, partial(_estimate_baseline, name=name))
    return Method(label, summary, separate, BASELINES[name].defaults, needs_ends=False)


#: Every background by its name.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "direct": Method(
            "Shirley",
            "Proportional to the net area beyond each energy; solved exactly.",
            partial(separate_shirley, method="direct"),
            {"sigma": None},
        ),
        "iterate": Method(
            "Shirley, iterated",
            "The same by the printed iteration, which does not always settle.",
            partial(separate_shirley, method="iterate"),
            {"sigma": None, "tolerance": 1e-12, "max_sweeps": 500},
        ),
        "linear": _tied("Linear", "A straight line between the levels of two ends.", _estimate_linear),
        "lorentzian": _step("Lorentzian step", "lorentzian"),
        "gaussian": _step("Gaussian step", "gaussian"),
        "pseudo_voigt": _step("pseudo-Voigt step", "pseudo_voigt", lorentzian_share=None),
        "tougaard_u2": _tied(
            "Tougaard U2",
            "Electrons lose energy by the universal cross section of metals and oxides; eV, equal steps.",
            partial(_estimate_tougaard, c_sign=1, d=0.0),
            c=1643.0, gap=0.0, strength=None,
        ),
        "tougaard_u3": _tied(
            "Tougaard U3",
            "Electrons lose energy mostly to a plasmon; C and D are those of polymers unless given; eV, equal steps.",
            partial(_estimate_tougaard, c_sign=-1),
            c=551.0, d=436.0, gap=0.0, strength=None,
        ),
        "snip": _baseline("SNIP", "snip", "Peaks are clipped, window by window; counts samples."),
        "arpls": _baseline("arPLS", "arpls", "A smooth curve that samples above it hardly lift."),
        "airpls": _baseline("airPLS", "airpls", "A smooth curve that samples above it do not lift."),
        "modpoly": _baseline("ModPoly", "modpoly", "A polynomial below the peaks."),
    }
)  # fmt: skip
