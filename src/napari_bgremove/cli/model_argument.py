"""The argument with which a command takes a model of any subject: a file, a run folder, or the bundled one."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["MODEL", "find_model"]

_BUNDLED = "bundled"


class _Model(click.ParamType):  # type: ignore[type-arg]  # has none in click 8.1
    name = "model"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        """Return the word; it names what is there."""
        if value != _BUNDLED and not Path(value).exists():
            self.fail(f"'{value}' does not exist; give a model file, a run folder, or '{_BUNDLED}'.", param, context)
        return value


MODEL = _Model()


def find_model(word: str) -> Path:
    """Return the model file that is meant.

    Raises
    ------
    ReadError
        When a folder holds no model.
    """
    from napari_bgremove.engine.layer_models import find_model_file
    from napari_bgremove.io.bundled import BUNDLED_MODEL

    return BUNDLED_MODEL if word == _BUNDLED else find_model_file(Path(word))
