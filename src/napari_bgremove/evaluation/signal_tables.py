"""Tables of denoisers: one line per method, in groups that say how its numbers were found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.evaluation.card_writers import table_as_markdown
from napari_bgremove.evaluation.signal_metrics import score_signals

__all__ = ["HEADS", "ComparedTable", "Line", "compare_pairwise", "score_runs"]

Array = NDArray[np.float64]
Denoise = Callable[[Array], Array]
#: Clean signals and what is measured of them, shape (count, length) each.
Pairs = tuple[Array, Array]

#: How the columns of a score are headed; the second PSNR lacks the root.
HEADS: Mapping[str, str] = {
    "rmse": "RMSE",
    "psnr_as_published_db": "20 log10(10/MSE), dB, called PSNR in the slides",
    "psnr_db": "PSNR, peak 10, dB",
}


@dataclass(frozen=True)
class Line:
    """One method.

    Attributes
    ----------
    group : str
        How its numbers were found: "as published", "tuned fairly", "bound".
    label : str
    values : mapping of str to float or str
        By column.
    """

    group: str
    label: str
    values: Mapping[str, float | str]


@dataclass(frozen=True)
class ComparedTable:
    """Lines under a heading, with what they mean in words.

    Attributes
    ----------
    name : str
        For files: letters, digits, hyphens.
    title, text : str
    lines : tuple of Line
    heads : mapping of str to str
        Headings of columns, in their order; a column without one is headed by
        its name.
    """

    name: str
    title: str
    text: str
    lines: tuple[Line, ...]
    heads: Mapping[str, str] = field(default_factory=lambda: HEADS)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order they first come."""
        return tuple(dict.fromkeys(name for line in self.lines for name in line.values))

    def head(self) -> list[str]:
        """Return the headings."""
        return ["group", "method", *(self.heads.get(name, name) for name in self.columns)]

    def cells(self) -> list[list[str]]:
        """Return the lines as texts; a value a line has not is a hyphen."""
        return [
            [line.group, line.label, *(_write(line.values.get(name)) for name in self.columns)] for line in self.lines
        ]

    def as_markdown(self) -> str:
        """Return heading, table and text."""
        return f"## {self.title}\n\n{table_as_markdown(self.head(), self.cells())}\n{self.text}\n"

    def as_document(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        lines = [{"group": line.group, "method": line.label, **line.values} for line in self.lines]
        return {"name": self.name, "title": self.title, "text": self.text, "lines": lines}


def score_runs(denoise: Denoise | Sequence[Denoise], runs: Iterable[Pairs]) -> dict[str, float | str]:
    """Return the means over runs, and how far their RMSE is apart.

    Parameters
    ----------
    denoise : callable, or a sequence of them
        One for all runs; or networks of several seeds, each for the signals
        of all runs together.
    runs : iterable of (signal, measured)
        Shape (count, length) each.

    Returns
    -------
    dict of str to float or str
        The names of `HEADS`, and ``spread``: the least and the largest RMSE,
        over the runs or over the seeds.
    """
    pairs = list(runs)
    if callable(denoise):
        scores = [score_signals(denoise(measured), signal) for signal, measured in pairs]
    else:
        signal, measured = (np.concatenate(part) for part in zip(*pairs, strict=True))
        scores = [score_signals(one(measured), signal) for one in denoise]
    errors = [score.rmse for score in scores]
    means = {name: float(np.mean([getattr(score, name) for score in scores])) for name in HEADS}
    what = "runs" if callable(denoise) else "seeds"
    return {**means, "spread": f"{min(errors):.3f} to {max(errors):.3f}, {len(errors)} {what}"}


def compare_pairwise(errors: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """Return the mean difference of paired errors, its standard error, and their ratio.

    Parameters
    ----------
    errors, others : sequence of float
        RMSE of the same seeds, in the same order; two or more.

    Returns
    -------
    dict of str to float
        ``difference`` (errors - others), ``standard_error``, and ``ratio``,
        the size of the difference in units of its standard error: below 2
        nothing is claimed.
    """
    if len(errors) != len(others) or len(errors) < 2:
        msg = f"'errors' and 'others' must be pairs, two or more; found {len(errors)} and {len(others)}."
        raise ValueError(msg)
    differences = np.subtract(errors, others)
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    mean = float(differences.mean())
    return {"difference": mean, "standard_error": error, "ratio": abs(mean) / error if error else float(mean != 0)}


def _write(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.3f}"
