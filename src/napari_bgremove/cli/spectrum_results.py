"""What became of spectra: its figures, and what a command says of them and writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import label_with_unit
from napari_bgremove.cli.spectrum_sources import LoadedSpectra
from napari_bgremove.errors import ComputeError
from napari_bgremove.evaluation.background_figure import SeparatedSpectrum
from napari_bgremove.io.columns import write_columns
from napari_bgremove.io.results import StackWriter, write_image
from napari_bgremove.io.spectra import Spectrum, write_spectrum_csv
from napari_bgremove.io.spectrum_formats.spectrum import make_unique
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.backgrounds import METHODS, separate_background
from napari_bgremove.spectra.curve import CODES
from napari_bgremove.spectra.ends import End
from napari_bgremove.spectra.net_area import measure_net_area
from napari_bgremove.spectra.shirley import ShirleyBackground

__all__ = [
    "CURVES",
    "Outcome",
    "as_drawn",
    "describe_map_record",
    "name_files",
    "number_spectra",
    "separate_spectrum",
    "write_outcome",
    "write_summaries",
]

#: What a map becomes images of, where it is known.
CURVES = ("signal", "background", "uncertainty")


@dataclass(frozen=True)
class Outcome:
    """What became of a spectrum, or of every spectrum of a map.

    Attributes
    ----------
    spectrum : Spectrum
    sentence : str
        Why, and what to change.
    figures : mapping of str to scalar or ndarray
        status, net_area and what else is known, in the leading shape of the spectrum.
    separation : Separation or None
        The curves; also None where they were written at once, for want of memory.
    error : Exception or None
        Why there is nothing.
    """

    spectrum: Spectrum
    sentence: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    separation: Separation | None = None
    error: Exception | None = None

    @property
    def is_map(self) -> bool:
        """Whether there are many spectra."""
        return self.spectrum.intensity.ndim > 1

    @property
    def has_background(self) -> bool:
        """Whether any spectrum has one."""
        return bool(np.isfinite(self.figures.get("net_area", np.nan)).any())

    def summarise(self) -> dict[str, Any]:
        """Return the figures; of a map how many spectra came to what, and their median area."""
        if not self.figures:
            return {"spectrum": self.spectrum.label, "status": "refused", "sentence": self.sentence}
        head = {"spectrum": self.spectrum.label, "sentence": self.sentence}
        if not self.is_map:
            return {**head, **self.figures}
        names, counts = np.unique(self.figures["status"], return_counts=True)
        areas = self.figures["net_area"][np.isfinite(self.figures["net_area"])]
        median = float(np.median(areas)) if areas.size else None
        return {**head, "counts": dict(zip(names.tolist(), counts.tolist(), strict=True)), "median_net_area": median}

    def describe(self) -> str:
        """Return what the sentence leaves out, in one line."""
        if self.is_map:
            median = self.summarise()["median_net_area"]
            return f"median net area {median:.6g}"
        parts = [
            f"{name.replace('_', ' ')} {self._say(name)}" for name in ("kappa", "net_area") if name in self.figures
        ]
        if "level_low" in self.figures:
            parts.append(f"end levels {self._say('level_low')} and {self._say('level_high')}")
        return ", ".join(parts)

    def _say(self, name: str) -> str:
        error = self.figures.get(f"sigma_{name.removeprefix('net_')}", np.nan)
        return f"{self.figures[name]:.6g}" + (f" ± {error:.2g}" if np.isfinite(error) else "")


def separate_spectrum(
    spectrum: Spectrum, *, method: str, ends: tuple[End, End] | None, parameters: Mapping[str, Any]
) -> Outcome:
    """Take a spectrum or a map apart; what goes wrong is kept for the report."""
    try:
        separation = separate_background(spectrum.axis, spectrum.intensity, method=method, ends=ends, **parameters)
    except (ComputeError, ValueError) as error:
        return Outcome(spectrum, str(error), error=error)
    if isinstance(separation, ShirleyBackground):
        return Outcome(spectrum, separation.sentence, _figures_of_shirley(separation), separation)
    figures = _figures_of_others(spectrum, separation, ends)
    return Outcome(spectrum, _say_others(method, separation, figures), figures, separation)


def name_files(
    out: Path, loaded: LoadedSpectra, *, suffix: str, images: Sequence[str] = (*CURVES, "status")
) -> list[dict[str, Path]]:
    """Name what each spectrum becomes; several get their own names behind that of `out`, and a map its `images`."""
    if len(loaded.spectra) == 1:
        outs = [out]
    else:
        names = make_unique([re.sub(r"[^\w.+-]+", "_", one.label).strip("_.") or "spectrum" for one in loaded.spectra])
        outs = [out.with_name(f"{out.stem}-{name}{out.suffix or '.csv'}") for name in names]
    return [
        {"table": target, **(_name_images(target, suffix, images) if spectrum.intensity.ndim > 1 else {})}
        for target, spectrum in zip(outs, loaded.spectra, strict=True)
    ]


def write_outcome(
    outcome: Outcome, files: Mapping[str, Path], loaded: LoadedSpectra, record: Mapping[str, Any]
) -> dict[str, Path]:
    """Write a spectrum as a table of its samples, or a map as images and a table of its spectra."""
    spectrum, separation = outcome.spectrum, outcome.separation
    assert separation is not None
    separation = replace(separation, provenance={**record, **separation.provenance})
    if not outcome.is_map:
        names = {"label": spectrum.label, "axis_name": spectrum.axis_name, "axis_unit": spectrum.axis_unit}
        return {"table": write_spectrum_csv(files["table"], spectrum.axis, separation, **names)}
    written = {}
    for name in CURVES:
        values = getattr(separation, name)
        if values is not None:
            placed = np.moveaxis(values, -1, loaded.spectral_axis)
            provenance = {**describe_map_record(separation.provenance, loaded, spectrum), "field": name}
            written[name] = write_image(files[name], placed, provenance=provenance)
    return {**written, **write_summaries(outcome, files, loaded, separation.provenance)}


def write_summaries(
    outcome: Outcome, files: Mapping[str, Path], loaded: LoadedSpectra, provenance: Mapping[str, Any]
) -> dict[str, Path]:
    """Write what a map has one value of for every spectrum: a table of its figures, and an image of its statuses."""
    spectrum = outcome.spectrum
    record = describe_map_record(provenance, loaded, spectrum)
    columns = number_spectra(spectrum.intensity.shape[:-1], loaded.index_names) | {
        name: np.ravel(values) for name, values in outcome.figures.items()
    }
    table = write_columns(files["table"], columns, provenance=record)
    status = np.vectorize(CODES.__getitem__, otypes=[np.uint8])(outcome.figures["status"])
    if status.ndim == 1:  # lies over the image, spectrum by spectrum
        status = np.moveaxis(np.broadcast_to(status[:, None], spectrum.intensity.shape), -1, loaded.spectral_axis)
    with StackWriter(
        files["status"], provenance={**record, "field": "status", "codes": CODES}, is_stack=False, dtype=np.uint8
    ) as writer:
        writer.append(status)
    return {"table": table, "status": files["status"]}


def as_drawn(spectrum: Spectrum, separation: Separation, ends: Sequence[End] = ()) -> SeparatedSpectrum:
    """Return what figures are drawn of, with what the spectrum says of its axis."""
    label = label_with_unit(spectrum.axis_name, spectrum.axis_unit)
    value = spectrum.intensity_name or "intensity"
    falls = spectrum.axis_name == "binding energy"
    return SeparatedSpectrum(spectrum.axis, separation, ends, spectrum.label, label, value, falls)


def describe_map_record(provenance: Mapping[str, Any], loaded: LoadedSpectra, spectrum: Spectrum) -> dict[str, Any]:
    """Return what every file of a map says of it."""
    return {**provenance, "unit": loaded.unit, "axis": _describe_axis(spectrum)}


def _name_images(table: Path, suffix: str, images: Sequence[str]) -> dict[str, Path]:
    return {name: table.with_name(f"{table.stem}-{name}{suffix}") for name in images}


def number_spectra(shape: Sequence[int], names: Sequence[str]) -> dict[str, NDArray[np.intp]]:
    """Return the place of every spectrum of a map, as columns of a table."""
    return {name: places.ravel() for name, places in zip(names[-len(shape) :], np.indices(shape), strict=True)}


def _describe_axis(spectrum: Spectrum) -> dict[str, Any]:
    first, last = spectrum.axis[[0, -1]]
    return {
        "name": spectrum.axis_name, "unit": spectrum.axis_unit, "first": first, "last": last, "samples": len(spectrum),
    }  # fmt: skip


def _figures_of_shirley(separation: ShirleyBackground) -> dict[str, Any]:
    sides = {"low": 0, "high": 1}
    levels = {f"level_{side}": separation.end_levels[..., place] for side, place in sides.items()}
    errors = {f"sigma_level_{side}": separation.sigma_end_levels[..., place] for side, place in sides.items()}
    names = ("net_area", "sigma_area", "kappa", "sigma_kappa", "min_net", "shortfall", "evaluations")
    return {"status": separation.status, **{name: getattr(separation, name) for name in names}, **levels, **errors}


def _figures_of_others(spectrum: Spectrum, separation: Separation, ends: tuple[End, End] | None) -> dict[str, Any]:
    area = measure_net_area(spectrum.axis, separation.signal, ends=ends)
    shape = spectrum.intensity.shape[:-1]
    levels = np.array([found.get("levels", (np.nan, np.nan)) for found in separation.provenance["found"]])
    figures = {"status": np.where(np.isfinite(area), "ok", "no_solution")[()], "net_area": area}
    if np.isfinite(levels).any():
        figures |= {f"level_{side}": levels[:, place].reshape(shape)[()] for side, place in (("low", 0), ("high", 1))}
    return figures


def _say_others(method: str, separation: Separation, figures: Mapping[str, Any]) -> str:
    label, found = METHODS[method].label, separation.provenance["found"]
    unsettled = sum(one.get("converged") is False for one in found)
    if len(found) == 1 and not np.ndim(figures["status"]):
        return f"{label} background taken away." + (" The fit did not meet its own tolerance." if unsettled else "")
    counted = np.count_nonzero(np.asarray(figures["status"]) == "ok")
    said = f"Of {len(found)} spectra: {counted} have a {label} background"
    if "without_result" in separation.provenance:
        said += f"; the others have none, the first because: {separation.provenance['without_result']['reason']}"
    return f"{said.rstrip('.')}." + (f" {unsettled} fits did not meet their own tolerance." if unsettled else "")
