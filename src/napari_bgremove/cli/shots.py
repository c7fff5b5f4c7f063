"""Shots for a command: opened at once, read one by one behind the gate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

from napari_bgremove.errors import ComputeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_bgremove.io.images import ImageStack

__all__ = ["Gate", "Shot", "open_shots", "show_progress"]

Item = TypeVar("Item")


@dataclass(frozen=True)
class Gate:
    """What the options say of unusable pixels; what they leave open, the file says.

    Attributes
    ----------
    gap_values : tuple of float
        Empty: those the gate knows.
    saturation : float or None
        None takes the file's word, if any.
    valid_mask : str or None
        File that is not 0 where a pixel is usable.
    """

    gap_values: tuple[float, ...] = ()
    saturation: float | None = None
    valid_mask: str | None = None
    _masks: dict[tuple[int, int], Any] = field(default_factory=dict, compare=False, repr=False)

    def read(self, stack: ImageStack, index: int) -> NDArray[np.float32]:
        """Read a frame; NaN where a pixel is not usable."""
        from napari_bgremove.images.gate import gate_image

        saturation = self.saturation if self.saturation is not None else stack.metadata.get("saturation")
        try:
            return gate_image(
                stack.frame(index),
                valid_mask=self.mask_for(stack),
                gap_values=self.gap_values or None,
                saturation=saturation,
            ).values
        except ComputeError as error:
            raise ComputeError(str(error).replace("'image'", f"'{_name(stack, index)}'", 1)) from error

    def mask_for(self, stack: ImageStack) -> Any:
        """Return the mask of usable pixels of a stack, read once, or None."""
        from napari_bgremove.io.masks import read_mask

        if self.valid_mask is None:
            return None
        if stack.shape not in self._masks:
            self._masks[stack.shape] = read_mask(self.valid_mask, shape=stack.shape, role="valid")
        return self._masks[stack.shape]

    def to_dict(self) -> dict[str, Any]:
        """Return what was asked for, as plain values for a record."""
        return {
            "gap_values": list(self.gap_values) or None,
            "saturation": self.saturation,
            "valid_mask": self.valid_mask,
        }


@dataclass(frozen=True)
class Shot:
    """One frame of a file, not read yet."""

    stack: ImageStack
    index: int
    gate: Gate

    @property
    def name(self) -> str:
        """Name without suffix, with the frame's number where there are several."""
        return f"{self.stack.name}[{self.index}]" if self.stack.is_stack else self.stack.name

    @property
    def file(self) -> str:
        """Name with suffix, for a message."""
        return _name(self.stack, self.index)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.stack.shape

    def read(self) -> NDArray[np.float32]:
        """Read the frame; NaN where a pixel is not usable."""
        return self.gate.read(self.stack, self.index)


def open_shots(paths: Sequence[str], *, dataset: str | None, gate: Gate) -> list[Shot]:
    """Open files without reading their pixels, and print what they have to say."""
    from napari_bgremove.io.images import open_images

    shots = []
    for path in paths:
        stack = open_images(path, dataset=dataset)
        gate.mask_for(stack)  # a mask of another shape is refused before any work
        for note in stack.notes:
            click.echo(f"  {note}")
        shots += [Shot(stack, index, gate) for index in range(len(stack))]
    return shots


@contextmanager
def show_progress(items: Iterable[Item], *, label: str, length: int) -> Iterator[Iterable[Item]]:
    """Show a bar with the time left while the items are gone through; in a log file, the label alone."""
    with click.progressbar(items, label=f"  {label}", length=length, show_pos=True) as bar:
        yield bar


def _name(stack: ImageStack, index: int) -> str:
    return f"{stack.path.name}[{index}]" if stack.is_stack else stack.path.name
