"""The report card: what is held against what, and that every writer tells the same numbers."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.evaluation.baselines import Tuning, tune_baselines
from napari_bgremove.evaluation.card_figures import draw_examples, draw_gains, write_figure
from napari_bgremove.evaluation.card_summary import ReportCard
from napari_bgremove.evaluation.card_writers import (
    as_document,
    as_markdown,
    write_card_csv,
    write_card_json,
    write_card_markdown,
)
from napari_bgremove.evaluation.real_set import CleanImage
from napari_bgremove.evaluation.report_card import HarmRow, measure_harm, run_card
from napari_bgremove.filters.classical import ClassicalFilter

LEVELS = (10.0, 30.0)


@pytest.fixture
def tuning(stand_in_set: Callable) -> Tuning:
    return tune_baselines("", levels=LEVELS, families=("raw", "opening"))


@pytest.fixture
def card(tuning: Tuning) -> ReportCard:
    methods = {"small": ClassicalFilter.make("median", window=3), "array": lambda measured: measured * 0.5}
    return run_card("", methods, levels=LEVELS, tuning=tuning)


def test_every_method_meets_every_patch(card: ReportCard) -> None:
    methods = {row.method for row in card.rows}
    assert methods == {"small", "array", "raw", "opening"}
    assert len(card.rows) == len(methods) * 3 * 2 * len(LEVELS)
    assert len(card.sources) == len(methods) * 3 * len(LEVELS)


def test_a_gain_is_the_mean_over_patches_of_the_difference(card: ReportCard, tuning: Tuning) -> None:
    for summary in card.sources:
        rows = [row for row in card.rows if (row.source, row.level_kev) == (summary.source, summary.level_kev)]
        family = tuning[summary.level_kev, summary.source].chosen.filter.family
        ours = [row.score.psnr_db for row in rows if row.method == summary.method]
        bar = [row.score.psnr_db for row in rows if row.method == family]
        assert summary.gain_db == pytest.approx(np.mean(np.subtract(ours, bar)))


def test_hindsight_is_never_below_the_tuned_bar_nor_below_raw(card: ReportCard) -> None:
    for summary in card.sources:
        assert summary.strict_psnr_db >= summary.tuned_psnr_db
        assert summary.strict_psnr_db >= summary.raw_psnr_db
        assert summary.strict_gain_db <= summary.gain_db


def test_a_source_flux_bias_is_the_median_of_absolute_patch_biases(card: ReportCard) -> None:
    summary = next(one for one in card.sources if one.method == "array")
    rows = [row for row in card.rows if row.method == "array"]
    picked = [row for row in rows if (row.source, row.level_kev) == (summary.source, summary.level_kev)]
    assert summary.flux_bias == pytest.approx(np.median([abs(row.score.flux_bias) for row in picked]))


def test_a_level_is_the_median_over_sources_and_names_the_worst(card: ReportCard) -> None:
    for level in card.levels:
        gains = {
            one.source: one.gain_db
            for one in card.sources
            if (one.method, one.level_kev) == (level.method, level.level_kev)
        }
        assert level.gain_db == pytest.approx(np.median(list(gains.values())))
        assert level.worst_source == min(gains, key=lambda source: gains[source])
        assert level.worst_gain_db == pytest.approx(min(gains.values()))


def test_a_separation_carries_its_ledger_and_an_array_has_none(card: ReportCard) -> None:
    residual = {row.method: row.residual for row in card.rows}
    assert residual["small"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(residual["array"])


def test_a_source_without_beam_centre_has_no_radial_numbers(card: ReportCard) -> None:
    known = {one.source: np.isfinite(one.radial_error) for one in card.sources}
    assert known == {"smooth": True, "spotty": True, "gapped": False}


def test_classical_rows_of_an_earlier_card_give_the_same_summary(card: ReportCard, tuning: Tuning) -> None:
    again = run_card(
        "", {"small": ClassicalFilter.make("median", window=3)}, levels=LEVELS, tuning=tuning, classical_rows=card.rows
    )
    first = {(one.level_kev, one.source): one.gain_db for one in card.sources if one.method == "small"}
    second = {(one.level_kev, one.source): one.gain_db for one in again.sources if one.method == "small"}
    assert first == second


def test_progress_is_told_per_patch(tuning: Tuning) -> None:
    said: list[str] = []
    run_card("", {}, levels=(10.0,), tuning=tuning, report=said.append)
    assert said[0] == "smooth 0,0 at 10 keV"
    assert len(said) == 6


def test_a_method_must_not_hide_a_filter(tuning: Tuning) -> None:
    with pytest.raises(ValueError, match="'methods' must not use the name of a filter family; found raw"):
        run_card("", {"raw": lambda measured: measured}, levels=LEVELS, tuning=tuning)


def test_a_level_without_tuning_is_named(tuning: Tuning) -> None:
    with pytest.raises(ValueError, match=r"'levels' must be tuned levels \(10, 30 keV\); found 7"):
        run_card("", {}, levels=(7.0,), tuning=tuning)


def test_harm_is_the_share_of_intensity_moved() -> None:
    values = np.full((8, 8), 4.0, np.float32)
    values[0] = np.nan
    image = CleanImage("made", "made.npy", values, np.isfinite(values))
    rows = measure_harm([image], {"nothing": lambda x: x, "tenth": lambda x: x * np.float32(0.9)})
    assert [row.harm for row in rows] == pytest.approx([0, 0.1], abs=1e-6)


def test_csv_has_a_line_per_row_and_the_same_numbers(card: ReportCard, tmp_path: Path) -> None:
    with open(write_card_csv(tmp_path / "card.csv", card), newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(card.rows)
    assert float(lines[0]["psnr_db"]) == card.rows[0].score.psnr_db


def test_json_is_strict_and_has_levels_sources_patches_and_harm(card: ReportCard, tmp_path: Path) -> None:
    harm = (HarmRow("small", "made", "made.npy", 0.01, 0.5),)
    text = write_card_json(tmp_path / "card.json", card, harm=harm).read_text()
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert document == as_document(card, harm=harm)
    assert len(document["patches"]) == len(card.rows)
    assert document["sources"][0]["gain_db"] == pytest.approx(card.sources[0].gain_db)
    assert document["harm"][0]["harm"] == 0.01


def test_markdown_shows_every_source_and_marks_the_bars(card: ReportCard, tmp_path: Path) -> None:
    harm = (HarmRow("small", "made", "made.npy", 0.0123, 0.5),)
    text = write_card_markdown(tmp_path / "card.md", card, harm=harm).read_text()
    assert text == as_markdown(card, harm=harm)
    assert "### p99 = 30 keV" in text
    assert "(tuned)" in text
    assert "(hindsight)" in text
    assert "1.23 %" in text
    assert "nan" not in text


@pytest.mark.parametrize("name", ["card.png", "card.svg"])
def test_figures_are_saved_without_a_window(card: ReportCard, tmp_path: Path, name: str) -> None:
    assert [example.patch.source for example in card.examples] == ["smooth", "spotty", "gapped"]
    for figure in (draw_examples(card, "small"), draw_gains(card, "small")):
        assert write_figure(tmp_path / name, figure, dpi=40).stat().st_size > 1000
