"""What the profile panel shows of a line or a file, as text that does it without a window."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_bgremove.engine.line_profile_scripts import code_that_reads, line_profile_as_command
from napari_bgremove.engine.spectrum_scripts import background_as_command, background_as_python
from napari_bgremove.spectra.sample_noise import SIGMA_RULES
from napari_bgremove.viewer_layers.frames import code_for_frame, file_to_name
from napari_bgremove.viewer_layers.geometry import frame_index
from napari_bgremove.viewer_layers.spectrum_lines import DrawnLine
from napari_bgremove.widgets.profile_work import BandChoice, Fit, ImagePlace, ends_of

__all__ = ["file_as_command", "file_as_python", "profile_as_command", "profile_as_python"]

_PROFILE = "profile.csv"


def profile_as_python(
    viewer: Any, image: Any, line: DrawnLine, fit: Fit, band: BandChoice, place: ImagePlace, *, noise: str
) -> str:
    """Return a script that reads the line and takes its first background away."""
    load = code_for_frame(image, frame_index(viewer, image))
    how = _reading(band, place) | ({"side": band.side} if line.is_rectangle else {"width": band.width})
    places = [(float(row), float(column)) for row, column in line.vertices]
    read = code_that_reads(load, places, how, axis=fit.axis, is_rectangle=line.is_rectangle)
    return background_as_python(f"{read}\nmeasured = profile.values", **_background(fit, noise))


def profile_as_command(
    viewer: Any, image: Any, line: DrawnLine, fit: Fit, band: BandChoice, place: ImagePlace, *, noise: str
) -> str:
    """Return two commands: the first writes the profile, the second takes its first background away."""
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
    return f"{read}\n{background_as_command(_PROFILE, **_background(fit, noise))}"


def file_as_python(fit: Fit, *, noise: str) -> str:
    """Return a script that reads the spectrum from its file and takes its first background away."""
    path, label = _file_of(fit)
    load = [
        "from napari_bgremove.io.spectra import read_spectra",
        "",
        f"spectrum = next(s for s in read_spectra({path!r}) if s.label == {label!r})",
        "axis, measured = spectrum.axis, spectrum.intensity",
    ]
    return background_as_python("\n".join(load), **_background(fit, noise))


def file_as_command(fit: Fit, *, noise: str) -> str:
    """Return the command that takes the first background of a spectrum in a file away."""
    path, label = _file_of(fit)
    return background_as_command(path, source={"spectrum": label}, **_background(fit, noise))


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
