"""What a library has to say while it cleans many spectra, counted, and said once."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

__all__ = ["RemarkCounter", "describe_remarks", "merge_remarks"]

#: What is said of numbers and fits; deprecations are not meant for who cleans spectra.
_HEARD = (UserWarning, RuntimeWarning)
_NOT_CONVERGED, _WITHOUT_RESULT, _WARNED = "not_converged", "without_result", "warned"


class RemarkCounter:
    """Counts of how many spectra there was something to say, and what.

    A spectrum counts once for each thing, however many of its spectrometers
    it happened in.
    """

    def __init__(self) -> None:
        self._spectra = 0
        self._counts: dict[str, Counter[str]] = {}

    @contextmanager
    def next_spectrum(self) -> Iterator[_Remark]:
        """Gather what is said of one spectrum inside the block; Python's warnings are kept back."""
        remark = _Remark()
        with warnings.catch_warnings(record=True) as heard:
            for category in _HEARD:
                warnings.simplefilter("always", category)
            yield remark
        for warning in heard:
            if issubclass(warning.category, _HEARD):
                remark.said.add((_WARNED, _first_sentence(str(warning.message))))
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        self._spectra += 1
        for kind, text in remark.said:
            self._counts.setdefault(kind, Counter())[text] += 1

    @property
    def counts(self) -> dict[str, Any]:
        """Plain values: number of `spectra`, of those `not_converged` and `without_result`, of each text `warned`."""
        counts: dict[str, Any] = {
            kind: self._counts.get(kind, Counter())[""] for kind in (_NOT_CONVERGED, _WITHOUT_RESULT)
        }
        return {"spectra": self._spectra, **counts, _WARNED: dict(self._counts.get(_WARNED, Counter()))}


class _Remark:
    """What is said of one spectrum."""

    def __init__(self) -> None:
        self.said: set[tuple[str, str]] = set()

    def not_converged(self) -> None:
        """Say that a baseline did not meet its own tolerance."""
        self.said.add((_NOT_CONVERGED, ""))

    def without_result(self) -> None:
        """Say that there was nothing to estimate a background from."""
        self.said.add((_WITHOUT_RESULT, ""))


def merge_remarks(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Add up the counts of two parts of a set."""
    if not first or not second:
        return dict(first or second)
    warned = Counter(first[_WARNED]) + Counter(second[_WARNED])
    return {**{name: first[name] + second[name] for name in first if name != _WARNED}, _WARNED: dict(warned)}


def describe_remarks(remarks: Mapping[str, Any]) -> str:
    """Say in a sentence or two what there was to say; nothing is an empty text.

    Parameters
    ----------
    remarks : mapping
        `provenance["remarks"]` of `clean_spectra`.
    """
    if not remarks:
        return ""
    of_all = f"of {remarks['spectra']} spectra"
    said = []
    if count := remarks[_NOT_CONVERGED]:
        said.append(
            f"{count} {of_all} did not reach the tolerance of the method ('tol') in its rounds ('max_iter'); look at "
            "them, or allow more rounds."
        )
    if count := remarks[_WITHOUT_RESULT]:
        said.append(f"{count} {of_all} had too few usable samples for a background and stay empty there.")
    said += [f"{count} {of_all}: {text}." for text, count in remarks[_WARNED].items()]
    return " ".join(said)


def _first_sentence(message: str) -> str:
    """Return the sentence of a warning without its remedies for programmers."""
    return " ".join(message.split()).partition(". ")[0].rstrip(".")
