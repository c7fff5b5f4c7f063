"""The report card as files: CSV for a spreadsheet, JSON for a program, Markdown for a person."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_bgremove._files import atomic_write
from napari_bgremove.evaluation.card_summary import CardRow, HarmRow, ReportCard, SourceSummary

__all__ = [
    "as_document",
    "as_markdown",
    "harm_as_markdown",
    "table_as_markdown",
    "write_card_csv",
    "write_card_json",
    "write_card_markdown",
]


def write_card_csv(path: Path | str, card: ReportCard) -> Path:
    """Write one line per method and patch."""
    records = [_flatten(row) for row in card.rows]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(records[0]) if records else ["method"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return atomic_write(path, text.getvalue())


def write_card_json(path: Path | str, card: ReportCard, *, harm: Sequence[HarmRow] = ()) -> Path:
    """Write what `as_document` returns; a number without meaning becomes null."""
    return atomic_write(path, json.dumps(as_document(card, harm=harm), indent=1, allow_nan=False) + "\n")


def write_card_markdown(path: Path | str, card: ReportCard, *, harm: Sequence[HarmRow] = ()) -> Path:
    """Write what `as_markdown` returns."""
    return atomic_write(path, as_markdown(card, harm=harm))


def as_document(card: ReportCard, *, harm: Sequence[HarmRow] = ()) -> dict[str, Any]:
    """Return levels, sources, patches and harm as plain dictionaries, NaN as None."""
    sources = [{**asdict(one), "gain_db": one.gain_db, "strict_gain_db": one.strict_gain_db} for one in card.sources]
    return {
        "hits": card.hits,
        "split": card.split,
        "levels": [_clean(asdict(level)) for level in card.levels],
        "sources": [_clean(source) for source in sources],
        "patches": [_clean(_flatten(row)) for row in card.rows],
        "harm": [_clean(asdict(row)) for row in harm],
    }


def as_markdown(card: ReportCard, *, harm: Sequence[HarmRow] = ()) -> str:
    """Return the card as Markdown tables: per level, per source, do no harm."""
    parts = [f"Hits: {card.hits}; split: {card.split}; {len(card.examples)} sources.\n", _level_table(card)]
    for level in sorted({one.level_kev for one in card.sources}):
        parts.append(f"### p99 = {level:g} keV\n")
        parts.append(_source_table([one for one in card.sources if one.level_kev == level]))
    if harm:
        parts.append(f"### Images without hits\n\n{harm_as_markdown(harm)}")
    return "\n".join(parts)


def harm_as_markdown(harm: Sequence[HarmRow]) -> str:
    """Return what each method takes from images without hits as a table."""
    cells = [[row.method, row.source, row.file, f"{100 * row.harm:.2f} %"] for row in harm]
    return table_as_markdown(["method", "source", "file", "sum abs(s - x) / sum x"], cells)


def _level_table(card: ReportCard) -> str:
    head = [
        "method",
        "p99 (keV)",
        "PSNR (dB)",
        "gain over tuned classical",
        "worst source",
        "gain over best in hindsight",
        "worst source",
        "gain over raw, worst source",
        "abs flux bias, median source",
        "worst source",
    ]
    cells = [
        [
            one.method,
            f"{one.level_kev:g}",
            _number(one.psnr_db, 1),
            _number(one.gain_db, 2, "+"),
            f"{_number(one.worst_gain_db, 2, '+')} ({one.worst_source})",
            _number(one.strict_gain_db, 2, "+"),
            f"{_number(one.worst_strict_gain_db, 2, '+')} ({one.worst_strict_source})",
            _number(one.worst_gain_over_raw_db, 2, "+"),
            _percent(one.flux_bias),
            _percent(one.worst_flux_bias),
        ]
        for one in card.levels
    ]
    return table_as_markdown(head, cells)


def _source_table(summaries: Sequence[SourceSummary]) -> str:
    head = [
        "source",
        "method",
        "PSNR (dB)",
        "gain over tuned",
        "gain over hindsight",
        "SSIM",
        "MAE",
        "flux bias (signed)",
        "abs flux bias",
        "8x8 error",
        "I(q) error",
        "usable radius (px)",
        "hit recall",
        "false removal",
        "ledger residual",
        "s per patch",
    ]
    cells = []
    for one in summaries:
        bar = " (tuned)" if one.classical and one.tuned_method.split("(")[0] == one.method else ""
        bar += " (hindsight)" if one.classical and one.strict_method.split("(")[0] == one.method else ""
        cells.append(
            [
                one.source,
                one.method + bar,
                _number(one.psnr_db, 1),
                _number(one.gain_db, 2, "+"),
                _number(one.strict_gain_db, 2, "+"),
                _number(one.ssim, 3),
                _number(one.mae, 4),
                _percent(one.signed_flux_bias, "+"),
                _percent(one.flux_bias),
                _percent(one.block_error),
                _percent(one.radial_error),
                _number(one.usable_radius_px, 0),
                _percent(one.hit_recall),
                _percent(one.false_removal),
                _percent(one.residual, "+"),
                _number(one.seconds, 3),
            ]
        )
    return table_as_markdown(head, cells)


def table_as_markdown(head: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join(lines) + "\n"


def _number(value: float, digits: int, sign: str = "") -> str:
    return f"{value:{sign}.{digits}f}" if math.isfinite(value) else "-"


def _percent(value: float, sign: str = "") -> str:
    return f"{100 * value:{sign}.1f} %" if math.isfinite(value) else "-"


def _flatten(row: CardRow) -> dict[str, Any]:
    record = {name: value for name, value in asdict(row).items() if name != "score"}
    return {**record, **row.score.as_dict()}


def _clean(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in record.items()
    }
