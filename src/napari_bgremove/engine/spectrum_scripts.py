"""A background of spectra as text: the command, or the Python lines, that take it away again without a window."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from napari_bgremove.spectra.backgrounds import METHODS
from napari_bgremove.spectra.ends import Anchor, End

__all__ = ["background_as_command", "background_as_python", "say_value", "source_options"]

Ends = tuple[End, End] | None

#: Options of `bgremove shirley` that name something in the file.
_IN_THE_FILE = (
    "spectrum", "column", "dataset", "axis", "axis_dataset", "axis_name", "axis_unit", "along", "frame", "valid_mask",
)  # fmt: skip


def background_as_command(
    file: str,
    *,
    method: str,
    ends: Ends,
    parameters: Mapping[str, Any] = MappingProxyType({}),
    source: Mapping[str, Any] = MappingProxyType({}),
    out: str = "net.csv",
) -> str:
    """Return the command that takes the background of a file away.

    Parameters
    ----------
    file : str
    method : str
        Of `METHODS`.
    ends : pair of Anchor or Endpoint, or None
        None where the method needs none.
    parameters : mapping
        As for `separate_background`; `sigma` by the name of a rule. What is
        the default is left out.
    source : mapping
        Which spectra of the file: spectrum, column, dataset, axis (first,
        step), axis_dataset, axis_name, axis_unit, along ("rows" or
        "columns"), frame, valid_mask; what is None is left out.
    out : str
        Table of the results.

    Raises
    ------
    ValueError
        When a command cannot say it: standard errors given sample by sample,
        the error of a given level, offsets beside a point, or a `source` of
        another name.
    """
    given = _given(method, parameters)
    sigma = given.pop("sigma", "none")
    words = ["bgremove", "shirley", file, *source_options(source), *_end_options(ends)]
    words += ["--method", method] if method != "direct" else []
    words += [word for name, value in given.items() for word in ("--param", name, say_value(value))]
    words += ["--sigma", sigma] if "sigma" in METHODS[method].parameters else []
    return shlex.join([*words, "--out", out])


def background_as_python(
    load: str, *, method: str, ends: Ends, parameters: Mapping[str, Any] = MappingProxyType({})
) -> str:
    """Return a script that takes the background of spectra away.

    Parameters
    ----------
    load : str
        Lines that make `axis` and `measured`.
    method, ends, parameters
        As in `background_as_command`.

    Raises
    ------
    ValueError
        When the standard errors are given sample by sample.
    """
    given = _given(method, parameters)
    names = sorted({type(end).__name__ for end in ends or ()} | {"Window" for e in ends or () if isinstance(e, Anchor)})
    imports = ["from napari_bgremove.spectra.backgrounds import separate_background"]
    imports += [f"from napari_bgremove.spectra.ends import {', '.join(names)}"] if names else []
    arguments = [f"method={method!r}", *(["ends=ends"] if ends else []), *(f"{n}={v!r}" for n, v in given.items())]
    lines = [*imports, "", load.rstrip("\n")]
    lines += [f"ends = ({', '.join(_end_as_python(end) for end in ends)})"] if ends else []
    lines += [f"separation = separate_background(axis, measured, {', '.join(arguments)})"]
    lines += ["print(getattr(separation, 'sentence', separation.provenance))"]
    lines += ["net, background = separation.signal, separation.background"]
    return "\n".join([*lines, ""])


def _given(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the defaults of a method; no text can hold standard errors sample by sample."""
    if not isinstance(parameters.get("sigma"), str | None):
        msg = (
            "'sigma' must be the name of a rule to be written as text, as 'poisson'; found standard errors as numbers."
        )
        raise ValueError(msg)
    defaults = METHODS[method].parameters
    return {name: value for name, value in parameters.items() if value != defaults[name]}


def source_options(source: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words that name spectra in a file on a command line, for `bgremove shirley` and its like.

    Raises
    ------
    ValueError
        When there is no such option.
    """
    for name, value in source.items():
        if name not in _IN_THE_FILE:
            msg = f"'source' must name options of the command ({', '.join(_IN_THE_FILE)}); found {name!r}."
            raise ValueError(msg)
        if value is not None:
            yield f"--{name.replace('_', '-')}"
            yield from map(say_value, value if name == "axis" else (value,))


def _end_options(ends: Ends) -> Iterator[str]:
    anchors = [end for end in ends or () if isinstance(end, Anchor)]
    for end in ends or ():
        if isinstance(end, Anchor):
            yield from ("--anchor", say_value(end.window.low), say_value(end.window.high))
        elif end.sigma:
            msg = f"'ends' must have levels without an error to be written as a command; found {end.sigma:g}."
            raise ValueError(msg)
        else:
            yield from (
                "--endpoint",
                say_value(end.position) + ("" if end.level is None else f"={say_value(end.level)}"),
            )
    yield from _anchor_options(anchors)


def _anchor_options(anchors: list[Anchor]) -> Iterator[str]:
    if any(anchor.offset for anchor in anchors):
        if len(anchors) != 2:
            msg = "'ends' must be two anchors for an offset to be written as a command; found one and a point."
            raise ValueError(msg)
        yield from ("--offset", *(say_value(anchor.offset) for anchor in anchors))
    least = {anchor.min_points for anchor in anchors} - {Anchor.min_points}
    if least:
        yield from ("--min-points", str(min(least)))


def _end_as_python(end: End) -> str:
    if not isinstance(end, Anchor):
        level = "" if end.level is None else f", {float(end.level)!r}"
        return f"Endpoint({float(end.position)!r}{level}{f', sigma={float(end.sigma)!r}' if end.sigma else ''})"
    window = f"Window({float(end.window.low)!r}, {float(end.window.high)!r})"
    offset = f", offset={float(end.offset)!r}" if end.offset else ""
    points = f", min_points={end.min_points}" if end.min_points != Anchor.min_points else ""
    return f"Anchor({window}{offset}{points})"


def say_value(value: Any) -> str:
    """Write a value so that the same number is read back."""
    return repr(float(value)) if isinstance(value, float) else str(value)
