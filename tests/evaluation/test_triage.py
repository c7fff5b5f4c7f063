"""Figures of trust and the order of suspicion."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.evaluation.triage import measure_trust, rank_frames, write_triage_csv
from napari_bgremove.images.pairs import measure_hit_share
from napari_bgremove.separation import Separation


def _separation(**changes: np.ndarray) -> Separation:
    parts = {
        "signal": np.full((4, 5), 3.0), "background": np.zeros((4, 5)), "measured": np.full((4, 5), 4.0),
        "uncertainty": np.full((4, 5), 0.4),
    }  # fmt: skip
    parts["background"][0] = 1.0
    return Separation(**{**parts, **changes})


def test_figures_are_shares_of_what_was_measured() -> None:
    """Closed form: 80 measured, 60 signal, 5 background in a quarter of the pixels, 8 unsure."""
    figures = measure_trust(_separation())
    assert figures == pytest.approx(
        {"unsure_share": 0.1, "residual_share": 15 / 80, "background_share": 5 / 80, "hit_share": 0.25}
    )


def test_pixels_without_measurement_do_not_count() -> None:
    full = _separation()
    padded = Separation(
        *(np.pad(part, 3, constant_values=np.nan) for part in (full.signal, full.background, full.measured)),
        uncertainty=np.pad(full.uncertainty, 3, constant_values=np.nan),
    )
    assert measure_trust(padded) == pytest.approx(measure_trust(full))


def test_of_nothing_there_is_no_share() -> None:
    empty = np.full((4, 5), np.nan)
    assert measure_trust(Separation(empty, empty, empty)) == {}


@pytest.mark.parametrize("in_counts", [False, True])
def test_hits_of_a_result_are_those_that_a_patch_of_it_would_show(in_counts: bool) -> None:
    """One measure for training and result: a trace taken from every pixel is no hit."""
    rng = np.random.default_rng(0)
    hits = np.where(rng.random((128, 128)) < 0.05, 40.0, 0.0)
    noise = rng.poisson(0.5, hits.shape) if in_counts else rng.normal(0, 1.5, hits.shape)
    patch = (hits if in_counts else hits + noise).astype(np.float32)  # as recorded where no signal is
    taken = np.maximum(hits, 0.01)
    found = measure_trust(Separation(hits + noise - taken, taken, hits + noise))["hit_share"]
    assert found == pytest.approx(measure_hit_share(patch[None]), abs=1e-3)
    assert found == pytest.approx(np.mean(hits > 0), abs=1e-3)


def _figures(unsure: float, hits: float) -> dict[str, float]:
    return {"unsure_share": unsure, "residual_share": 0.0, "background_share": 0.1, "hit_share": hits}


def test_the_most_suspicious_frame_comes_first() -> None:
    """What lies outside the training range or could not be separated precedes what is only unsure."""
    frames = [
        ("a", 0, _figures(0.02, 0.1)), ("a", 1, _figures(0.3, 0.1)), ("a", 2, _figures(0.01, 0.5)),
        ("a", 3, {"skipped": "no usable pixel"}),
    ]  # fmt: skip
    ranked = rank_frames(frames, trained_hit_share=0.4)
    assert [f.frame for f in ranked] == [2, 3, 1, 0]
    assert ranked[0].reasons == ("50.0% of the pixels hit, trained on up to 40.0%",)
    assert ranked[1].reasons == ("no usable pixel",)


def test_without_a_recorded_range_no_frame_is_outside_of_it() -> None:
    assert rank_frames([("a", 0, _figures(0.1, 1.0))])[0].reasons == ()


def test_the_table_keeps_the_verdicts(tmp_path: Path) -> None:
    ranked = rank_frames([("a", 0, _figures(0.1, 0.2)), ("b", 0, {"skipped": "no usable pixel"})])
    path = write_triage_csv(tmp_path / "t.csv", ranked, {("a", 0): "rejected"})
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["name"], r["verdict"], r["hit_share"]) for r in rows] == [("b", "", ""), ("a", "rejected", "0.2")]
    assert rows[0]["reasons"] == "no usable pixel"
