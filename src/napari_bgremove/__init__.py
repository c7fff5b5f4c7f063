"""Take detector images and spectra apart into signal and background.

Nothing is imported here until it is asked for: napari reads this package at
start-up, and a person who only draws masks must never wait for torch.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers understand it, without the cost of importing `typing`
if TYPE_CHECKING:
    from napari_bgremove.errors import ComputeError, ModelFileError, ReadError
    from napari_bgremove.images.masks import estimate_signal_mask
    from napari_bgremove.io.bundled import BUNDLED_MODEL, FAST_MODEL
    from napari_bgremove.io.images import read_image
    from napari_bgremove.learning.inference import separate_image
    from napari_bgremove.learning.model_file import read_model
    from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
    from napari_bgremove.separation import Separation, Separator

__all__ = [
    "BUNDLED_MODEL",
    "FAST_MODEL",
    "ComputeError",
    "ModelFileError",
    "ReadError",
    "SaxsUnetRecipe",
    "Separation",
    "Separator",
    "__version__",
    "estimate_signal_mask",
    "read_image",
    "read_model",
    "separate_image",
]

__version__ = "0.1.0"

# Where each public name lives; tests/test_imports.py holds it equal to the imports above.
_HOMES = {
    "BUNDLED_MODEL": "io.bundled",
    "FAST_MODEL": "io.bundled",
    "ComputeError": "errors",
    "ModelFileError": "errors",
    "ReadError": "errors",
    "SaxsUnetRecipe": "recipes.saxs_unet",
    "Separation": "separation",
    "Separator": "separation",
    "estimate_signal_mask": "images.masks",
    "read_image": "io.images",
    "read_model": "learning.model_file",
    "separate_image": "learning.inference",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
