"""How well a model that was read does what it did where it was written."""

from __future__ import annotations

import safetensors

from napari_bgremove.errors import ModelFileError
from napari_bgremove.learning.model_file import LoadedModel, self_test

__all__ = ["measure_self_test"]


def measure_self_test(model: LoadedModel) -> float:
    """Return the deviation that `read_model` has found small enough: computed anew, from the expectation in the file.

    Raises
    ------
    ModelFileError
        When the file cannot be read any more.
    """
    try:
        with safetensors.safe_open(model.path, "pt") as file:
            expected = file.get_tensor("selftest/signal"), file.get_tensor("selftest/background")
    except (OSError, safetensors.SafetensorError) as error:
        msg = f"'{model.path.name}' cannot be read any more. Choose the model again."
        raise ModelFileError(msg) from error
    return self_test(model.network, expected)
