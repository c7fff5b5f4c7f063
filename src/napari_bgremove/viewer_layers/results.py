"""The only code that reads or writes napari layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_bgremove.separation import Separation

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["add_separation"]


def add_separation(viewer: Viewer, name: str, separation: Separation, **geometry: Any) -> None:
    """Add the parts of a separation as layers of their own.

    Parameters
    ----------
    viewer : napari.Viewer
    name : str
        Name of the measured layer; the others are called after it.
    separation : Separation
    **geometry
        scale, translate, units, axis_labels of the measured layer.
    """
    # napari shares the memory of what it is given: every layer gets its own.
    measured = viewer.add_image(separation.measured.copy(), name=name, colormap="magma", **geometry)
    limits = measured.contrast_limits
    parts = {"background (noise)": separation.background, "signal": separation.signal}
    for part, values in parts.items():
        viewer.add_image(
            values.copy(), name=f"{name} - {part}", colormap="magma", contrast_limits=limits,
            metadata={"napari_bgremove": dict(separation.provenance)}, **geometry,
        )  # fmt: skip
