"""What the page of a report card says of the figures it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_bgremove.evaluation.card_page import as_page
from napari_bgremove.evaluation.card_summary import HarmRow, LevelSummary, ReportCard

LEVEL = LevelSummary(
    method="ours", level_kev=10.0, psnr_db=40.0, gain_db=1.0, worst_gain_db=0.0, worst_source="a",
    strict_gain_db=0.0, worst_strict_gain_db=-1.0, worst_strict_source="a",
    gain_over_raw_db=9.0, worst_gain_over_raw_db=-2.0, flux_bias=0.03, worst_flux_bias=0.1,
)  # fmt: skip


def _card(*levels: LevelSummary) -> ReportCard:
    return ReportCard("sr90", "test", (), (), levels, ())


def _page(literal_db: float = 40.0, harm: tuple[HarmRow, ...] = ()) -> str:
    varied = _card(replace(LEVEL, method="literal", psnr_db=literal_db))
    return as_page([_card(LEVEL)], "ours", harm=harm, varied=varied, command="bgremove report", device="CPU")


def test_a_page_says_how_it_was_made() -> None:
    assert "Made by `bgremove report` on CPU." in _page()


@pytest.mark.parametrize(
    ("literal_db", "verdict"),
    [(40.05, "that is a tie"), (39.0, "speaks for *conserving*"), (41.0, "speaks for *literal*")],
)
def test_the_normalisation_is_judged_by_more_than_the_last_digit(literal_db: float, verdict: str) -> None:
    assert verdict in _page(literal_db)


def test_the_bar_of_weak_noise_is_in_the_table_of_the_levels() -> None:
    assert "| gain over raw, worst source |" in _page()
    assert "| -2.00 |" in _page()


def test_harm_is_summed_up_for_real_and_generated_images_apart() -> None:
    rows = [("cspad", "one", 0.002), ("nipa", "two", 0.004), ("gimap", "three", 0.03), ("generated", "seed 0", 0.2)]
    page = _page(harm=tuple(HarmRow("ours", source, file, harm, 1.0) for source, file, harm in rows))
    assert "| ours | real | 0.40 % | 3.00 % (three) | 1 of 3 |" in page
    assert "| ours | generated | 20.00 % | 20.00 % (seed 0) | 1 of 1 |" in page
