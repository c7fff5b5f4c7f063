"""How a command takes a model: a file, a run folder, or the word for one that comes along."""

from __future__ import annotations

from pathlib import Path

import click

from napari_bgremove.io.bundled import BUNDLED_MODELS

__all__ = ["IMAGE_MODEL", "MODEL", "find_model"]

_WORDS = " or ".join(f"'{word}'" for word in BUNDLED_MODELS)


class _Model(click.ParamType):  # type: ignore[type-arg]  # has none in click 8.1
    name = "model"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        """Return the word; it names what is there."""
        if value not in BUNDLED_MODELS and not Path(value).exists():
            self.fail(f"'{value}' does not exist; give a model file, a run folder, or {_WORDS}.", param, context)
        return value


class _ImageModel(click.ParamType):  # type: ignore[type-arg]  # has none in click 8.1
    name = "file"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        """Return the file that is meant."""
        file = BUNDLED_MODELS.get(value, Path(value))
        if not file.is_file():
            self.fail(f"'{value}' does not exist; give a model file, or {_WORDS}.", param, context)
        return str(file)


#: Of any subject.
MODEL = _Model()
#: A file of a model for images.
IMAGE_MODEL = _ImageModel()


def find_model(word: str) -> Path:
    """Return the model file that is meant.

    Raises
    ------
    ReadError
        When a folder holds no model.
    """
    from napari_bgremove.engine.layer_models import find_model_file

    return BUNDLED_MODELS.get(word) or find_model_file(Path(word))
