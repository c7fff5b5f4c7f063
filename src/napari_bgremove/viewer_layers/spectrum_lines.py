"""Lines, paths and rectangles that a person draws on an image, as paths in its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove.viewer_layers.geometry import frame_shape, geometry_of

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image, Shapes

__all__ = ["LINES_ROLE", "LINE_COLOURS", "DrawnLine", "add_lines_layer", "colour_lines", "lines_of"]

LINES_ROLE = "spectrum_lines"
LINE_COLOURS = ("#ff7f0e", "#1f9bff", "#2ca02c", "#e377c2", "#bcbd22", "#17becf")
_PATHS = ("line", "path")


@dataclass(frozen=True)
class DrawnLine:
    """A line on an image.

    Attributes
    ----------
    name : str
        As table and legend call it.
    colour : str
        On the image and in the plot.
    vertices : ndarray, shape (k, 2)
        (row, column) in pixels of the image.
    is_rectangle : bool
        Whether these are the corners of a rectangle, and not a path.
    """

    name: str
    colour: str
    vertices: NDArray[np.float64]
    is_rectangle: bool = False


def add_lines_layer(viewer: Viewer | ViewerModel, image: Image) -> Shapes:
    """Add a layer to draw lines in, with a line across the middle of the image to begin with."""
    rows, columns = frame_shape(image)
    layer = viewer.add_shapes(
        [np.array([[rows / 2, columns * 0.1], [rows / 2, columns * 0.9]])], shape_type="line",
        edge_width=max(1.0, columns / 400), edge_color=LINE_COLOURS[0], face_color="transparent",
        name=f"{image.name} - spectrum lines",
        metadata={"napari_bgremove": {"role": LINES_ROLE, "of": image.name}}, **geometry_of(image, ndim=2),
    )  # fmt: skip
    layer.mode = "direct"  # the ends can be dragged at once
    return layer


def colour_lines(shapes: Shapes) -> None:
    """Give each line its colour, so that image and plot show them alike; the next one drawn gets the next."""
    # Only where it changes: each of the two draws the layer anew.
    wanted = [_colour(number) for number in range(len(shapes.data))]
    if wanted and not _is_alike(shapes.edge_color, [_rgba(colour) for colour in wanted]):
        shapes.edge_color = wanted
    following = _colour(len(wanted))
    if not _is_alike(_rgba(shapes.current_edge_color), _rgba(following)):
        shapes.current_edge_color = following


def lines_of(shapes: Shapes, image: Image) -> list[DrawnLine]:
    """Return what is drawn in a layer, in pixels of an image; ellipses and polygons are no lines."""
    found = []
    for number, (corners, kind) in enumerate(zip(shapes.data, shapes.shape_type, strict=True)):
        if kind in (*_PATHS, "rectangle") and len(corners) > 1:
            vertices = np.array([image.world_to_data(shapes.data_to_world(corner))[-2:] for corner in corners])
            found.append(DrawnLine(f"line {number + 1}", _colour(number), vertices, kind == "rectangle"))
    return found


@cache
def _rgba(colour: str) -> NDArray[np.float32]:
    """Red, green, blue and opacity; kept, since lines are looked at with every move."""
    from napari.utils.colormaps.standardize_color import transform_color

    return np.asarray(transform_color(colour)[0])


def _is_alike(given: ArrayLike, wanted: ArrayLike) -> bool:
    return bool(np.all(np.abs(np.subtract(given, wanted)) < 1e-3))


def _colour(number: int) -> str:
    return LINE_COLOURS[number % len(LINE_COLOURS)]
