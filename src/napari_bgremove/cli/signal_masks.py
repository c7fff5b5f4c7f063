"""Signal masks that a command proposes by itself; a shot without signal cannot give one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from napari_bgremove.errors import ComputeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_bgremove.cli.shots import Shot
    from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

__all__ = ["propose_mask", "signal_masks"]


def propose_mask(
    image: NDArray[np.float32], *, name: str, threshold: float, grow: int, window: int = 257, minimum_size: int = 64
) -> NDArray[np.bool_]:
    """Estimate the signal mask of an x-ray-only image.

    Raises
    ------
    ComputeError
        When it would be empty: all signal of a full shot would pass for background.
    """
    from napari_bgremove.images.masks import estimate_signal_mask

    mask = estimate_signal_mask(image, threshold=threshold, window=window, grow=grow, minimum_size=minimum_size)
    if not mask.any():
        shrunk = f" when shrunk by {-grow}" if grow < 0 else ""
        msg = (
            f"'{name}' must show signal: nothing of {minimum_size} pixels or more is left{shrunk} above the local "
            f"background by {threshold:g} times its scatter. Lower --threshold, or leave this shot out."
        )
        raise ComputeError(msg)
    return mask


def signal_masks(
    references: Sequence[Shot], shots: Sequence[Shot], file: str | None, recipe: SaxsUnetRecipe
) -> Iterator[NDArray[np.bool_]]:
    """Yield the signal mask of each full shot; one image in memory at a time.

    It is that of the file, if any; otherwise that of the shot's own x-ray-only
    shot where there are as many, and of their mean where there are not.
    """
    from napari_bgremove.images.stacks import mean_image
    from napari_bgremove.io.masks import read_mask

    assert recipe.mask_threshold is not None  # given by the options
    assert recipe.mask_grow is not None
    threshold, grow = recipe.mask_threshold, recipe.mask_grow
    if file is None and len(references) == len(shots):
        for shot in references:
            yield propose_mask(shot.read(), name=shot.file, threshold=threshold, grow=grow)
        return
    if file is not None:
        one = read_mask(file, shape=shots[0].shape, role="signal")
    else:
        mean = mean_image(shot.read() for shot in references)
        one = propose_mask(mean, name="mean of the x-ray-only shots", threshold=threshold, grow=grow)
    for _ in shots:
        yield one
