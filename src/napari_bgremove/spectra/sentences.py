"""What became of a Shirley background, said so that a person knows what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bgremove.spectra.curve import STATUSES
from napari_bgremove.spectra.firmness import measure_firmness

if TYPE_CHECKING:
    from napari_bgremove.spectra.shirley import ShirleyBackground

__all__ = ["describe_map", "describe_spectrum"]

# A spectrum passes its higher end level for sure when it does so by this many standard errors.
_FIRM = 2.0
_REMEDY = "Move the ends so that a peak stands between them, or average wider windows."


def describe_spectrum(result: ShirleyBackground, *, highest: float) -> str:
    """Say what became of one spectrum whose largest sample between the ends is `highest`."""
    if result.status == "no_solution":
        return _say_no_solution(result, highest)
    return _SENTENCES[result.status](result)


def describe_map(statuses: Any) -> str:
    """Say how many spectra came to what, the most frequent first."""
    names, counts = np.unique(statuses, return_counts=True)
    found = dict(zip(names.tolist(), counts.tolist(), strict=True))
    pairs = [(found[name], name) for name in sorted(found, key=lambda name: (-found[name], STATUSES.index(name)))]
    return f"Of {np.size(statuses)} spectra: {'; '.join(f'{count} {_OF_MANY[name]}' for count, name in pairs)}."


def _say_area(result: ShirleyBackground) -> str:
    area, error = result.net_area, result.sigma_area
    if not np.isfinite(error):
        return f"net area {area:.6g}"
    share = f" ({100 * error / abs(area):.2g} %)" if area else ""
    return f"net area {area:.6g} ± {error:.2g}{share}"


def _say_levels(result: ShirleyBackground) -> str:
    return f"end levels {result.end_levels[0]:.6g} and {result.end_levels[1]:.6g}"


def _say_range(result: ShirleyBackground) -> str:
    return f"between {result.shirley_range[0]:g} and {result.shirley_range[1]:g}"


def _say_ok(result: ShirleyBackground) -> str:
    return f"Solved: {_say_area(result)}, kappa {result.kappa:.4g}, {_say_levels(result)}.{_say_doubt(result)}"


def _say_doubt(result: ShirleyBackground) -> str:
    """Warn where the background may be one of the noise."""
    firmness = measure_firmness(result)
    if firmness is None or firmness >= _FIRM:
        return ""
    return (
        f" But it may exist by noise alone, as on a step without a peak: the spectrum passes its higher end level by "
        f"only {firmness:.1f} standard errors. {_REMEDY}"
    )


def _say_flat(result: ShirleyBackground) -> str:
    return f"Both end levels are {result.end_levels[0]:.6g}, so the background is a flat line; {_say_area(result)}."


def _say_ill_conditioned(result: ShirleyBackground) -> str:
    return (
        f"A background exists, but the noise of the samples hardly ties it down: {_say_area(result)}. "
        f"Average wider windows, or bring the ends closer to the peak.{_say_doubt(result)}"
    )


def _say_no_solution(result: ShirleyBackground, highest: float) -> str:
    low, high = sorted(result.end_levels)
    why = "the spectrum nowhere rises above its higher end level: it is a step without a peak"
    if highest > high:
        why = f"the spectrum does not rise enough above the step of {high - low:.4g} from end to end"
    nearest = f"The nearest curve stays {result.shortfall:.3g} short of the higher end level {high:.6g}"
    if result.shortfall < 1e-6 * (high - low):
        nearest = f"Only a curve that runs along the data reaches the higher end level {high:.6g}"
    return f"No Shirley background exists {_say_range(result)}, because {why}. {nearest}. {_REMEDY}"


def _say_negative_area(result: ShirleyBackground) -> str:
    return (
        f"No Shirley background with a positive net area exists {_say_range(result)}, because on the whole "
        f"the spectrum would lie below it; {_say_levels(result)}. {_REMEDY}"
    )


def _say_not_converged(result: ShirleyBackground) -> str:
    share = 100 * result.shortfall / abs(result.end_levels[0] - result.end_levels[1])
    return (
        f"The iteration did not settle: after {result.evaluations} sweeps it still moves by {share:.2g} % of the step. "
        "Take the direct method, which needs no iteration."
    )


def _say_no_data(_result: ShirleyBackground) -> str:
    return "Too few usable samples in the windows of the ends. Widen the windows, or check the mask."


_SENTENCES = {
    "ok": _say_ok,
    "flat": _say_flat,
    "ill_conditioned": _say_ill_conditioned,
    "negative_area": _say_negative_area,
    "not_converged": _say_not_converged,
    "no_data": _say_no_data,
}

_OF_MANY = {
    "ok": "solved",
    "flat": "with equal end levels, so a flat line",
    "ill_conditioned": "solved, but hardly tied down by their noisy samples",
    "no_solution": "without a Shirley background, for lack of a peak above the step",
    "negative_area": "that would lie below their own background",
    "not_converged": "on which the iteration did not settle",
    "no_data": "with too few usable samples",
}
