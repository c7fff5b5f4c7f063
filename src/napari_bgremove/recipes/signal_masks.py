"""Which signal mask belongs to which full shot, where nobody has drawn one; a shot without signal cannot give one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ComputeError, ReadError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

__all__ = ["Shot", "pair_shots", "propose_mask", "signal_masks"]


class Shot(Protocol):
    """A frame that is read when it is needed."""

    @property
    def file(self) -> str:
        """What it is called in a message."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""

    def read(self) -> NDArray[np.float32]:
        """Read the frame; NaN where a pixel is not usable."""


def pair_shots(references: Sequence[Shot], shots: Sequence[Shot], mask: str | None = None) -> str:
    """Check the shapes of the shots that meet, and say in words where the signal masks come from.

    Parameters
    ----------
    references, shots : sequence of Shot
        X-ray-only and full ones.
    mask : str, optional
        Mask file for all full shots.

    Raises
    ------
    ReadError
        When shots that meet differ in shape.
    """
    if mask is not None:
        for shot in shots:
            _check_shape(shot, shots[0])
        return f"'{Path(mask).name}' for all {len(shots)} full shots"
    if len(references) == len(shots):
        for shot, reference in zip(shots, references, strict=True):
            _check_shape(shot, reference)
        return f"each of the {len(shots)} full shots has that of its own x-ray-only shot, in the order given"
    for shot in (*references, *shots):
        _check_shape(shot, references[0])
    return (
        f"{len(references)} x-ray-only and {len(shots)} full shots do not correspond one to one, so one mask, of the "
        "mean of the x-ray-only shots, serves all full shots"
    )


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
            f"background by {threshold:g} times its scatter. Lower the threshold, or leave this shot out."
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


def _check_shape(shot: Shot, reference: Shot) -> None:
    if shot.shape != reference.shape:
        msg = (
            f"'{shot.file}' must have the shape of '{reference.file}' ({describe_shape(reference.shape)}); found "
            f"{describe_shape(shot.shape)}."
        )
        raise ReadError(msg)
