"""What the profile panel shows of a line or a file, as text that does it without a window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from napari_bgremove.engine.line_profile_scripts import code_that_reads, line_profile_as_command
from napari_bgremove.engine.signal_denoising import DenoisingMethod
from napari_bgremove.engine.signal_scripts import denoising_as_command, denoising_as_python
from napari_bgremove.engine.spectrum_scripts import background_as_command, background_as_python
from napari_bgremove.spectra.sample_noise import SIGMA_RULES
from napari_bgremove.viewer_layers.frames import code_for_frame, file_to_name
from napari_bgremove.viewer_layers.geometry import frame_index
from napari_bgremove.viewer_layers.spectrum_lines import DrawnLine
from napari_bgremove.widgets.profile_fits import Fit, ends_of
from napari_bgremove.widgets.profile_work import BandChoice, ImagePlace

__all__ = ["file_as_command", "file_as_python", "profile_as_command", "profile_as_python"]

_PROFILE, _DENOISED = "profile.csv", "denoised.csv"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def profile_as_python(
    viewer: Any, image: Any, line: DrawnLine, fit: Fit, band: BandChoice, place: ImagePlace, *, noise: str,
    denoising: DenoisingMethod | None = None,
) -> str:  # fmt: skip
    """Return a script that reads the line, denoises it where that is wanted, and takes its first background away."""
    load = code_for_frame(image, frame_index(viewer, image))
    how = _reading(band, place) | ({"side": band.side} if line.is_rectangle else {"width": band.width})
    places = [(float(row), float(column)) for row, column in line.vertices]
    read = code_that_reads(load, places, how, axis=fit.axis, is_rectangle=line.is_rectangle)
    return _go_on_in_python(f"{read}\nmeasured = profile.values", fit, noise, denoising)


def profile_as_command(
    viewer: Any, image: Any, line: DrawnLine, fit: Fit, band: BandChoice, place: ImagePlace, *, noise: str,
    denoising: DenoisingMethod | None = None,
) -> str:  # fmt: skip
    """Return commands: the first writes the profile, the others denoise it and take its first background away."""
    how = _reading(band, place) | {"width": band.width}
    vertices = line.vertices
    if line.is_rectangle:  # as a command it is a wide line
        sides = np.hypot(*np.diff(line.vertices[:3], axis=0).T)
        how |= {"width": float(sides[1 - band.side]), "samples": len(fit.values)}
        vertices = fit.profile.points[[0, -1]]
    frame = frame_index(viewer, image)
    read = line_profile_as_command(
        file_to_name(image), [(float(row), float(column)) for row, column in vertices], how, axis=fit.axis,
        frame=frame[0] if frame else None, out=_PROFILE,
    )  # fmt: skip
    return "\n".join([read, *_further_commands(_PROFILE, fit, noise, denoising)])


def file_as_python(fit: Fit, *, noise: str, denoising: DenoisingMethod | None = None) -> str:
    """Return a script that reads the spectrum from its file, denoises it and takes its first background away."""
    path, label = _file_of(fit)
    load = [
        "from napari_bgremove.io.spectra import read_spectra",
        "",
        f"spectrum = next(s for s in read_spectra({path!r}) if s.label == {label!r})",
        "axis, measured = spectrum.axis, spectrum.intensity",
    ]
    return _go_on_in_python("\n".join(load), fit, noise, denoising)


def file_as_command(fit: Fit, *, noise: str, denoising: DenoisingMethod | None = None) -> str:
    """Return the commands that denoise a spectrum in a file and take its first background away."""
    path, label = _file_of(fit)
    return "\n".join(_further_commands(path, fit, noise, denoising, source={"spectrum": label}))


def _go_on_in_python(load: str, fit: Fit, noise: str, denoising: DenoisingMethod | None) -> str:
    if denoising is not None:
        load = denoising_as_python(load, denoising).rstrip("\n")
        if not fit.parts:
            return f"{load}\n"
    if fit.is_of_denoised:
        load = f"{load}\nmeasured = denoised"
    return background_as_python(load, **_background(fit, noise))


def _further_commands(
    file: str, fit: Fit, noise: str, denoising: DenoisingMethod | None, *, source: Mapping[str, Any] = _NOTHING
) -> Iterator[str]:
    """Yield the commands that go on with a spectrum in a file."""
    if denoising is not None:
        yield denoising_as_command(file, denoising, source=source, out=_DENOISED)
    if denoising is None or fit.parts:
        of = (_DENOISED, {"column": "denoised"}) if fit.is_of_denoised else (file, source)
        yield background_as_command(of[0], source=of[1], **_background(fit, noise))


def _file_of(fit: Fit) -> tuple[str, str]:
    if fit.source.file is None:
        msg = f"'{fit.name}' must come from a file; found a line on an image. Open a file first."
        raise ValueError(msg)
    return fit.source.file


def _reading(band: BandChoice, place: ImagePlace) -> dict[str, Any]:
    return {"reduce": band.reduce, "order": band.order, "scale": (place.scale[-2], place.scale[-1])}


def _background(fit: Fit, noise: str) -> dict[str, Any]:
    if not fit.parts:
        msg = f"'{fit.name}' has no background to copy. Tick one under Backgrounds."
        raise ValueError(msg)
    method = next(iter(fit.parts))
    has_errors = method in ("direct", "iterate") and noise in SIGMA_RULES
    return {"method": method, "ends": ends_of(fit.windows), "parameters": {"sigma": noise} if has_errors else {}}
