"""A line profile as text: the command, or the Python lines, that read it again without a window."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from napari_bgremove.images.axis_calibration import LinearAxis

__all__ = [
    "PROFILE_DEFAULTS",
    "code_that_reads",
    "line_profile_as_command",
    "line_profile_as_python",
    "rectangle_profile_as_python",
]

Points = Sequence[tuple[float, float]]

#: What `extract_profile` and `bgremove profile` do unless they are told otherwise.
PROFILE_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {"width": 1.0, "reduce": "mean", "order": 1, "scale": (1.0, 1.0), "samples": None, "side": 0}
)


def line_profile_as_command(
    file: str,
    path: Points,
    how: Mapping[str, Any],
    *,
    axis: LinearAxis | None = None,
    frame: int | None = None,
    valid_mask: str | None = None,
    out: str = "profile.csv",
) -> str:
    """Return the command that reads a profile of an image file.

    Parameters
    ----------
    file : str
    path : sequence of (row, column)
        Vertices, pixels. A rectangle is the line from the first to the last
        point of its profile, as wide and with as many samples as that.
    how : mapping
        width, reduce, order, scale and samples, as in `extract_profile`; what
        is missing or None is the default.
    axis : LinearAxis, optional
        Where the profile is calibrated.
    frame : int, optional
        Of a stack.
    valid_mask : str, optional
        File of a mask.
    out : str
        File of the profile.
    """
    numbers = [f"{float(number):.12g}" for vertex in path for number in vertex]
    line = ["--line", *numbers] if len(path) == 2 else [w for r, c in _pairs(numbers) for w in ("--point", r, c)]
    words = ["bgremove", "profile", file, *line, *_options(how), *_axis_options(axis)]
    words += [] if frame is None else ["--frame", str(frame)]
    words += [] if valid_mask is None else ["--valid-mask", valid_mask]
    return shlex.join([*words, "--out", out])


def line_profile_as_python(load: str, path: Points, how: Mapping[str, Any], *, axis: LinearAxis | None = None) -> str:
    """Return a script that reads a profile along a line or polyline.

    Parameters
    ----------
    load : str
        Lines that make `image`.
    path, how, axis
        As in `line_profile_as_command`.
    """
    return _script(code_that_reads(load, path, how, axis=axis))


def rectangle_profile_as_python(
    load: str, corners: Points, how: Mapping[str, Any], *, axis: LinearAxis | None = None
) -> str:
    """Return a script that reads a profile along one side of a rectangle.

    Parameters
    ----------
    load : str
        Lines that make `image`.
    corners : sequence of four (row, column)
    how : mapping
        side, reduce, order and scale, as in `extract_rectangle_profile`.
    axis : LinearAxis, optional
        Where the profile is calibrated.
    """
    return _script(code_that_reads(load, corners, how, axis=axis, is_rectangle=True))


def code_that_reads(
    load: str,
    places: Points,
    how: Mapping[str, Any],
    *,
    axis: LinearAxis | None = None,
    is_rectangle: bool = False,
) -> str:
    """Return lines that make `profile` and `axis`, for scripts that go on with them.

    Parameters
    ----------
    load : str
        Lines that make `image`.
    places : sequence of (row, column)
        Vertices, or the corners of a rectangle.
    how, axis
        As in `line_profile_as_python` and `rectangle_profile_as_python`.
    is_rectangle : bool
    """
    function = "extract_rectangle_profile" if is_rectangle else "extract_profile"
    places = [(float(row), float(column)) for row, column in places]
    arguments = "".join(f", {name}={value!r}" for name, value in _given(how).items())
    imports = ["from napari_bgremove.images.axis_calibration import LinearAxis"] if axis is not None else []
    imports += ["from napari_bgremove.images.gate import gate_image"]
    imports += [f"from napari_bgremove.images.line_profiles import {function}"]
    read = f"profile = {function}(gate_image(image).values, {places!r}{arguments})"
    along = "profile.position" if axis is None else f"{axis!r}.to_values(profile.position)"
    return "\n".join([*imports, "", load, read, f"axis = {along}"])


def _script(code: str) -> str:
    lines = [code, "for position, value, sigma in zip(axis, profile.values, profile.sigma):"]
    return "\n".join([*lines, "    print(position, value, sigma)", ""])


def _given(how: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the defaults, as plain values; None is always a default."""
    plain = {name: tuple(map(float, value)) if name == "scale" else value for name, value in how.items()}
    return {name: value for name, value in plain.items() if value not in (None, PROFILE_DEFAULTS[name])}


def _options(how: Mapping[str, Any]) -> Iterator[str]:
    for name, value in _given(how).items():
        yield f"--{name}"
        yield from (f"{number:.12g}" for number in value) if name == "scale" else (str(value),)


def _axis_options(axis: LinearAxis | None) -> list[str]:
    if axis is None:
        return []
    # Far apart and with every digit, so that a small slope on a large offset survives.
    known = [w for at in (0.0, 1000.0) for w in ("--axis-at", repr(at), repr(float(axis.to_values(at))))]
    return [*known, "--axis-name", axis.name, "--axis-unit", axis.unit]


def _pairs(numbers: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(numbers[::2], numbers[1::2], strict=True)
