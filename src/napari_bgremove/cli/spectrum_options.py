"""From options to the ends, the parameters and the standard errors of a background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from napari_bgremove.errors import ReadError
from napari_bgremove.spectra.backgrounds import METHODS
from napari_bgremove.spectra.ends import Anchor, End, Endpoint, Window

if TYPE_CHECKING:
    from napari_bgremove.io.spectra import Spectrum

__all__ = [
    "PARAMETERS_HELP",
    "SIGMA_COLUMN",
    "EndpointType",
    "choose_sigma",
    "convert_parameters",
    "make_ends",
    "make_parameters",
    "read_sigma",
]

#: What the standard errors of the samples are called in a table.
SIGMA_COLUMN = "sigma"
# A table that was written of a separation: its sigma is that of the background.
_SEPARATED = "background"

PARAMETERS_HELP = "; ".join(
    f"{name}: {', '.join(names)}"
    for name, method in METHODS.items()
    if (names := [parameter for parameter in method.parameters if parameter != "sigma"])
)


class EndpointType(click.ParamType):  # type: ignore[type-arg]  # has none in click 8.1
    """A position, or a position and the level there: '84' or '84=9616'."""

    name = "POSITION[=LEVEL]"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Endpoint:
        """Return the end."""
        if isinstance(value, Endpoint):
            return value
        position, given, level = value.partition("=")
        try:
            return Endpoint(float(position), float(level) if given else None)
        except ValueError:
            self.fail(f"{value!r} must be a position, or position=level: 84 or 84=9616.", param, context)


def make_ends(
    method: str,
    anchors: Sequence[tuple[float, float]],
    endpoints: Sequence[Endpoint],
    *,
    offsets: tuple[float, float] | None,
    min_points: int,
) -> tuple[End, End] | None:
    """Return the two ends; None where there are none and the method needs none."""
    if offsets is not None and len(anchors) != 2:
        msg = f"--offset is for two anchors; found {len(anchors)}."
        raise click.UsageError(msg)
    ends: list[End] = [
        Anchor(Window.between(*window), offset=offset, min_points=min_points)
        for window, offset in zip(anchors, offsets or [0.0] * len(anchors), strict=True)
    ]
    ends += endpoints
    if not ends and not METHODS[method].needs_ends:
        return None
    if len(ends) != 2:
        msg = f"The background needs two ends; found {len(ends)}. Give --anchor LO HI two times (or --endpoint)."
        raise click.UsageError(msg)
    return ends[0], ends[1]


def make_parameters(method: str, given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return parameters of a method in the kind of their defaults."""
    defaults = {name: value for name, value in METHODS[method].parameters.items() if name != "sigma"}
    return convert_parameters(method, given, defaults)


def convert_parameters(method: str, given: Sequence[tuple[str, str]], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in the kind of their defaults; another name, or a word for a number, is a usage error."""
    for name, _ in given:
        if name not in defaults:
            known = f"the parameters {', '.join(defaults)}" if defaults else "no parameters"
            msg = f"--param: the method {method} has {known}; found {name!r}."
            raise click.UsageError(msg)
    return {name: _convert(name, text, defaults[name]) for name, text in given}


def choose_sigma(method: str, sigma: str | None, ends: tuple[End, End] | None) -> dict[str, Any]:
    """Return the argument `sigma`, where the method takes one and it was not declined."""
    if "sigma" not in METHODS[method].parameters:
        if sigma not in (None, "none"):
            able = [name for name, one in METHODS.items() if "sigma" in one.parameters]
            msg = f"--sigma {sigma} is for the methods {' and '.join(able)}; found {method}."
            raise click.UsageError(msg)
        return {}
    if sigma is None:
        # One sample has no scatter.
        scatters = ends is not None and all(isinstance(end, Anchor) and end.min_points > 1 for end in ends)
        sigma = "scatter" if scatters else "none"
    return {} if sigma in ("none", "column") else {"sigma": sigma}


def read_sigma(method: str, sigma: str | None, spectrum: Spectrum, *, is_own: bool) -> dict[str, Any]:
    """Return the column of standard errors as the argument `sigma`, where it was asked for or nothing else was.

    Parameters
    ----------
    method : str
    sigma : str or None
        What was asked for.
    spectrum : Spectrum
    is_own : bool
        Whether the intensity is the one the column stands beside by default, and not another column.

    Raises
    ------
    ReadError
        When it was asked for and is not there.
    """
    if sigma not in (None, "column") or "sigma" not in METHODS[method].parameters:
        return {}
    values = spectrum.columns.get(SIGMA_COLUMN)
    if sigma == "column":
        if values is None:
            found = ", ".join(repr(name) for name in spectrum.columns) or "no others"
            msg = (
                f"'{spectrum.label}' must have the column {SIGMA_COLUMN!r} for --sigma column; found {found[:1000]}. "
                "Name the column so, or take scatter."
            )
            raise ReadError(msg)
        return {"sigma": values}
    if values is None or not is_own or _SEPARATED in spectrum.columns or not np.isfinite(values).any():
        return {}
    missing = np.count_nonzero(np.isfinite(spectrum.intensity) & ~np.isfinite(values))
    if missing:
        click.echo(f"  the column {SIGMA_COLUMN!r} is left aside: it is not known at {missing} samples")
        return {}
    click.echo(f"  standard errors of the samples: the column {SIGMA_COLUMN!r}; to ignore it: --sigma scatter")
    return {"sigma": values}


def _convert(name: str, text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(default, int):
            return int(text)
        if default is None and text.lower() == "none":
            return None
        number = float(text)
    except (ValueError, KeyError) as error:
        kind = {bool: "true or false", int: "a whole number"}.get(type(default), "a number")
        msg = f"--param {name} must be {kind}; found {text!r}."
        raise click.UsageError(msg) from error
    # Found from the data unless given: a place on the axis, or a number of samples, which has to be whole.
    return int(number) if default is None and number.is_integer() else number
