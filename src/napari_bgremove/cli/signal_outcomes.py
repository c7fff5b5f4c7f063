"""What became of signals that were denoised: numbers for each of them, and what a command says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.evaluation.signal_metrics import measure_psnr, measure_psnr_as_published, measure_rmse
from napari_bgremove.io.spectra import Spectrum
from napari_bgremove.separation import Separation

__all__ = ["Denoised", "SignalLog"]

Array = NDArray[np.floating[Any]]
_BEFORE = "_measured"
_SCORES = {"rmse": "RMSE", "psnr_db": "PSNR", "psnr_as_published_db": "PSNR as published (20 log10(10 / MSE))"}


@dataclass(frozen=True)
class Denoised:
    """What became of a signal, or of all signals of a map.

    Attributes
    ----------
    spectrum : Spectrum
    figures : mapping of str to ndarray, shape (signals,)
        sigma and what else was found, the root mean square of what was taken
        away ("removed"), and scores against a reference: NAME_measured of the
        signal as measured, NAME as denoised. NaN where there is no result.
    peak : float
        Of the reference, for the PSNR; NaN without one.
    sentence : str
        Why a signal has no result; empty where all have one.
    example, truth, place
        The highest signal, to be drawn: its parts, the clean one where it is
        known, and its number in a map.
    """

    spectrum: Spectrum
    figures: Mapping[str, NDArray[np.float64]]
    peak: float = np.nan
    sentence: str = ""
    example: Separation | None = None
    truth: Array | None = None
    place: tuple[int, ...] = ()

    @property
    def has_result(self) -> bool:
        """Whether any signal was denoised."""
        return self.example is not None

    def summarise(self) -> dict[str, Any]:
        """Return the figures; of many signals how many have a result, the mean of scores and the median of others."""
        if not self.has_result:
            return {"spectrum": self.spectrum.label, "status": "refused", "sentence": self.sentence}
        good = np.isfinite(self.figures["removed"])
        told: dict[str, Any] = {"spectrum": self.spectrum.label, "status": "ok"}
        if self.spectrum.intensity.ndim > 1:
            told |= {"signals": good.size, "denoised": int(good.sum()), "sentence": self.sentence}
        for name, values in self.figures.items():
            known = values[np.isfinite(values) | np.isposinf(values)]
            average = np.mean if name.removesuffix(_BEFORE) in _SCORES else np.median
            told[name] = float(average(known)) if known.size else np.nan
        return told if np.isnan(self.peak) else told | {"peak": self.peak}

    def describe(self, label: str) -> Iterator[str]:
        """Yield what was done and found, line by line."""
        told = self.summarise()
        if not self.has_result:
            yield f"{self.spectrum.label}: {self.sentence}"
            return
        many = "signals" in told
        count = f"{told['denoised']} of {told['signals']} signals denoised" if many else "denoised"
        yield f"{self.spectrum.label}: {count} ({label})"
        if many and self.sentence:
            yield f"  the others have no result, the first because: {self.sentence}"
        found = {name: told[name] for name in self.figures if name.removesuffix(_BEFORE) not in _SCORES}
        removed = f"root mean square taken away {found.pop('removed'):.4g}"
        numbers = [f"{name} {value:.4g}" for name, value in found.items()]
        yield f"  {'medians: ' if many else ''}{', '.join([*numbers, removed])}"
        if not np.isnan(self.peak):
            yield f"  against the reference{', means' if many else ''}: {self._say_scores(told)}"

    def _say_scores(self, told: Mapping[str, Any]) -> str:
        units = {"rmse": "", "psnr_db": f" dB (peak {self.peak:.4g})", "psnr_as_published_db": " dB"}
        return "; ".join(
            f"{title} {told[name + _BEFORE]:.4g} -> {told[name]:.4g}{units[name]}" for name, title in _SCORES.items()
        )


class SignalLog:
    """Takes note of every block of signals that was denoised, and forgets its curves but for one.

    Parameters
    ----------
    spectrum : Spectrum
    peak : float
        Of the reference; NaN without one.
    """

    def __init__(self, spectrum: Spectrum, *, peak: float = np.nan) -> None:
        self._spectrum, self._peak = spectrum, peak
        self._figures: list[dict[str, NDArray[np.float64]]] = []
        self._highest, self._first, self._sentence = -np.inf, 0, ""
        self._example: dict[str, Any] = {}

    def note(self, parts: Separation, truth: Array | None) -> None:
        """Take note of a block."""
        self._figures.append(_measure(parts, truth, self._peak))
        self._sentence = self._sentence or parts.provenance.get("without_result", {}).get("reason", "")
        self._keep_highest(parts, truth)
        self._first += len(parts.measured) if parts.measured.ndim > 1 else 0

    def conclude(self) -> Denoised:
        """Return what became of all of them."""
        names = dict.fromkeys(name for block in self._figures for name in block)
        figures = {
            name: np.concatenate([block.get(name, np.full_like(block["removed"], np.nan)) for block in self._figures])
            for name in names
        }
        return Denoised(self._spectrum, figures, self._peak, self._sentence, **self._example)

    def _keep_highest(self, parts: Separation, truth: Array | None) -> None:
        known = np.where(np.isfinite(parts.signal), parts.signal, -np.inf).max(axis=-1)
        if known.max(initial=-np.inf) <= self._highest:
            return
        place = np.unravel_index(int(np.argmax(known)), known.shape)
        self._highest = float(known[place])
        signal, background, measured = (
            np.array(one[place]) for one in (parts.signal, parts.background, parts.measured)
        )
        self._example = {
            "example": Separation(signal, background, measured),
            "truth": None if truth is None else np.array(truth[place]),
            "place": tuple(int(one) + (self._first if axis == 0 else 0) for axis, one in enumerate(place)),
        }


def _measure(parts: Separation, truth: Array | None, peak: float) -> dict[str, NDArray[np.float64]]:
    """Return the figures of every signal of a block, in its order."""
    length = parts.measured.shape[-1]
    measured, signal, noise = (
        np.reshape(one, (-1, length)) for one in (parts.measured, parts.signal, parts.background)
    )
    figures = {name: np.array(values, float) for name, values in parts.provenance["found"].items()}
    figures["removed"] = _root_mean_square(noise)
    if truth is not None:
        clean = np.where(np.isfinite(signal), np.reshape(truth, (-1, length)), np.nan)
        for ending, estimate in ((_BEFORE, measured), ("", signal)):
            figures |= {f"{name}{ending}": values for name, values in _score(estimate, clean, peak).items()}
    return figures


def _root_mean_square(rows: Array) -> NDArray[np.float64]:
    """Return that of the usable samples of each row; NaN where there are none."""
    usable = np.isfinite(rows)
    count = np.count_nonzero(usable, axis=-1)
    total = np.square(np.where(usable, rows, 0.0)).sum(axis=-1)
    return np.asarray(np.sqrt(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)))


def _score(estimate: Array, clean: Array, peak: float) -> dict[str, NDArray[np.float64]]:
    """Return the scores of each row; NaN where there is nothing to compare."""
    scores = {name: np.full(len(clean), np.nan) for name in _SCORES}
    known = np.isfinite(clean).any(axis=-1)
    if known.any():
        pair = estimate[known], clean[known]
        scores["rmse"][known] = measure_rmse(*pair)
        scores["psnr_db"][known] = measure_psnr(*pair, peak=peak)
        scores["psnr_as_published_db"][known] = measure_psnr_as_published(*pair)
    return scores
