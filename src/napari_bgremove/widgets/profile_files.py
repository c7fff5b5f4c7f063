"""Spectra that come from files: opened once, shown beside each other like lines on an image."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QWidget

from napari_bgremove.errors import ReadError
from napari_bgremove.images.axis_calibration import LinearAxis
from napari_bgremove.images.line_profiles import LineProfile
from napari_bgremove.io.spectra import SPECTRUM_SUFFIXES, Spectrum, read_spectra
from napari_bgremove.io.spectrum_formats.spectrum import make_unique
from napari_bgremove.viewer_layers.spectrum_lines import LINE_COLOURS
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.profile_work import Source

__all__ = ["SpectrumFiles", "read_sources"]

_KINDS = f"Spectra ({' '.join(f'*{suffix}' for suffix in SPECTRUM_SUFFIXES)});;All files (*)"
_NO_POINTS = np.empty((0, 2))


class SpectrumFiles(QWidget):
    """The opened spectra, by name.

    Attributes
    ----------
    asked : Signal of tuple of str
        A person chose these files.
    changed : Signal
    """

    asked = Signal(object)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.sources: tuple[Source, ...] = ()
        self._text = QLabel("no file")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._text, 1)
        row.addWidget(make_button("Open...", self._ask, tip="Text, CasaXPS exports, VAMAS: every spectrum in them."))
        row.addWidget(make_button("Clear", lambda: self.set_sources(()), tip="Forget the spectra, not the files."))

    def set_sources(self, sources: tuple[Source, ...]) -> None:
        """Hold these spectra in place of those before."""
        self.sources = sources
        names = [source.name for source in sources]
        self._text.setText(f"{len(names)} spectr{'um' if len(names) == 1 else 'a'}" if names else "no file")
        self._text.setToolTip("\n".join(names))
        self.changed.emit()

    def _ask(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self, "Open spectra", filter=_KINDS)
        if files:
            self.asked.emit(tuple(files))


def read_sources(
    files: tuple[str, ...], *, beside: tuple[Source, ...] = ()
) -> tuple[tuple[Source, ...], tuple[str, ...]]:
    """Read the spectra of files, each with a name and a colour of its own.

    Parameters
    ----------
    files : tuple of str
    beside : tuple of Source
        Those that are there already, and keep their names and colours.

    Returns
    -------
    tuple of Source
    tuple of str
        What the files' readers have to say.

    Raises
    ------
    ReadError
        When a file is no spectrum, or a map of spectra.
    """
    read = [(Path(file), spectrum) for file in files for spectrum in read_spectra(file)]
    names = make_unique([*(source.name for source in beside), *(_name(*one) for one in read)])[len(beside) :]
    colours = itertools.islice(itertools.cycle(LINE_COLOURS), len(beside), None)
    sources = tuple(_to_source(*one, name, colour) for one, name, colour in zip(read, names, colours, strict=False))
    return sources, tuple(dict.fromkeys(note for _, spectrum in read for note in spectrum.notes))


def _name(path: Path, spectrum: Spectrum) -> str:
    return path.stem if spectrum.label in (path.stem, path.name) else f"{path.stem}: {spectrum.label}"


def _to_source(path: Path, spectrum: Spectrum, name: str, colour: str) -> Source:
    if spectrum.intensity.ndim != 1:
        shape = " x ".join(map(str, spectrum.intensity.shape))
        msg = f"'{path.name}' must hold single spectra; found a map of {shape}. Open it as an image in the viewer."
        raise ReadError(msg)
    sigma = spectrum.columns.get("sigma", np.full(len(spectrum), np.nan))
    ones = np.ones(len(spectrum), np.int64)
    profile = LineProfile(spectrum.axis, spectrum.intensity, sigma, ones, _NO_POINTS)
    axis = LinearAxis(name=spectrum.axis_name, unit=spectrum.axis_unit)
    return Source(name, colour, profile, axis, file=(str(path), spectrum.label))
