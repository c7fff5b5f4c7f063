"""The weights of a denoiser's model file for the network in numpy; torch is neither needed nor imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import safetensors.numpy
from numpy.typing import NDArray

from napari_bgremove._model_header import (
    damaged,
    digest_tensors,
    find_subject,
    open_model_file,
    parse_description,
    parse_header,
)
from napari_bgremove.errors import ModelFileError
from napari_bgremove.numpy_network.spec import PriorGuidedSpec

__all__ = ["read_numpy_weights"]


def read_numpy_weights(path: str | os.PathLike[str]) -> tuple[PriorGuidedSpec, dict[str, NDArray[Any]]]:
    """Read network and weights of a denoiser, as `numpy_network.network.NumpyPriorGuidedNet` takes them.

    Parameters
    ----------
    path : path-like
        A file written by `learning.model_file.write_model`.

    Returns
    -------
    spec : PriorGuidedSpec
    weights : dict of str to ndarray
        Parameters and running statistics by their names in torch, float32.

    Raises
    ------
    ModelFileError
        When the file is damaged, of another program, or no denoiser.
    """
    path = Path(path)
    with open_model_file(path) as file:
        content = file.read()
    description = parse_description(path.name, parse_header(path.name, content))
    subject = find_subject(description)
    if subject != "signals":
        msg = f"'{path.name}' must be a model for signals; found one for {subject or 'something unknown'}."
        raise ModelFileError(msg)
    try:
        tensors = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise damaged(path.name, "its tensors cannot be read") from error
    if digest_tensors(tensors) != description.get("tensors_sha256"):
        raise damaged(path.name, "its checksum does not match its content")
    weights = {name.removeprefix("model/"): value for name, value in tensors.items() if name.startswith("model/")}
    try:
        return PriorGuidedSpec.from_dict(description["network"]), weights
    except (TypeError, ValueError) as error:
        msg = f"'{path.name}' has an invalid description: {error}"
        raise ModelFileError(msg) from error
