"""Model files of all three subjects, for what is done to any network: looked into, and made smaller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_bgremove._model_header import check_model_file, find_subject
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.errors import ModelFileError, ReadError

if TYPE_CHECKING:
    from napari_bgremove.learning.model_file import LoadedModel, LoadedSignalModel, LoadedSpectraModel

    AnyModel = LoadedModel | LoadedSpectraModel | LoadedSignalModel

__all__ = ["find_model_file", "find_run", "read_any_model"]


def find_model_file(path: Path) -> Path:
    """Return a model file as it is, and of a run folder its best model, or the newest where none is best yet.

    Raises
    ------
    ReadError
        When a folder holds no model.
    """
    if not path.is_dir():
        return path
    folder = RunFolder(path)
    found = next((file for file in (folder.best, folder.model) if file.is_file()), None)
    if found is None:
        msg = f"'{path}' must be a model file, or the folder of a run that has finished an epoch; found no model in it."
        raise ReadError(msg)
    return found


def find_run(model: Path) -> RunFolder | None:
    """Return the run a model file lies in, as its best or newest model or that of an epoch; None where in none."""
    places = (model.parent, model.parent.parent) if model.parent.name == "epochs" else (model.parent,)
    return next((RunFolder(place) for place in places if RunFolder(place).job.is_file()), None)


def read_any_model(path: Path) -> AnyModel:
    """Read the model file of a network for images, spectra or signals.

    Raises
    ------
    ModelFileError
        When it is none, or is not whole.
    """
    from napari_bgremove.learning import model_file

    subject = find_subject(check_model_file(path))
    readers: dict[str, Callable[[Path], AnyModel]] = {
        "images": model_file.read_model,
        "spectra": model_file.read_spectra_model,
        "signals": model_file.read_signal_model,
    }
    if subject is None:
        msg = f"'{path.name}' holds a network that this version does not know. Update napari-bgremove."
        raise ModelFileError(msg)
    return readers[subject](path)
