"""Spectra for a command: of a table, a map, or the rows or columns of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_bgremove.cli.shots import Gate
from napari_bgremove.errors import ReadError
from napari_bgremove.images.axis_calibration import USUAL_UNITS, LinearAxis
from napari_bgremove.io.images import ImageStack, open_images
from napari_bgremove.io.readers import detect_kind
from napari_bgremove.io.spectra import Spectrum, read_spectra

__all__ = ["LoadedSpectra", "SpectrumChoice", "load_spectra", "refuse_options"]


@dataclass(frozen=True)
class SpectrumChoice:
    """What the options say of a file with spectra; None or empty: nothing.

    Attributes
    ----------
    along : {"rows", "columns"} or None
        Which way the spectra run through an image.
    axis : (first, step) or None
    axis_dataset, axis_name, axis_unit, dataset : str or None
    frame : int or None
    names : tuple of str
        Of several spectra, these.
    column : str or None
        Of a table, in place of the first intensity.
    gate : Gate
        Which pixels of an image are usable.
    """

    along: str | None = None
    axis: tuple[float, float] | None = None
    axis_dataset: str | None = None
    axis_name: str | None = None
    axis_unit: str | None = None
    dataset: str | None = None
    frame: int | None = None
    names: tuple[str, ...] = ()
    column: str | None = None
    gate: Gate = field(default_factory=Gate)


@dataclass(frozen=True)
class LoadedSpectra:
    """What a file holds.

    Attributes
    ----------
    spectra : tuple of Spectrum
        A map or an image is one, whose intensity has more than one dimension.
    spectral_axis : int
        Where the energies of an image lie in the file; here they are always last.
    index_names : tuple of str
        What the other dimensions are called, from the end.
    unit : str or None
        Of the intensity, where an image states it.
    """

    spectra: tuple[Spectrum, ...]
    spectral_axis: int = -1
    index_names: tuple[str, ...] = ("y", "x")
    unit: str | None = None

    @property
    def is_lazy(self) -> bool:
        """Whether it is a map that is still in its file."""
        return hasattr(self.spectra[0].intensity, "dask")


def load_spectra(path: Path, choice: SpectrumChoice, *, lazy: bool = False) -> LoadedSpectra:
    """Read the spectra of a file, and print what the reader has to say.

    With `lazy`, stacks of images and HDF5 maps of three dimensions are dask
    arrays, of which nothing is read yet.

    Raises
    ------
    click.UsageError
        When an option is not for this kind of file.
    ReadError
        When the file is no such file, or lacks what was asked for.
    """
    load = _load_image if _is_image(path) or choice.along is not None else _load_spectra
    loaded = load(path, choice, lazy=lazy)
    for note in dict.fromkeys(note for spectrum in loaded.spectra for note in spectrum.notes):
        click.echo(f"  {note}")
    return loaded


def _is_image(path: Path) -> bool:
    if path.suffix.lower() == ".gz":
        return True
    try:
        return detect_kind(path) != "HDF5"  # which holds maps with their energies as well
    except (ReadError, OSError):
        return False  # if it is no spectrum either, the reader of spectra says so


def _load_image(path: Path, choice: SpectrumChoice, *, lazy: bool) -> LoadedSpectra:
    named = {"--spectrum": choice.names, "--column": choice.column, "--axis-dataset": choice.axis_dataset}
    refuse_options(named, f"spectra; '{path.name}' is read as an image")
    stack = open_images(path, dataset=choice.dataset)
    image = _read_frames(stack, choice, lazy=lazy)
    spectral_axis, across = (-2, "column") if choice.along == "columns" else (-1, "row")
    intensity = np.moveaxis(image, spectral_axis, -1)
    name = choice.axis_name or ("energy" if choice.axis else "pixel")
    unit = USUAL_UNITS.get(name, "") if choice.axis_unit is None else choice.axis_unit
    positions = LinearAxis(*(choice.axis or (0.0, 1.0)), name, unit).to_values(np.arange(intensity.shape[-1]))
    spectrum = Spectrum(positions, intensity, stack.name, name, unit, notes=stack.notes)
    return LoadedSpectra((spectrum,), spectral_axis, ("frame", across), stack.metadata.get("unit"))


def _read_frames(stack: ImageStack, choice: SpectrumChoice, *, lazy: bool) -> Any:
    if lazy and stack.is_stack and choice.frame is None:
        numbers = da.arange(len(stack), chunks=1)
        return da.map_blocks(
            partial(_read_frame, choice.gate, stack), numbers,
            dtype=np.float32, chunks=(*numbers.chunks, *((n,) for n in stack.shape)), new_axis=[1, 2],
            meta=np.empty((0, 0, 0), np.float32),
        )  # fmt: skip
    indices = range(len(stack)) if choice.frame is None else [choice.frame]
    frames = np.stack([choice.gate.read(stack, index) for index in indices]).astype(np.float64)
    return frames if stack.is_stack and choice.frame is None else frames[0]


def _read_frame(gate: Gate, stack: ImageStack, number: NDArray[np.intp]) -> NDArray[np.float32]:
    return gate.read(stack, int(number[0]))[np.newaxis]


def _load_spectra(path: Path, choice: SpectrumChoice, *, lazy: bool) -> LoadedSpectra:
    gate = choice.gate
    marks = {"--valid-mask": gate.valid_mask, "--gap": gate.gap_values, "--saturation": gate.saturation}
    kind = f"images; '{path.name}' is read as spectra (an HDF5 file becomes an image by --along)"
    refuse_options({"--frame": choice.frame, **marks}, kind)
    refuse_options(
        {"--axis-dataset": choice.axis and choice.axis_dataset}, "energies in the file; found --axis as well"
    )
    spectra = read_spectra(path, dataset=choice.dataset, axis=choice.axis_dataset or choice.axis, lazy=lazy)
    picked = [_adapt(path, spectrum, choice) for spectrum in _pick(path, spectra, choice.names)]
    return LoadedSpectra(tuple(picked), index_names=("spectrum",) if picked[0].intensity.ndim == 2 else ("y", "x"))


def refuse_options(options: Mapping[str, Any], kind: str) -> None:
    """Raise a usage error for the first option that was given, and is for another `kind`."""
    for option, value in options.items():
        if value not in (None, ()):
            msg = f"{option} is for {kind}."
            raise click.UsageError(msg)


def _pick(path: Path, spectra: tuple[Spectrum, ...], names: tuple[str, ...]) -> list[Spectrum]:
    known = {spectrum.label: spectrum for spectrum in spectra}
    for name in names:
        if name not in known:
            found = ", ".join(repr(label) for label in known)
            msg = f"'{path.name}' must hold the spectrum {name!r}; found {found[:1000]}. Choose one of them."
            raise ReadError(msg)
    return [known[name] for name in names] if names else list(spectra)


def _adapt(path: Path, spectrum: Spectrum, choice: SpectrumChoice) -> Spectrum:
    """Take the column that was asked for, and the names of the axis."""
    if choice.column is not None and choice.column not in spectrum.columns:
        found = ", ".join(repr(name) for name in spectrum.columns) or "no others"
        msg = (
            f"'{path.name}' must have the column {choice.column!r} beside {spectrum.intensity_name or 'the first'!r}; "
            f"found {found[:1000]}. Choose one of them."
        )
        raise ReadError(msg)
    taken = spectrum if choice.column is None else spectrum.take_column(choice.column)
    given = {"axis_name": choice.axis_name, "axis_unit": choice.axis_unit}
    return replace(taken, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
