"""A plot of spectra with their backgrounds, standard errors, and two anchors to drag."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from qtpy.QtCore import QEvent, Signal
from qtpy.QtGui import QColor, QPen

from napari_bgremove._files import atomic_write
from napari_bgremove.widgets.parts.curve_pens import background_pen, denoised_pen, measured_pen, net_pen
from napari_bgremove.widgets.parts.plot_inspector import PlotInspector
from napari_bgremove.widgets.parts.plot_picture import plot_picture
from napari_bgremove.widgets.parts.profile_plot import ProfilePlot
from napari_bgremove.widgets.parts.shown_spectrum import Array, ShownSpectrum

if TYPE_CHECKING:
    from napari_bgremove.widgets.parts.anchor_windows import Anchors

__all__ = ["ShownSpectrum", "SpectrumPlot"]


class Curve(NamedTuple):
    """One stroke on the plot, and by which switch it goes."""

    kind: str
    name: str
    axis: Array
    values: Array
    pen: QPen


class SpectrumPlot(ProfilePlot):
    """Spectra, each in one colour: measured, denoised, every background, and net of the first.

    It draws what it is given and computes nothing. Where a background is NaN
    nothing is drawn.

    Parameters
    ----------
    height : int
        Least height, pixels.

    Attributes
    ----------
    anchors_dragged : Signal of tuple
        The two windows ((low, high), (low, high)), the lower first, while a
        person drags one: the first movement at once, then at most 60 times a
        second, always the newest.
    anchors_released : Signal of tuple
        The same, once, when the drag ends.
    """

    anchors_dragged = Signal(object)
    anchors_released = Signal(object)

    _marks: Sequence[Any] = ()  # what else takes on the colours of the window

    def __init__(self, *, height: int = 240) -> None:
        super().__init__(x_label="", y_label="", height=height)
        from napari_bgremove.widgets.parts.anchor_windows import AnchorWindows
        from napari_bgremove.widgets.parts.ribbons import Ribbons

        self._spectra: tuple[ShownSpectrum, ...] = ()
        self._labels = ("", "")
        self._given: list[Curve] = []
        self._pens: dict[str, QPen] = {}
        self._kinds = {"raw": True, "denoised": True, "background": True, "net": True, "ribbon": True}
        self._is_logarithmic = False
        self._ribbons = Ribbons(self._plot)
        self._anchors = AnchorWindows(self._plot, self)
        self._anchors.dragged.connect(self.anchors_dragged)
        self._anchors.released.connect(self.anchors_released)
        self._inspector = PlotInspector(self._plot, self)
        self._legend.setZValue(-1)  # below what the inspector says
        self._marks = (self._anchors, self._inspector)
        self._follow_theme()

    def show_spectra(self, spectra: Sequence[ShownSpectrum], *, x_label: str, y_label: str) -> None:
        """Show these spectra; those of other names go.

        Curves of a name that is there already are updated in place, so that
        this can follow a drag.

        Parameters
        ----------
        spectra : sequence of ShownSpectrum
            In the order of the legend.
        x_label, y_label : str
            Names of the axes, with their units.

        Raises
        ------
        ValueError
            When two curves would have the same name.
        """
        given = [curve for spectrum in spectra for curve in _curves_of(spectrum)]
        _check_names([curve.name for curve in given])
        self._spectra, self._given = tuple(spectra), given
        if (x_label, y_label) != self._labels:
            self._labels = (x_label, y_label)
            self.set_x_label(x_label)
            self._plot.setLabel("left", y_label)
        self._draw()
        self._anchors.set_axis_range(*_axis_range(self._spectra))
        self._inspector.show_spectra(self._spectra, x_label)

    def show_raw(self, on: bool) -> None:
        """Show what was measured, and its standard error, or do not."""
        self._switch("raw", on)

    def show_denoised(self, on: bool) -> None:
        """Show what is left without the noise, or do not."""
        self._switch("denoised", on)

    def show_background(self, on: bool) -> None:
        """Show the backgrounds, or do not."""
        self._switch("background", on)

    def show_net(self, on: bool) -> None:
        """Show what is left above the first background, or do not."""
        self._switch("net", on)

    def show_ribbon(self, on: bool) -> None:
        """Show the standard error of what was measured, or do not."""
        self._switch("ribbon", on)

    def inspect(self, on: bool) -> None:
        """Let a line follow the mouse and say what the curves are there, or do not."""
        self._inspector.switch(on)

    @property
    def inspected(self) -> str:
        """What is said of the place under the mouse; empty where there is nothing to say."""
        return self._inspector.text

    @property
    def anchors(self) -> Anchors | None:
        """The two windows, the lower first; None while none are shown."""
        return self._anchors.anchors

    def set_anchors(self, anchors: Anchors | None) -> None:
        """Show the two anchors there, or none; no signal.

        They are shown as given, also beyond the axis or one over the other; a
        drag can only bring them nearer to where they belong. While they are
        dragged they stop at the ends of the axis and at each other: they may
        touch, and never change places.

        Parameters
        ----------
        anchors : pair of (low, high), or None
            Windows on the axis, in any order.

        Raises
        ------
        ValueError
            When they are not two pairs of finite numbers.
        """
        self._anchors.set_anchors(anchors)

    def invert_x(self, on: bool) -> None:
        """Let the axis rise to the left, as binding energies are drawn, or to the right."""
        self._plot.getPlotItem().invertX(on)
        self._inspector.mirror(on)

    def use_logarithm(self, on: bool) -> None:
        """Show the values on a logarithmic axis, where a standard error has no place, or a linear one."""
        super().use_logarithm(on)
        self._is_logarithmic = on
        self._draw()

    def export_picture(self, path: str | os.PathLike[str]) -> Path:
        """Write what is shown as PNG on white, at twice the size of the screen.

        Parameters
        ----------
        path : path-like
            Target file; missing folders are made.

        Returns
        -------
        Path
            The file, whole or not at all.

        Raises
        ------
        OSError
            When it cannot be written; an old file is then still in place.
        """
        self._wear(QColor("black"), QColor("white"))
        try:
            picture = plot_picture(self._plot)
        finally:
            self._follow_theme()
        return atomic_write(path, picture)

    def leaveEvent(self, event: QEvent | None) -> None:
        """The mouse can be gone without having crossed the edge of the plot."""
        super().leaveEvent(event)
        self._inspector.leave()

    def _switch(self, kind: str, on: bool) -> None:
        self._kinds[kind] = on
        self._draw()

    def _draw(self) -> None:
        shown = [curve for curve in self._given if self._kinds[curve.kind]]
        self.set_curves({curve.name: (curve.axis, curve.values) for curve in shown})
        for curve in shown:
            if self._pens.get(curve.name) != curve.pen:
                self._curves[curve.name].setPen(curve.pen)
        self._pens = {curve.name: curve.pen for curve in shown}
        has_ribbons = self._kinds["raw"] and self._kinds["ribbon"] and not self._is_logarithmic
        self._ribbons.show(self._spectra if has_ribbons else ())

    def _wear(self, text: QColor, background: QColor) -> None:
        super()._wear(text, background)
        for mark in self._marks:
            mark.wear(text, background)


def _curves_of(spectrum: ShownSpectrum) -> Iterator[Curve]:
    name, colour, axis = spectrum.name, spectrum.colour, spectrum.axis
    yield Curve("raw", name, axis, spectrum.measured, measured_pen(colour, is_faint=bool(spectrum.denoised)))
    for number, (method, values) in enumerate(spectrum.denoised.items()):
        yield Curve("denoised", f"{name}, {method}", axis, values, denoised_pen(colour, number))
    for number, (method, values) in enumerate(spectrum.backgrounds.items()):
        yield Curve("background", f"{name}, {method}", axis, values, background_pen(colour, number))
    if spectrum.net is not None:
        yield Curve("net", f"{name}, net", axis, spectrum.net, net_pen(colour))


def _check_names(names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        msg = f"'spectra' must have curves with names of their own; found {names.count(twice)} named {twice!r}."
        raise ValueError(f"{msg} Rename a line.")


def _axis_range(spectra: Sequence[ShownSpectrum]) -> tuple[float, float]:
    axes = [spectrum.axis for spectrum in spectra if spectrum.axis.size]
    if not axes:
        return -math.inf, math.inf
    return float(min(axis.min() for axis in axes)), float(max(axis.max() for axis in axes))
