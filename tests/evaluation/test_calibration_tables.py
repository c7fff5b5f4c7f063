"""The table and the figures of a calibration show its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.evaluation.calibration_figures import draw_predictions, draw_rmse_bars
from napari_bgremove.evaluation.calibration_result import Calibration, Setting, compare_rmse
from napari_bgremove.evaluation.calibration_tables import calibrations_as_markdown, tabulate_calibrations
from napari_bgremove.evaluation.card_figures import write_figure
from napari_bgremove.io.columns import write_columns

SETTINGS = (Setting("none", 1e-3), Setting("l2", 1e-2))


def make_calibration(size: float, seed: int) -> Calibration:
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 60, (12, 2))
    values[:] = np.random.default_rng(0).uniform(0, 60, (12, 2))
    values[:2, 1] = np.nan
    errors = size * rng.normal(size=values.shape)
    chosen = np.zeros((6, 2), int)
    chosen[:4] = 1
    chosen[0, 1] = -1
    return Calibration(
        names=("SiO2", "TiO2"),
        unit="wt%",
        targets=np.repeat([f"s{number}" for number in range(6)], 2),
        values=values,
        predictions=values - errors,
        best_predictions=values - 0.5 * errors,
        settings=SETTINGS,
        chosen=chosen,
        best=np.array([0, 1]),
        score="standards",
    )


@pytest.fixture
def calibrations() -> dict[str, Calibration]:
    return {"raw": make_calibration(4, 1), "arPLS": make_calibration(1, 2), "y - z_n": make_calibration(2, 3)}


def test_the_table_has_a_line_for_each_output_and_representation(calibrations) -> None:
    columns = tabulate_calibrations(calibrations, reference="raw", draws=500)
    assert columns["output"] == ["SiO2"] * 3 + ["TiO2"] * 3
    assert columns["representation"] == [*calibrations] * 2
    assert columns["standards"] == [6] * 3 + [5] * 3
    for line, (output, name) in enumerate((output, name) for output in range(2) for name in calibrations):
        one = calibrations[name]
        ratio = compare_rmse(one, calibrations["raw"], draws=500)
        assert columns["rmse_nested"][line] == one.rmse[output]
        assert columns["rmse_best"][line] == one.best_rmse[output]
        assert (columns["ratio_low"][line], columns["ratio_high"][line]) == (ratio.low[output], ratio.high[output])
    assert columns["best_setting"][0] == "none, alpha 1.0e-03"
    assert columns["usual_setting"] == ["l2, alpha 1.0e-02"] * 6


def test_the_columns_go_to_a_file_as_they_are(calibrations, tmp_path: Path) -> None:
    columns = tabulate_calibrations(calibrations, reference="raw", draws=100)
    path = write_columns(tmp_path / "table.csv", columns, provenance={"score": "standards"})
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines[0].split(",") == list(columns)
    assert len(lines) == 7


def test_the_markdown_shows_the_same_and_marks_the_lowest(calibrations) -> None:
    lines = calibrations_as_markdown(calibrations, reference="raw", draws=100).splitlines()
    assert len(lines) == 8
    assert "nested, times raw (95 %)" in lines[0]
    lowest = [line for line in lines if "**" in line]
    assert [line.split(" | ")[1] for line in lowest] == ["arPLS", "arPLS"]
    assert f"**{calibrations['arPLS'].rmse[0]:#.3g}**" in lowest[0]
    assert "1.000 (1.000 to 1.000)" in lines[2]


def test_a_reference_that_is_not_there_is_named(calibrations) -> None:
    with pytest.raises(ValueError, match="'reference' must be one of raw, arPLS, y - z_n; found 'airPLS'"):
        tabulate_calibrations(calibrations, reference="airPLS")


def test_predictions_are_drawn_over_their_references(calibrations, tmp_path: Path) -> None:
    figure = draw_predictions(calibrations)
    assert len(figure.axes) == 6
    assert [plot.get_title() for plot in figure.axes[:3]] == list(calibrations)
    last = figure.axes[-1]
    points = last.lines[0].get_xydata()
    np.testing.assert_array_equal(points.T, calibrations["y - z_n"].points(1))
    assert len(points) == 5
    for line in (figure.axes[:3], figure.axes[3:]):
        assert len({(*plot.get_xlim(), *plot.get_ylim()) for plot in line}) == 1
        assert line[0].get_xlim() == line[0].get_ylim()
        assert all(line[0].get_xlim()[0] < plot.lines[0].get_xydata().min() for plot in line)
    assert last.texts[0].get_text() == f"RMSE {calibrations['y - z_n'].rmse[1]:#.3g}"
    assert write_figure(tmp_path / "points.png", figure).stat().st_size > 1000


def test_bars_are_the_nested_errors_and_lines_the_best_of_grid(calibrations, tmp_path: Path) -> None:
    figure = draw_rmse_bars(calibrations)
    assert [plot.get_title() for plot in figure.axes] == ["SiO2", "TiO2"]
    for output, plot in enumerate(figure.axes):
        heights = [bar.get_height() for bar in plot.patches]
        assert heights == [one.rmse[output] for one in calibrations.values()]
        levels = [segment[0][1] for segment in plot.collections[0].get_segments()]
        assert levels == [one.best_rmse[output] for one in calibrations.values()]
    assert write_figure(tmp_path / "bars.png", figure).stat().st_size > 1000
