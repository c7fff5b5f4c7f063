"""The table of backgrounds: what its cells say, and what keys and mouse do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari._qt.qt_resources import get_stylesheet
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor, QGuiApplication
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_bgremove.io.columns import write_columns
from napari_bgremove.widgets.parts.background_table import BackgroundRow, BackgroundTable
from napari_bgremove.widgets.parts.curve_pens import background_pen, pen_mark

ROWS = (
    BackgroundRow(
        name="line 1", method="Shirley", colour="#ff0000",
        area=1234.56789, sigma_area=12.3456789, kappa=0.00812345678, level_low=20.0, level_high=10.0,
    ),
    BackgroundRow(name="line 1", method="Linear", colour="#ff0000", area=-98765432.1),
    BackgroundRow(
        name="line 2", method="Shirley", colour="#0000ff",
        level_low=5.0, level_high=5.5, status="no_solution", explain=lambda: "No Shirley background exists: a step.",
    ),
)  # fmt: skip
CELLS = (
    ["line 1", "Shirley", "1234.6", "12.346", "0.0081235", "20", "10", "ok"],
    ["line 1", "Linear", "-9.8765e+07", "", "", "", "", "ok"],
    ["line 2", "Shirley", "", "", "", "5", "5.5", "no solution"],
)
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def table(qtbot: Any) -> Iterator[BackgroundTable]:
    table = BackgroundTable()
    qtbot.addWidget(table)
    table.resize(700, 200)
    table.set_rows(ROWS)
    table.show()
    qtbot.waitExposed(table)
    return table


@pytest.fixture
def press(qtbot: Any, table: BackgroundTable) -> Callable[..., None]:
    """Click on a row, as a mouse does."""

    def click(row: int, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        place = table.visualRect(table.model().index(row, 2)).center()
        qtbot.mouseClick(table.viewport(), LEFT, modifier, pos=place)

    return click


def cells(table: BackgroundTable) -> list[list[str]]:
    model = table.model()
    return [[model.index(row, c).data() for c in range(model.columnCount())] for row in range(model.rowCount())]


def data(table: BackgroundTable, row: int, column: int, role: Qt.ItemDataRole) -> Any:
    return table.model().index(row, column).data(role)


def test_numbers_have_five_digits_and_what_is_not_known_is_empty(table: BackgroundTable) -> None:
    assert cells(table) == [*CELLS]


def test_every_column_has_a_head_and_says_what_it_is(table: BackgroundTable) -> None:
    heads = [
        [table.model().headerData(column, Qt.Orientation.Horizontal, role) for role in (
            Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole,
        )] for column in range(table.model().columnCount())
    ]  # fmt: skip
    assert [head for head, _ in heads] == [
        "Line", "Method", "Area", "± sigma", "kappa", "Low end", "High end", "Status",
    ]  # fmt: skip
    assert all(tip.endswith(".") for _, tip in heads)


def test_a_row_that_is_not_ok_says_why_and_stands_out(table: BackgroundTable) -> None:
    tips = [data(table, row, 2, Qt.ItemDataRole.ToolTipRole) for row in range(3)]
    assert tips == ["", "", "No Shirley background exists: a step."]
    colours = [data(table, row, 7, Qt.ItemDataRole.ForegroundRole) for row in range(3)]
    assert colours[:2] == [None, None]
    assert isinstance(colours[2], QColor)


def test_why_is_found_out_when_somebody_asks_and_not_before(table: BackgroundTable) -> None:
    asked: list[str] = []

    def explain() -> str:
        asked.append("why")
        return "Solved."

    for area in (1.0, 2.0):  # first shown, then updated in place
        table.set_rows([replace(ROWS[0], area=area, explain=explain)])
        QApplication.processEvents()
    assert not asked
    assert data(table, 0, 2, Qt.ItemDataRole.ToolTipRole) == "Solved."
    assert asked


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_warning_can_be_read_in_every_theme(qtbot: Any, theme: str) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    table = BackgroundTable()
    table.set_rows(ROWS)
    QVBoxLayout(window).addWidget(table)
    window.setStyleSheet(get_stylesheet(theme))
    window.resize(800, 250)
    window.show()
    qtbot.waitExposed(window)
    QApplication.processEvents()
    warning = data(table, 2, 7, Qt.ItemDataRole.ForegroundRole)
    ground = table.grab().toImage().pixelColor(table.width() // 2, table.height() - 5)
    assert contrast(warning, ground) > 4.5  # what WCAG 2 asks of a text
    (shown, plain) = (text_colours(table, row) for row in (2, 0))
    assert any(near(colour, warning) for colour in shown)
    assert not any(near(colour, warning) for colour in plain)


def test_a_row_has_the_mark_of_its_curve(table: BackgroundTable) -> None:
    marks = [data(table, row, 0, Qt.ItemDataRole.DecorationRole).toImage() for row in range(3)]
    pens = [background_pen("#ff0000", 0), background_pen("#ff0000", 1), background_pen("#0000ff", 0)]
    assert marks == [pen_mark(pen).toImage() for pen in pens]
    assert marks[0] != marks[1] != marks[2] != marks[0]


def test_the_same_rows_with_other_values_are_updated_in_place(table: BackgroundTable, press: Any) -> None:
    press(1)
    changed, resets, chosen = [], [], []
    table.model().dataChanged.connect(lambda first, last: changed.append((first.row(), last.row())))
    table.model().modelReset.connect(lambda: resets.append(1))
    table.selected.connect(chosen.append)
    table.set_rows((ROWS[0], replace(ROWS[1], area=5.0, colour="#00ff00"), ROWS[2]))
    assert cells(table)[1][2] == "5"
    assert (1, 1) in changed
    assert not resets
    assert not chosen
    assert table.current == ("line 1", "Linear")
    green = pen_mark(background_pen("#00ff00", 1)).toImage()
    assert data(table, 1, 0, Qt.ItemDataRole.DecorationRole).toImage() == green


def test_other_rows_keep_the_row_at_hand_and_the_selected_ones_and_say_nothing(
    table: BackgroundTable, press: Any
) -> None:
    press(0)
    press(2, Qt.KeyboardModifier.ControlModifier)
    chosen: list[Any] = []
    table.selected.connect(chosen.append)
    table.set_rows((replace(ROWS[2], name="line 0"), ROWS[2], ROWS[0]))
    assert table.current == ("line 2", "Shirley")
    assert selected_rows(table) == [1, 2]
    table.selectionModel().clearSelection()
    table.set_rows((ROWS[2], ROWS[0]))
    assert (table.current, selected_rows(table)) == (("line 2", "Shirley"), [])
    table.set_rows((ROWS[1],))
    assert table.current is None
    assert selected_rows(table) == []
    table.set_rows(())
    assert cells(table) == []
    assert not chosen


def test_mouse_and_keys_say_which_row_a_person_goes_to(qtbot: Any, table: BackgroundTable, press: Any) -> None:
    chosen: list[Any] = []
    table.selected.connect(chosen.append)
    press(1)
    qtbot.keyClick(table, Qt.Key.Key_Down)
    qtbot.keyClick(table, Qt.Key.Key_Down)  # there is no more
    assert chosen == [("line 1", "Linear"), ("line 2", "Shirley")]


def test_the_selected_rows_are_copied_from_top_to_bottom(qtbot: Any, table: BackgroundTable, press: Any) -> None:
    press(2)
    press(0, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "\n".join("\t".join(CELLS[row]) for row in (0, 2))


def test_copying_nothing_leaves_the_clipboard_alone(qtbot: Any, table: BackgroundTable) -> None:
    QGuiApplication.clipboard().setText("before")
    table.clearSelection()
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "before"


def test_the_columns_are_whole_and_can_be_written(table: BackgroundTable, tmp_path: Path) -> None:
    columns = table.as_columns()
    assert list(columns) == ["line", "method", "area", "sigma_area", "kappa", "level_low", "level_high", "status"]
    np.testing.assert_array_equal(columns["area"], [1234.56789, -98765432.1, math.nan])
    assert columns["status"].tolist() == ["ok", "ok", "no_solution"]
    text = write_columns(tmp_path / "table.csv", columns, provenance={}).read_text(encoding="utf-8")
    assert text.endswith("line 2,Shirley,nan,nan,nan,5.0,5.5,no_solution\n")
    table.set_rows(())
    assert {len(values) for values in table.as_columns().values()} == {0}


def test_two_rows_of_one_line_and_method_are_refused(table: BackgroundTable) -> None:
    with pytest.raises(ValueError, match=r"'rows' must each have a line and a method .* found 2 of line 1, Shirley"):
        table.set_rows((ROWS[0], ROWS[0]))
    assert table.rows == ROWS


def selected_rows(table: BackgroundTable) -> list[int]:
    return sorted(index.row() for index in table.selectionModel().selectedRows())


def text_colours(table: BackgroundTable, row: int) -> list[QColor]:
    picture = table.viewport().grab().toImage()
    cell = table.visualRect(table.model().index(row, 7))
    places = [
        QPoint(x, y)
        for x in range(cell.left(), min(cell.left() + 80, picture.width()))
        for y in range(cell.top(), cell.bottom())
    ]
    return [picture.pixelColor(place) for place in places]


def near(colour: QColor, other: QColor) -> bool:
    return max(abs(a - b) for a, b in zip(colour.getRgb()[:3], other.getRgb()[:3], strict=True)) < 25


def contrast(one: QColor, other: QColor) -> float:
    """Ratio of the relative luminances, as WCAG 2 defines it."""
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(colour: QColor) -> float:
    shares = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.getRgbF()[:3]]
    return float(np.dot(shares, (0.2126, 0.7152, 0.0722)))
