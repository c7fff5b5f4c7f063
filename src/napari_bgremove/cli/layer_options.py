"""Options with which a training also removes the background of hidden layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import click

from napari_bgremove.cli.options import recipe_options
from napari_bgremove.cli.training import flag, refuse
from napari_bgremove.spectra.layer_background import LayerBackground

__all__ = ["layer_background_options", "take_layer_background"]

Command = TypeVar("Command", bound=Callable[..., Any])

_PREFIX = "layer_"
# What switches the term on; the other numbers have defaults.
_STRENGTH = click.option(
    "--layer-background", type=click.FloatRange(min=0), metavar="STRENGTH",
    help="Shrink what of the hidden layers is background while the network learns, with this strength against its "
    "loss: 0.02 is good for a loss of order one, 0 only measures. Off otherwise. See 'bgremove layers'.",
)  # fmt: skip
_OTHERS = tuple(field.name for field in fields(LayerBackground) if field.name != "strength")


def layer_background_options(command: Command) -> Command:
    """Give a command that trains the options of the term: one to switch it on, one for each of its numbers."""
    return _STRENGTH(recipe_options(LayerBackground, leave_out=("strength",), prefix=_PREFIX)(command))


def take_layer_background(options: dict[str, Any]) -> LayerBackground | None:
    """Take the options of the term out of those of a command, and return it; None where it is off."""
    strength = options.pop("layer_background")
    others = {name: options.pop(_PREFIX + name) for name in _OTHERS}
    given = {name: value for name, value in others.items() if value is not None}
    if strength is None:
        if given:
            refuse(f"{flag(_PREFIX + next(iter(given)))} needs --layer-background, which switches the term on.")
        return None
    return LayerBackground(strength=strength, **given)
