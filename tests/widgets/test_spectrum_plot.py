"""The plot of spectra: what it draws and what not, and what a hand does to it with a mouse."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari._qt.qt_resources import get_stylesheet
from pyqtgraph.functions import ndarray_from_qimage
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QColor, QImage, QMouseEvent
from qtpy.QtWidgets import QApplication, QCheckBox, QVBoxLayout, QWidget

from napari_bgremove.widgets.parts.plot_inspector import describe_position
from napari_bgremove.widgets.parts.spectrum_plot import ShownSpectrum, SpectrumPlot
from napari_bgremove.widgets.parts.spectrum_toggles import SpectrumToggles

RED, BLUE = "#ff0000", "#0000ff"
ANCHORS = ((-9.0, -7.0), (7.0, 9.0))
LEFT = Qt.MouseButton.LeftButton


def make_spectrum(name: str = "line 1", *, colour: str = RED, scale: float = 1.0, **changed: Any) -> ShownSpectrum:
    """A peak above a step, on 401 samples from -10 to 10."""
    axis = np.linspace(-10, 10, 401)
    step = 20 - 10 / (1 + np.exp(-3 * axis))
    curves = {
        "measured": scale * (100 * np.exp(-(axis**2)) + step),
        "sigma": np.full_like(axis, 5.0),
        "backgrounds": {"Shirley": scale * step, "Linear": scale * (15 - axis / 2)},
        "net": scale * 100 * np.exp(-(axis**2)),
    }
    return ShownSpectrum(name, colour, axis, **(curves | changed))


def place_of(plot: SpectrumPlot, x: float) -> QPoint:
    """Where a position on the axis is on the screen, in the upper third of the plot."""
    box = plot._plot.getViewBox()
    (_, _), (bottom, top) = box.viewRange()
    return plot._plot.mapFromScene(box.mapViewToScene(QPointF(x, (bottom + 2 * top) / 3)))


class Hand:
    """A mouse over a plot, which goes to positions on its axis."""

    def __init__(self, qtbot: Any, plot: SpectrumPlot) -> None:
        self._qtbot, self._plot, self._viewport = qtbot, plot, plot._plot.viewport()

    def move(self, x: float, buttons: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
        self._qtbot.wait(15)  # pyqtgraph leaves out what comes faster than 100 times a second
        # QTest sends a movement without a button by way of the X server, which takes its time.
        place = QPointF(place_of(self._plot, x))
        where = place, QPointF(self._viewport.mapToGlobal(place.toPoint()))
        nothing = Qt.MouseButton.NoButton, buttons, Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(self._viewport, QMouseEvent(QEvent.Type.MouseMove, *where, *nothing))

    def press(self, x: float) -> None:
        self.move(x)
        self._qtbot.mousePress(self._viewport, LEFT, pos=place_of(self._plot, x))

    def release(self, x: float) -> None:
        self._qtbot.wait(15)
        self._qtbot.mouseRelease(self._viewport, LEFT, pos=place_of(self._plot, x))

    def drag(self, *stops: float) -> None:
        self.press(stops[0])
        for stop in stops[1:]:
            self.move(stop, LEFT)
        self.release(stops[-1])


def settle(qtbot: Any, plot: SpectrumPlot) -> None:
    """Wait until the labels of the axes have found their room, which moves the range of the plot a little."""
    shown: list[Any] = []

    def is_still() -> bool:
        plot._plot.viewport().repaint()
        shown.append(plot._plot.getViewBox().viewRange())
        return shown[-3:].count(shown[-1]) == 3

    qtbot.waitUntil(is_still)


@pytest.fixture
def plot(qtbot: Any) -> Iterator[SpectrumPlot]:
    """A plot of one spectrum, shown, in black and white."""
    plot = SpectrumPlot()
    qtbot.addWidget(plot)
    plot.resize(700, 400)
    plot.show_spectra([make_spectrum()], x_label="energy (eV)", y_label="counts")
    plot.show()
    qtbot.waitExposed(plot)
    settle(qtbot, plot)
    return plot


@pytest.fixture
def hand(qtbot: Any, plot: SpectrumPlot) -> Hand:
    return Hand(qtbot, plot)


class Heard:
    """What a plot has told of its anchors."""

    def __init__(self, plot: SpectrumPlot) -> None:
        self.dragged: list[Any] = []
        self.released: list[Any] = []
        plot.anchors_dragged.connect(self.dragged.append)
        plot.anchors_released.connect(self.released.append)


def count_pixels(plot: SpectrumPlot, colour: str, low: float, high: float) -> int:
    """Pixels nearly of a colour between two positions on the axis."""
    picture = plot._plot.grab().toImage()
    wanted = QColor(colour)
    columns = sorted((place_of(plot, low).x(), place_of(plot, high).x()))
    return sum(
        abs(found.red() - wanted.red()) + abs(found.green() - wanted.green()) + abs(found.blue() - wanted.blue()) < 60
        for x in range(*columns)
        for y in range(picture.height())
        for found in [picture.pixelColor(x, y)]
    )


def grey_values(picture: QImage) -> np.ndarray:
    return ndarray_from_qimage(picture.convertToFormat(QImage.Format.Format_Grayscale8))


# What is drawn


def test_every_curve_is_there_by_its_name_and_unchanged(plot: SpectrumPlot) -> None:
    spectrum = make_spectrum()
    assert list(plot.curves) == ["line 1", "line 1, Shirley", "line 1, Linear", "line 1, net"]
    for name, values in zip(
        plot.curves, (spectrum.measured, *spectrum.backgrounds.values(), spectrum.net), strict=True
    ):
        np.testing.assert_array_equal(plot.curves[name], (spectrum.axis, values))


def test_a_descending_axis_stays_as_it_is(plot: SpectrumPlot) -> None:
    axis = np.linspace(10, -10, 401)
    plot.show_spectra([make_spectrum(axis_reversed := "line 2")], x_label="", y_label="")
    falling = ShownSpectrum(axis_reversed, RED, axis, axis**2)
    plot.show_spectra([falling], x_label="", y_label="")
    np.testing.assert_array_equal(plot.curves[axis_reversed], (axis, axis**2))


def test_curves_are_updated_not_made_anew_and_those_of_other_names_go(plot: SpectrumPlot) -> None:
    before, bands = dict(plot._curves), dict(plot._ribbons._bands)
    plot.show_spectra([make_spectrum(scale=2.0), make_spectrum("line 2", colour=BLUE)], x_label="", y_label="")
    assert all(plot._curves[name] is item for name, item in before.items())
    assert plot._ribbons._bands["line 1"] is bands["line 1"]
    np.testing.assert_array_equal(plot.curves["line 1"][1], make_spectrum(scale=2.0).measured)
    plot.show_spectra([make_spectrum("line 2", colour=BLUE)], x_label="", y_label="")
    assert all(name.startswith("line 2") for name in plot.curves)
    assert list(plot._ribbons._bands) == ["line 2"]
    assert not {id(item) for item in before.values()} & {id(item) for item in plot._plot.getPlotItem().items}


def test_a_colour_that_changes_reaches_every_curve(plot: SpectrumPlot) -> None:
    plot.show_spectra([make_spectrum(colour=BLUE)], x_label="", y_label="")
    colours = {curve.opts["pen"].color().name() for curve in plot._curves.values()}
    assert colours == {BLUE}
    assert plot._ribbons._bands["line 1"].colour.name() == BLUE


def test_backgrounds_of_one_line_are_told_apart_by_their_stroke(plot: SpectrumPlot) -> None:
    backgrounds = {str(number): np.full(401, float(number)) for number in range(5)}
    plot.show_spectra([make_spectrum(backgrounds=backgrounds)], x_label="", y_label="")
    strokes = [plot._curves[f"line 1, {number}"].opts["pen"].style() for number in range(5)]
    assert len(set(strokes)) == 5


def test_where_there_is_no_background_nothing_is_drawn(plot: SpectrumPlot) -> None:
    partly = np.full(401, 50.0)
    partly[100:301] = np.nan  # from -5 to 5
    plot.show_spectra([make_spectrum(backgrounds={"Shirley": partly})], x_label="", y_label="")
    for switch in (plot.show_raw, plot.show_net):
        switch(False)
    QApplication.processEvents()
    assert count_pixels(plot, RED, -9, -6) > 0
    assert count_pixels(plot, RED, -4.8, 4.8) == 0


def test_a_background_that_does_not_exist_leaves_the_plot_as_it_was(plot: SpectrumPlot, qtbot: Any) -> None:
    nothing = np.full(401, np.nan)
    shown = []
    for changed in ({"backgrounds": {}, "net": None}, {"backgrounds": {"Shirley": nothing}, "net": nothing}):
        plot.show_spectra([make_spectrum(**changed)], x_label="energy (eV)", y_label="counts")
        settle(qtbot, plot)
        shown.append(plot._plot.getViewBox().viewRange())
    np.testing.assert_allclose(shown[1], shown[0], atol=0.2)  # numbers on an axis take room, too


def test_where_nothing_was_measured_the_plot_is_empty_and_its_range_is_that_of_the_others(
    plot: SpectrumPlot, qtbot: Any
) -> None:
    axis, ones = np.linspace(500, 600, 11), np.ones(11)
    there = ShownSpectrum("there", RED, axis, 1000 + axis, ones)
    nowhere = ShownSpectrum("nowhere", BLUE, axis, np.full(11, np.nan), ones)
    plot.show_spectra([there, nowhere], x_label="energy (eV)", y_label="counts")
    settle(qtbot, plot)
    (left, right), (bottom, top) = plot._plot.getViewBox().viewRange()
    assert 480 < left < right < 620
    assert 1480 < bottom < top < 1620
    plot.show_spectra([nowhere], x_label="energy (eV)", y_label="counts")
    settle(qtbot, plot)
    plot.show_spectra([], x_label="energy (eV)", y_label="counts")
    settle(qtbot, plot)
    assert plot.curves == {}


def test_the_ribbon_reaches_one_standard_error_either_way_and_has_gaps(plot: SpectrumPlot) -> None:
    spectrum = make_spectrum(measured=np.where(np.abs(np.linspace(-10, 10, 401)) < 1, np.nan, 50.0))
    plot.show_spectra([spectrum], x_label="", y_label="")
    polygons = plot._ribbons._bands["line 1"].polygons

    def count(x: float, y: float) -> int:
        return sum(polygon.containsPoint(QPointF(x, y), Qt.FillRule.OddEvenFill) for polygon in polygons)

    inside = [count(x, y) for x in np.arange(-9.975, -1.1, 0.05) for y in (45.1, 54.9)]
    outside = [count(x, y) for x, y in ((-5.0, 44.9), (5.0, 55.1), (0.0, 50.0), (0.0, 0.0))]
    assert set(inside) == {1}, "everywhere, and nowhere twice"
    assert set(outside) == {0}


def test_a_ribbon_needs_a_standard_error_and_a_linear_axis(plot: SpectrumPlot) -> None:
    plot.use_logarithm(True)
    assert plot._ribbons._bands == {}
    plot.use_logarithm(False)
    assert list(plot._ribbons._bands) == ["line 1"]
    plot.show_spectra([make_spectrum(sigma=None)], x_label="", y_label="")
    assert plot._ribbons._bands == {}


def test_an_inverted_axis_rises_to_the_left(plot: SpectrumPlot) -> None:
    assert place_of(plot, -5).x() < place_of(plot, 5).x()
    plot.invert_x(True)
    QApplication.processEvents()
    assert place_of(plot, -5).x() > place_of(plot, 5).x()
    plot.invert_x(False)
    QApplication.processEvents()
    assert place_of(plot, -5).x() < place_of(plot, 5).x()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"measured": np.zeros(3)}, r"'measured' must have the shape of 'axis' \(401\); found 3"),
        ({"sigma": np.zeros(3)}, r"'sigma' must have the shape of 'axis' \(401\); found 3"),
        ({"backgrounds": {"Shirley": np.zeros(3)}}, r"'Shirley' must have the shape of 'axis' \(401\); found 3"),
        ({"net": np.zeros((401, 2))}, r"'net' must have the shape of 'axis' \(401\); found 401 x 2"),
    ],
)
def test_a_curve_of_another_length_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_spectrum(**changed)


@pytest.mark.parametrize("names", [("line 1", "line 1"), ("line 1", "line 1, net")])
def test_two_curves_of_one_name_are_refused_and_the_old_ones_stay(plot: SpectrumPlot, names: tuple[str, str]) -> None:
    before = list(plot.curves)
    with pytest.raises(ValueError, match=r"'spectra' must have curves with names of their own; found 2 named 'line 1"):
        plot.show_spectra([make_spectrum(name) for name in names], x_label="", y_label="")
    assert list(plot.curves) == before


# Switches


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Raw", {"line 1", "ribbon"}),
        ("Background", {"line 1, Shirley", "line 1, Linear"}),
        ("Net", {"line 1, net"}),
        ("± sigma", {"ribbon"}),
    ],
)
def test_a_tick_box_takes_its_curves_away_and_brings_them_back(
    qtbot: Any, plot: SpectrumPlot, tick: Any, text: str, gone: set[str]
) -> None:
    def shown() -> set[str]:
        return {*plot.curves, *(["ribbon"] if plot._ribbons._bands else [])}

    toggles = SpectrumToggles(plot)
    qtbot.addWidget(toggles)
    toggles.show()
    (box,) = [box for box in toggles.findChildren(QCheckBox) if box.text() == text]
    everything = shown()
    tick(box)
    assert everything - shown() == gone
    plot.show_spectra([make_spectrum(scale=2.0)], x_label="", y_label="")  # a drag brings nothing back
    assert everything - shown() == gone
    tick(box)
    assert shown() == everything


def test_the_inspector_says_what_the_curves_are_at_the_nearest_sample(plot: SpectrumPlot, hand: Hand) -> None:
    hand.move(3.0)
    assert plot.inspected == ""
    plot.inspect(True)
    hand.move(0.0)
    first, second = plot.inspected.splitlines()
    name, position = first.rsplit(" ", 1)
    assert name == "energy (eV)"
    sample = round((float(position) + 10) / 0.05)
    spectrum = make_spectrum()
    assert abs(spectrum.axis[sample]) < 0.1  # within a pixel or so of where the mouse went
    assert second == (
        f"line 1: measured {spectrum.measured[sample]:.5g}, Shirley {spectrum.backgrounds['Shirley'][sample]:.5g}, "
        f"Linear {spectrum.backgrounds['Linear'][sample]:.5g}, net {spectrum.net[sample]:.5g}"
    )
    plot.show_spectra([make_spectrum(scale=2.0)], x_label="energy (eV)", y_label="counts")
    assert f"measured {2 * spectrum.measured[sample]:.5g}," in plot.inspected, "new values without a new movement"
    QApplication.sendEvent(plot, QEvent(QEvent.Type.Leave))
    assert plot.inspected == ""
    hand.move(1.0)
    assert plot.inspected != ""
    plot.inspect(False)
    assert plot.inspected == ""


def test_the_inspector_stays_within_the_plot_on_either_side_and_either_way_round(
    plot: SpectrumPlot, hand: Hand
) -> None:
    many = {f"method number {number}": np.full(401, 10.0) for number in range(8)}
    plot.show_spectra([make_spectrum(backgrounds=many)], x_label="energy (eV)", y_label="counts")
    plot.inspect(True)
    plot.resize(420, 300)
    for inverted in (False, True):
        plot.invert_x(inverted)
        for x in (-9.0, -1.0, 1.0, 9.0):
            hand.move(x)
            plot._plot.viewport().repaint()  # pyqtgraph places a text when it paints it
            text = plot._inspector._line.label.textItem.sceneBoundingRect()
            box = plot._plot.getViewBox().sceneBoundingRect()
            assert "method number 7" in plot.inspected
            assert box.left() - 1 <= text.left(), (inverted, x)
            assert text.right() <= box.right() + 1, (inverted, x)


def test_what_is_said_of_a_place_is_nearest_and_leaves_out_who_is_not_there() -> None:
    falling = ShownSpectrum("falling", RED, np.array([4.0, 2.0, 1.0]), np.array([40.0, np.nan, 10.0]))
    rising = ShownSpectrum("rising", BLUE, np.array([1.4, 3.0]), np.array([14.0, 30.0]))
    assert describe_position([falling, rising], 1.9, x_label="eV") == (
        2.0, "eV 2\nfalling: measured -\nrising: measured 14",
    )  # fmt: skip
    assert describe_position([falling, rising], 1.45, x_label="") == (
        1.0,
        "1\nfalling: measured 10\nrising: measured 14",
    )
    assert describe_position([falling, rising], 3.6, x_label="") == (4.0, "4\nfalling: measured 40")
    assert describe_position([falling], 4.1, x_label="eV") is None
    assert describe_position([], 0.0, x_label="eV") is None


# Anchors


def test_setting_anchors_is_silent_and_sorts_them(plot: SpectrumPlot) -> None:
    heard = Heard(plot)
    assert plot.anchors is None
    plot.set_anchors(((9, 7), (-7, -9)))
    assert plot.anchors == ANCHORS
    plot.set_anchors(None)
    assert plot.anchors is None
    assert not heard.dragged
    assert not heard.released


def test_anchors_beyond_the_axis_or_each_other_are_shown_as_given(plot: SpectrumPlot) -> None:
    given = ((-30.0, 5.0), (-2.0, 40.0))
    plot.set_anchors(given)
    assert plot.anchors == given
    plot.show_spectra([make_spectrum(scale=2.0)], x_label="", y_label="")
    assert plot.anchors == given


def test_anchors_do_not_change_what_the_plot_shows(plot: SpectrumPlot) -> None:
    before = plot._plot.getViewBox().viewRange()
    plot.set_anchors(((-500, -400), (400, 500)))
    QApplication.processEvents()
    assert plot._plot.getViewBox().viewRange() == before


@pytest.mark.parametrize("anchors", [((0, 1),), ((0, 1), (2, math.nan)), (0, 1)])
def test_what_is_no_pair_of_windows_is_refused(plot: SpectrumPlot, anchors: Any) -> None:
    with pytest.raises(ValueError, match=r"'anchors' must be two windows \(low, high\) of finite positions; found"):
        plot.set_anchors(anchors)


def test_an_edge_follows_the_mouse_and_the_plot_stays(plot: SpectrumPlot, hand: Hand) -> None:
    plot.set_anchors(ANCHORS)
    heard, before = Heard(plot), plot._plot.getViewBox().viewRange()
    hand.drag(-7, -6, -5, -4)
    (low, high), upper = plot.anchors
    assert (low, upper) == (-9, (7, 9))
    assert high == pytest.approx(-4, abs=0.1)
    assert heard.released == [plot.anchors]
    assert heard.dragged
    assert plot._plot.getViewBox().viewRange() == before


def test_beside_the_anchors_the_same_movement_moves_the_plot(plot: SpectrumPlot, hand: Hand) -> None:
    plot.set_anchors(ANCHORS)
    heard, before = Heard(plot), plot._plot.getViewBox().viewRange()
    hand.drag(-2, -1, 0, 1)
    assert plot._plot.getViewBox().viewRange() != before
    assert plot.anchors == ANCHORS
    assert not heard.dragged
    assert not heard.released


@pytest.mark.parametrize("inverted", [False, True])
def test_a_window_is_carried_with_its_width(plot: SpectrumPlot, hand: Hand, inverted: bool) -> None:
    plot.invert_x(inverted)
    plot.set_anchors(ANCHORS)
    heard, before = Heard(plot), plot._plot.getViewBox().viewRange()
    hand.drag(8, 7, 6, 5)
    lower, (low, high) = plot.anchors
    assert lower == ANCHORS[0]
    assert low == pytest.approx(4, abs=0.1)
    assert high - low == pytest.approx(2)
    assert heard.released == [plot.anchors]
    assert plot._plot.getViewBox().viewRange() == before


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ((-8, -9, -10, -10.4), ((-10, -8), (7, 9))),
        ((8, 9, 10, 10.4), ((-9, -7), (8, 10))),
        ((-9, -10, -10.4), ((-10, -7), (7, 9))),
        ((9, 10, 10.4), ((-9, -7), (7, 10))),
    ],
)
def test_no_drag_leaves_the_axis(plot: SpectrumPlot, hand: Hand, way: tuple[float, ...], expected: Any) -> None:
    plot.set_anchors(ANCHORS)
    heard = Heard(plot)
    hand.drag(*way)
    np.testing.assert_allclose(plot.anchors, expected)
    assert heard.released == [plot.anchors]


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ((-8, 0, 5, 9), ((5, 7), (7, 9))),  # the lower one is carried against the upper one
        ((8, 0, -5, -9), ((-9, -7), (-7, -5))),
        ((-7, 0, 5, 9), ((-9, 7), (7, 9))),  # an edge against the neighbour
        ((7, 0, -5, -9), ((-9, -7), (-7, 9))),
        ((-9, -8, -5, 0), ((-7, -7), (7, 9))),  # an edge against the other edge of its window
        ((9, 8, 5, 0), ((-9, -7), (7, 7))),
    ],
)
def test_windows_touch_and_never_change_places(
    plot: SpectrumPlot, hand: Hand, way: tuple[float, ...], expected: Any
) -> None:
    plot.set_anchors(ANCHORS)
    heard = Heard(plot)
    hand.drag(*way)
    np.testing.assert_allclose(plot.anchors, expected)
    for lower, upper in (*heard.dragged, *heard.released):
        assert -10 <= lower[0] <= lower[1] <= upper[0] <= upper[1] <= 10


def test_an_anchor_beyond_the_axis_can_be_brought_back(plot: SpectrumPlot, hand: Hand) -> None:
    plot.set_anchors(((-12, -8), (7, 9)))
    hand.drag(-9, -8, -6)
    np.testing.assert_allclose(plot.anchors[0], (-9, -5), atol=0.1)
    assert plot.anchors[0][1] - plot.anchors[0][0] == pytest.approx(4)


def test_many_movements_are_told_at_the_pace_of_the_screen(plot: SpectrumPlot, qtbot: Any) -> None:
    plot.set_anchors(ANCHORS)
    heard = Heard(plot)
    (window, _) = plot._anchors._windows
    for number in range(200):  # faster than any mouse, within one turn of the event loop
        window.lines[1].setPos(-7 + number / 100)
    in_the_burst = len(heard.dragged)
    qtbot.waitUntil(lambda: heard.dragged[-1][0][1] == pytest.approx(-5.01), timeout=2000)
    assert in_the_burst == 1
    assert len(heard.dragged) == 2
    assert not heard.released


def test_no_listener_hears_of_a_drag_more_often_than_the_screen_shows_it(plot: SpectrumPlot, qtbot: Any) -> None:
    plot.set_anchors(ANCHORS)
    heard = Heard(plot)
    (window, _) = plot._anchors._windows
    begin = time.perf_counter()
    for number in range(100):
        window.lines[1].setPos(-7 + number / 100)
        qtbot.wait(1)
    assert len(heard.dragged) <= 2 + (time.perf_counter() - begin) / 0.016


def test_nothing_is_told_of_a_drag_after_its_end(plot: SpectrumPlot, qtbot: Any) -> None:
    plot.set_anchors(ANCHORS)
    told: list[Any] = []
    plot.anchors_dragged.connect(lambda anchors: told.append(("dragged", anchors[0][1])))
    plot.anchors_released.connect(lambda anchors: told.append(("released", anchors[0][1])))
    edge = plot._anchors._windows[0].lines[1]
    edge.setPos(-6)
    edge.setPos(-5)  # too early to be told
    edge.sigPositionChangeFinished.emit(edge)
    qtbot.wait(60)
    assert told == [("dragged", -6), ("released", -5)]


def test_who_listens_may_set_the_same_anchors_and_spectra_in_a_drag(plot: SpectrumPlot, hand: Hand) -> None:
    plot.set_anchors(ANCHORS)

    def follow(anchors: Any) -> None:
        plot.show_spectra([make_spectrum(scale=1 + anchors[0][1] / 100)], x_label="energy (eV)", y_label="counts")
        plot.set_anchors(anchors)

    plot.anchors_dragged.connect(follow)
    plot.anchors_released.connect(follow)
    hand.drag(-8, -7, -5, -3)
    (low, high), upper = plot.anchors
    assert upper == ANCHORS[1]
    assert (low, high) == (pytest.approx(-4, abs=0.1), pytest.approx(-2, abs=0.1))


# Colours


def test_anchors_and_inspector_follow_the_theme(plot: SpectrumPlot) -> None:
    plot.set_anchors(ANCHORS)
    seen = []
    for theme in ("dark", "light"):
        plot.setStyleSheet(get_stylesheet(theme))
        QApplication.processEvents()
        text = plot.palette().color(plot.foregroundRole()).name()
        edges = [edge.pen.color().name() for window in plot._anchors._windows for edge in window.lines]
        line = plot._inspector._line
        assert {*edges, line.pen.color().name(), line.label.color.name()} == {text}
        seen.append(text)
    assert seen[0] != seen[1]


# Pictures


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_picture_is_on_white_at_twice_the_size_and_the_window_keeps_its_colours(
    qtbot: Any, tmp_path: Path, theme: str
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    plot = SpectrumPlot()
    plot.show_spectra([make_spectrum()], x_label="energy (eV)", y_label="counts")
    plot.set_anchors(ANCHORS)
    QVBoxLayout(window).addWidget(plot)
    window.resize(600, 400)
    window.setStyleSheet(get_stylesheet(theme))
    window.show()
    qtbot.waitExposed(window)
    before = plot.grab().toImage()
    written = plot.export_picture(tmp_path / "new" / "plot.png")
    assert written == tmp_path / "new" / "plot.png"
    assert written.read_bytes().startswith(b"\x89PNG")
    assert [each.name for each in written.parent.iterdir()] == ["plot.png"]
    picture = QImage(str(written))
    assert picture.size() == 2 * plot._plot.viewport().size()
    corners = [(x, y) for x in (0, picture.width() - 1) for y in (0, picture.height() - 1)]
    assert {picture.pixelColor(*corner).name() for corner in corners} == {"#ffffff"}
    assert grey_values(picture)[-40:].min() < 60, "the name of the axis is dark"
    QApplication.processEvents()
    assert plot.grab().toImage() == before


def test_a_picture_shows_the_legend_as_large_as_the_screen_does(plot: SpectrumPlot, qtbot: Any, tmp_path: Path) -> None:
    plot.setStyleSheet("QWidget {background: white; color: black}")
    qtbot.wait(20)
    screen, picture = plot._plot.grab().toImage(), QImage(str(plot.export_picture(tmp_path / "plot.png")))
    extents = []
    for image, scale in ((screen, 1), (picture, 2)):
        values = grey_values(image)
        corner = values[: values.shape[0] // 2, -values.shape[1] // 4 :]  # nothing else is there
        rows, columns = np.nonzero(corner < 200)
        extents.append([end / scale for end in (rows.min(), rows.max(), columns.min(), columns.max())])
    np.testing.assert_allclose(extents[1], extents[0], atol=2)


def test_a_picture_that_cannot_be_written_says_so_and_the_colours_are_back(plot: SpectrumPlot, tmp_path: Path) -> None:
    before = plot.grab().toImage()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        plot.export_picture(tmp_path / "file" / "plot.png")
    assert plot.grab().toImage() == before
