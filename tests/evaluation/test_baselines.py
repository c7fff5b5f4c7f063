"""Tuning: the left-out source is never looked at, and a choice survives its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from napari_bgremove.evaluation.baselines import (
    choose_without,
    read_tuning,
    score_filters,
    tune_baselines,
    write_tuning,
)
from napari_bgremove.evaluation.real_files import SOURCES
from napari_bgremove.evaluation.real_set import LEVELS_KEV
from napari_bgremove.filters.classical import FAMILIES, ClassicalFilter

RAW = ClassicalFilter.make("raw")
NARROW = ClassicalFilter.make("median", window=3)
WIDE = ClassicalFilter.make("median", window=9)
SCORES = {
    RAW: {"a": 20.0, "b": 20.0, "c": 90.0},
    NARROW: {"a": 30.0, "b": 31.0, "c": 10.0},
    WIDE: {"a": 25.0, "b": 40.0, "c": 50.0},
}


def test_parameters_and_family_maximise_the_median_over_the_other_sources() -> None:
    choice = choose_without("c", SCORES)
    assert choice.families["median"].filter == WIDE  # (25 + 40) / 2 beats (30 + 31) / 2
    assert choice.families["median"].validation_psnr_db == pytest.approx(32.5)
    assert choice.chosen.filter == WIDE
    assert choose_without("b", SCORES).chosen.filter == RAW  # (20 + 90) / 2


@pytest.mark.parametrize("left_out", ["a", "b", "c"])
def test_the_left_out_source_has_no_influence(left_out: str) -> None:
    bribed = {one: {**scores, left_out: 1000.0 if one == NARROW else 0.0} for one, scores in SCORES.items()}
    assert choose_without(left_out, bribed) == choose_without(left_out, SCORES)


def test_one_source_alone_cannot_be_tuned() -> None:
    with pytest.raises(ValueError, match="'a' must not be the only source; tuning needs at least one other"):
        choose_without("a", {RAW: {"a": 1.0}})


def test_scores_are_means_per_source(stand_in_set: Callable) -> None:
    scores = score_filters(stand_in_set(None), [RAW, WIDE])
    assert set(scores[RAW]) == {"smooth", "spotty", "gapped"}
    assert scores[WIDE]["smooth"] > scores[RAW]["smooth"]


def test_tuning_looks_at_validation_hits_only(stand_in_set: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def remember(folder: object, **request: object) -> object:
        asked.append(request["split"])
        return stand_in_set(folder, **request)

    monkeypatch.setattr("napari_bgremove.evaluation.baselines.iter_real_patches", remember)
    tune_baselines("", levels=(10.0, 30.0), families=("raw", "opening"))
    assert asked == ["validation", "validation"]


def test_tuning_covers_levels_and_sources_and_survives_its_file(stand_in_set: Callable, tmp_path: Path) -> None:
    said: list[str] = []
    tuning = tune_baselines("", levels=(10.0, 30.0), families=("raw", "opening"), report=said.append)
    assert set(tuning) == {(level, source) for level in (10.0, 30.0) for source in ("smooth", "spotty", "gapped")}
    assert said == ["sr90, 10 keV: 7 parameter sets tuned", "sr90, 30 keV: 7 parameter sets tuned"]
    back = read_tuning("sr90", path=write_tuning(tmp_path / "tuning.json", {"sr90": tuning}))
    assert {key: choice.chosen.filter for key, choice in back.items()} == {
        key: choice.chosen.filter for key, choice in tuning.items()
    }


def test_a_kind_of_hits_that_was_not_tuned_is_named(tmp_path: Path) -> None:
    path = write_tuning(tmp_path / "tuning.json", {"sr90": {}})
    with pytest.raises(ValueError, match=r"'hits' must be one of sr90 in tuning\.json; found 'muons'"):
        read_tuning("muons", path=path)


def test_the_committed_choice_covers_the_card() -> None:
    tuning = read_tuning("sr90")
    assert set(tuning) == {(level, source) for level in LEVELS_KEV for source in SOURCES}
    assert all(set(choice.families) == set(FAMILIES) for choice in tuning.values())


def test_the_committed_choice_is_what_tuning_finds(shared_data: Path) -> None:
    """Shortened to the quickest family; the whole table is rebuilt by the report command."""
    committed = read_tuning("sr90")
    for key, choice in tune_baselines(shared_data, levels=(10.0,), families=("opening",)).items():
        assert choice.families["opening"].filter == committed[key].families["opening"].filter
