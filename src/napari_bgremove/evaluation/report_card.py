"""The report card: any method on the real test set, next to classical filters at their best.

Two bars are held against a method on every source. *Tuned*: the filter whose
family and parameters did best on the other sources. *Strict*: of every family,
tuned likewise, the one that turns out best on this very source. The second
knows the answer; no one could have chosen it beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.evaluation.baselines import TunedSource, read_tuning
from napari_bgremove.evaluation.card_summary import (
    CardRow,
    Example,
    HarmRow,
    ReportCard,
    summarise_levels,
    summarise_sources,
    usable_choice,
)
from napari_bgremove.evaluation.metrics import score_patch
from napari_bgremove.evaluation.real_set import CleanImage, RealPatch, iter_real_patches
from napari_bgremove.filters.classical import available_families
from napari_bgremove.separation import Separation

__all__ = ["CARD_LEVELS_KEV", "CardRow", "HarmRow", "Method", "ReportCard", "measure_harm", "run_card"]

Image = NDArray[np.float32]
# measured (2-D float32, NaN where unusable) -> Separation, or the signal alone
Method = Callable[[Image], Separation | NDArray[Any]]
CARD_LEVELS_KEV = (10.0, 30.0, 100.0)
EXAMPLE_LEVEL_KEV = 10.0


def run_card(
    data_folder: Path | str,
    methods: Mapping[str, Method],
    *,
    levels: Sequence[float] = CARD_LEVELS_KEV,
    hits: str = "sr90",
    split: str = "test",
    tuning: Mapping[tuple[float, str], TunedSource] | None = None,
    classical_rows: Iterable[CardRow] | None = None,
    report: Callable[[str], None] | None = None,
) -> ReportCard:
    """Score methods and tuned classical filters on the real test set.

    Parameters
    ----------
    data_folder : path-like
        Folder that holds `saxs/signal` and `saxs/noise`.
    methods : mapping of str to callable
        Each takes a measured patch in keV (float32, NaN where unusable) and
        returns a `Separation`, or the signal as an array.
    levels, hits, split
        As in `iter_real_patches`.
    tuning : mapping, optional
        From `tune_baselines`; by default the committed choice.
    classical_rows : iterable of CardRow, optional
        Rows of the classical filters from an earlier card with the same
        levels, hits, split and tuning: saves running them again. They are
        most of the time.
    report : callable, optional
        Called with a line after each patch.

    Returns
    -------
    ReportCard

    Raises
    ------
    ValueError
        When a method's name is that of a filter family, or a level was not tuned.
    ReadError
        When a data file is absent or unreadable.
    """
    choices = read_tuning(hits) if tuning is None else tuning
    _check_request(methods, levels, choices)
    known = None if classical_rows is None else [row for row in classical_rows if row.classical]
    rows: list[CardRow] = [] if known is None else known
    examples: dict[str, Example] = {}
    for patch in iter_real_patches(data_folder, levels=levels, split=split, hits=hits):
        choice = choices[patch.level_kev, patch.source]
        scored = [_run_method(name, method, patch, classical=False) for name, method in methods.items()]
        rows += [row for row, _ in scored]
        if known is None:
            rows += [_run_method(*item, patch, classical=True)[0] for item in _classical_methods(choice).items()]
        if patch.level_kev == _example_level(levels) and patch.source not in examples:
            examples[patch.source] = _keep_example(patch, choice, {row.method: signal for row, signal in scored})
        if report is not None:
            report(f"{patch.source} {patch.row},{patch.column} at {patch.level_kev:g} keV")
    sources = summarise_sources(rows, choices)
    return ReportCard(hits, split, tuple(rows), sources, summarise_levels(sources), tuple(examples.values()))


def measure_harm(
    images: Iterable[CleanImage], methods: Mapping[str, Method], *, report: Callable[[str], None] | None = None
) -> tuple[HarmRow, ...]:
    """Apply methods to images without hits; the smaller the sum of what they take, the better.

    Parameters
    ----------
    images : iterable of CleanImage
        From `iter_clean_images`, or generated x-ray-only shots.
    methods : mapping of str to callable
        As in `run_card`.
    report : callable, optional
        Called with a line after each image.
    """
    rows = []
    for image in images:
        total = float(image.values[image.valid].sum(dtype=np.float64))
        for name, method in methods.items():
            start = time.perf_counter()
            signal, _ = _split_result(method(image.values))
            seconds = time.perf_counter() - start
            taken = np.abs(signal - image.values)[image.valid].sum(dtype=np.float64)
            rows.append(HarmRow(name, image.source, image.file, float(taken / total), seconds))
        if report is not None:
            report(image.file)
    return tuple(rows)


def _check_request(
    methods: Mapping[str, Method], levels: Sequence[float], tuning: Mapping[tuple[float, str], TunedSource]
) -> None:
    taken = sorted(set(methods) & {name for choice in tuning.values() for name in choice.families})
    if taken:
        msg = f"'methods' must not use the name of a filter family; found {', '.join(taken)}. Choose another name."
        raise ValueError(msg)
    tuned = sorted({level for level, _ in tuning})
    missing = [level for level in levels if level not in tuned]
    if missing:
        found = ", ".join(f"{level:g}" for level in missing)
        known = ", ".join(f"{level:g}" for level in tuned)
        msg = f"'levels' must be tuned levels ({known} keV); found {found}. Tune the baselines for them first."
        raise ValueError(msg)


def _classical_methods(choice: TunedSource) -> dict[str, Method]:
    usable = available_families()
    return {name: tuned.filter for name, tuned in choice.families.items() if name in usable}


def _run_method(name: str, method: Method, patch: RealPatch, *, classical: bool) -> tuple[CardRow, Image]:
    start = time.perf_counter()
    signal, residual = _split_result(method(patch.measured))
    seconds = time.perf_counter() - start
    score = score_patch(signal, patch.truth, patch.measured, centre=patch.centre)
    row = CardRow(
        name,
        classical,
        patch.source,
        patch.file,
        patch.row,
        patch.column,
        patch.hits,
        patch.level_kev,
        score,
        residual,
        seconds,
    )
    return row, signal


def _split_result(result: Separation | NDArray[Any]) -> tuple[Image, float]:
    if not isinstance(result, Separation):
        return np.asarray(result, np.float32), float("nan")
    sums = result.ledger()
    share = sums["residual"] / sums["measured"] if sums["measured"] else float("nan")
    return np.asarray(result.signal, np.float32), share


def _example_level(levels: Sequence[float]) -> float:
    return float(min(levels, key=lambda level: abs(level - EXAMPLE_LEVEL_KEV)))


def _keep_example(patch: RealPatch, choice: TunedSource, estimates: Mapping[str, Image]) -> Example:
    tuned = usable_choice(choice, available_families()).filter
    return Example(patch, estimates, tuned.label, tuned.estimate_signal(patch.measured))
