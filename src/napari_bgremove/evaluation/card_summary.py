"""What a report card holds, and how patches become a line per source and per level."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.evaluation.baselines import TunedFamily, TunedSource
from napari_bgremove.evaluation.metrics import PatchScore
from napari_bgremove.evaluation.real_set import RealPatch

__all__ = [
    "CardRow",
    "Example",
    "HarmRow",
    "LevelSummary",
    "ReportCard",
    "SourceSummary",
    "summarise_levels",
    "summarise_sources",
    "usable_choice",
]

Image = NDArray[np.float32]


@dataclass(frozen=True)
class CardRow:
    """One method on one patch. `residual` is sum(x - s - n) / sum x, NaN without a background."""

    method: str
    classical: bool
    source: str
    file: str
    row: int
    column: int
    hits: str
    level_kev: float
    score: PatchScore
    residual: float
    seconds: float


@dataclass(frozen=True)
class SourceSummary:
    """One method on one source at one level, against the two classical bars.

    `psnr_db` and the bars are means over patches; `flux_bias` is the median
    over patches of |sum s / sum truth - 1|, `signed_flux_bias` that of the
    signed value; the other numbers are medians.
    """

    method: str
    classical: bool
    level_kev: float
    source: str
    patches: int
    psnr_db: float
    mae: float
    ssim: float
    flux_bias: float
    signed_flux_bias: float
    block_error: float
    radial_error: float
    usable_radius_px: float
    hit_recall: float
    false_removal: float
    residual: float
    seconds: float
    raw_psnr_db: float
    tuned_method: str
    tuned_psnr_db: float
    strict_method: str
    strict_psnr_db: float

    @property
    def gain_db(self) -> float:
        """Mean gain per patch over the filter tuned on the other sources."""
        return self.psnr_db - self.tuned_psnr_db

    @property
    def strict_gain_db(self) -> float:
        """Mean gain per patch over the family that is best in hindsight."""
        return self.psnr_db - self.strict_psnr_db


@dataclass(frozen=True)
class LevelSummary:
    """One method at one level, over sources."""

    method: str
    level_kev: float
    psnr_db: float
    gain_db: float
    worst_gain_db: float
    worst_source: str
    strict_gain_db: float
    worst_strict_gain_db: float
    worst_strict_source: str
    gain_over_raw_db: float
    worst_gain_over_raw_db: float
    flux_bias: float
    worst_flux_bias: float


@dataclass(frozen=True)
class Example:
    """One patch with what each method made of it, for the figure."""

    patch: RealPatch
    estimates: Mapping[str, Image]
    tuned_method: str
    tuned_estimate: Image


@dataclass(frozen=True)
class HarmRow:
    """What a method does to a real image without hits: sum |s - x| / sum x."""

    method: str
    source: str
    file: str
    harm: float
    seconds: float


@dataclass(frozen=True)
class ReportCard:
    """Everything `run_card` found out."""

    hits: str
    split: str
    rows: tuple[CardRow, ...]
    sources: tuple[SourceSummary, ...]
    levels: tuple[LevelSummary, ...]
    examples: tuple[Example, ...]


def summarise_sources(
    rows: Iterable[CardRow], tuning: Mapping[tuple[float, str], TunedSource]
) -> tuple[SourceSummary, ...]:
    """Bring rows together per method, level and source, beside the classical bars."""
    groups: dict[tuple[float, str], dict[str, list[CardRow]]] = {}
    for row in rows:
        groups.setdefault((row.level_kev, row.source), {}).setdefault(row.method, []).append(row)
    summaries = []
    for (level, source), by_method in groups.items():
        means = {name: _mean(row.score.psnr_db for row in members) for name, members in by_method.items()}
        classical = {name: means[name] for name, members in by_method.items() if members[0].classical}
        choice = usable_choice(tuning[level, source], classical)
        strict = max(classical, key=lambda name: classical[name])
        bars = {
            "raw_psnr_db": classical.get("raw", float("nan")),
            "tuned_method": choice.filter.label,
            "tuned_psnr_db": classical[choice.filter.family],
            "strict_method": tuning[level, source].families[strict].filter.label,
            "strict_psnr_db": classical[strict],
        }
        summaries += [_summarise(members, means[name], bars) for name, members in by_method.items()]
    return tuple(summaries)


def summarise_levels(sources: Iterable[SourceSummary]) -> tuple[LevelSummary, ...]:
    """Median and worst over sources, for every method that is not classical."""
    groups: dict[tuple[str, float], list[SourceSummary]] = {}
    for summary in sources:
        if not summary.classical:
            groups.setdefault((summary.method, summary.level_kev), []).append(summary)
    return tuple(_summarise_level(members) for members in groups.values())


def usable_choice(choice: TunedSource, scored: Collection[str]) -> TunedFamily:
    """Return the tuned choice among the families that could run here."""
    return TunedSource({name: tuned for name, tuned in choice.families.items() if name in scored}).chosen


_SCORES = tuple(field.name for field in fields(PatchScore) if field.name not in ("psnr_db", "flux_bias"))


def _summarise(members: Sequence[CardRow], psnr: float, bars: Mapping[str, Any]) -> SourceSummary:
    first = members[0]
    flux = [row.score.flux_bias for row in members]
    medians: dict[str, Any] = {name: _median(getattr(row.score, name) for row in members) for name in _SCORES}
    return SourceSummary(
        method=first.method,
        classical=first.classical,
        level_kev=first.level_kev,
        source=first.source,
        patches=len(members),
        psnr_db=psnr,
        flux_bias=_median(abs(value) for value in flux),
        signed_flux_bias=_median(flux),
        residual=_median(row.residual for row in members),
        seconds=_median(row.seconds for row in members),
        **medians,
        **bars,
    )


def _summarise_level(members: Sequence[SourceSummary]) -> LevelSummary:
    worst = min(members, key=lambda summary: summary.gain_db)
    worst_strict = min(members, key=lambda summary: summary.strict_gain_db)
    over_raw = [summary.psnr_db - summary.raw_psnr_db for summary in members]
    return LevelSummary(
        method=members[0].method,
        level_kev=members[0].level_kev,
        psnr_db=_median(summary.psnr_db for summary in members),
        gain_db=_median(summary.gain_db for summary in members),
        worst_gain_db=worst.gain_db,
        worst_source=worst.source,
        strict_gain_db=_median(summary.strict_gain_db for summary in members),
        worst_strict_gain_db=worst_strict.strict_gain_db,
        worst_strict_source=worst_strict.source,
        gain_over_raw_db=_median(over_raw),
        worst_gain_over_raw_db=min(over_raw),
        flux_bias=_median(summary.flux_bias for summary in members),
        worst_flux_bias=max(summary.flux_bias for summary in members),
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _median(values: Iterable[float]) -> float:
    """Median of the numbers that have a meaning; NaN when none has."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else float("nan")
