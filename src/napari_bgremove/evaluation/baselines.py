"""Classical filters at their best: tuned on other experiments, then held against us.

A filter tuned on the image it is judged on would be an oracle, an untuned one
a straw man. So family and parameters are chosen on the validation hits of all
*other* sources, and applied to the source that was left out. The choice is
deterministic and committed (`classical_tuning.json`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.evaluation.metrics import measure_psnr
from napari_bgremove.evaluation.real_set import LEVELS_KEV, RealPatch, iter_real_patches
from napari_bgremove.filters.classical import ClassicalFilter, available_families, estimate_many, list_filters

__all__ = [
    "TUNING_FILE",
    "TunedFamily",
    "TunedSource",
    "choose_without",
    "read_tuning",
    "score_filters",
    "tune_baselines",
    "write_tuning",
]

TUNING_FILE = "classical_tuning.json"
# mean validation PSNR: scores[filter][source]
Scores = Mapping[ClassicalFilter, Mapping[str, float]]


@dataclass(frozen=True)
class TunedFamily:
    """The best parameters of one family, and their score on the other sources.

    `validation_psnr_db` is the median over those sources of the mean PSNR.
    """

    filter: ClassicalFilter
    validation_psnr_db: float


@dataclass(frozen=True)
class TunedSource:
    """What was chosen for one left-out source at one level, per family."""

    families: Mapping[str, TunedFamily]

    @property
    def chosen(self) -> TunedFamily:
        """The family that did best on the other sources."""
        return max(self.families.values(), key=lambda tuned: tuned.validation_psnr_db)


# (level in keV, left-out source) -> choice
Tuning = Mapping[tuple[float, str], TunedSource]


def tune_baselines(
    data_folder: Path | str,
    *,
    levels: Sequence[float] = LEVELS_KEV,
    hits: str = "sr90",
    families: Sequence[str] | None = None,
    report: Callable[[str], None] | None = None,
) -> dict[tuple[float, str], TunedSource]:
    """Choose family and parameters for every level and left-out source.

    Parameters
    ----------
    data_folder : path-like
        Folder of the real data.
    levels, hits
        As in `iter_real_patches`; the validation half of the hits is used.
    families : sequence of str, optional
        By default every family that can run here.
    report : callable, optional
        Called with a line after each level.

    Returns
    -------
    dict of (level, source) to TunedSource
    """
    names = available_families() if families is None else tuple(families)
    filters = [one for family in names for one in list_filters(family)]
    tuning: dict[tuple[float, str], TunedSource] = {}
    for level in levels:
        patches = iter_real_patches(data_folder, levels=(level,), split="validation", hits=hits)
        scores = score_filters(patches, filters)
        for source in next(iter(scores.values())):
            tuning[float(level), source] = choose_without(source, scores)
        if report is not None:
            report(f"{hits}, {level:g} keV: {len(filters)} parameter sets tuned")
    return tuning


def score_filters(
    patches: Iterable[RealPatch], filters: Sequence[ClassicalFilter]
) -> dict[ClassicalFilter, dict[str, float]]:
    """Mean PSNR (dB) of every filter on every source."""
    values: dict[ClassicalFilter, dict[str, list[float]]] = {one: {} for one in filters}
    for patch in patches:
        for one, signal in estimate_many(patch.measured, filters):
            psnr = measure_psnr(signal, patch.truth, patch.measured)
            values[one].setdefault(patch.source, []).append(psnr)
    return {
        one: {source: float(np.mean(psnr)) for source, psnr in by_source.items()} for one, by_source in values.items()
    }


def choose_without(left_out: str, scores: Scores) -> TunedSource:
    """Choose the best parameters of each family without looking at `left_out`.

    Raises
    ------
    ValueError
        When no other source is left to tune on.
    """
    best: dict[str, TunedFamily] = {}
    for one, by_source in scores.items():
        others = [psnr for source, psnr in by_source.items() if source != left_out]
        if not others:
            msg = f"'{left_out}' must not be the only source; tuning needs at least one other. Add sources."
            raise ValueError(msg)
        tuned = TunedFamily(one, float(np.median(others)))
        if one.family not in best or tuned.validation_psnr_db > best[one.family].validation_psnr_db:
            best[one.family] = tuned
    return TunedSource(best)


def write_tuning(path: Path | str, tunings: Mapping[str, Tuning]) -> Path:
    """Write choices per kind of hits as JSON that a person can read and compare."""
    document = {hits: _as_document(tuning) for hits, tuning in tunings.items()}
    return atomic_write(path, json.dumps(document, indent=1) + "\n")


def read_tuning(hits: str = "sr90", *, path: Path | str | None = None) -> dict[tuple[float, str], TunedSource]:
    """Read the committed choice, or one written by `write_tuning`.

    Raises
    ------
    ValueError
        When the file holds no choice for this kind of hits.
    """
    place = files("napari_bgremove.evaluation").joinpath(TUNING_FILE) if path is None else Path(path)
    document = json.loads(place.read_text(encoding="utf-8"))
    if hits not in document:
        msg = f"'hits' must be one of {', '.join(document)} in {place.name}; found {hits!r}. Tune the baselines for it."
        raise ValueError(msg)
    return {
        (float(level), source): TunedSource({name: _read_family(name, entry) for name, entry in families.items()})
        for level, sources in document[hits].items()
        for source, families in sources.items()
    }


def _as_document(tuning: Tuning) -> dict[str, dict[str, dict[str, Any]]]:
    document: dict[str, dict[str, dict[str, Any]]] = {}
    for (level, source), choice in tuning.items():
        document.setdefault(f"{level:g}", {})[source] = {
            name: {
                "parameters": dict(tuned.filter.parameters),
                "validation_psnr_db": round(tuned.validation_psnr_db, 3),
            }
            for name, tuned in choice.families.items()
        }
    return document


def _read_family(name: str, entry: Mapping[str, Any]) -> TunedFamily:
    return TunedFamily(ClassicalFilter.make(name, **entry["parameters"]), float(entry["validation_psnr_db"]))
