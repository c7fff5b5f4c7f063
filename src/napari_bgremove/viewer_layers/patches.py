"""Patches in the viewer: where they were cut, how they look, what a pair of them makes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.images.pairs import TrainingPair
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.viewer_layers.geometry import geometry_of
from napari_bgremove.viewer_layers.results import find_layer, put_image

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image, Shapes

__all__ = [
    "ROLE_COLOURS",
    "patch_at",
    "patch_corners",
    "patch_under",
    "show_gallery",
    "show_pair",
    "show_patches",
    "show_too_dark",
]

ROLE_COLOURS = {"signal": "#2ca02c", "background": "#ff7f0e"}
REJECTED = "#d62728"
_GALLERY, _PAIR = "Patch gallery", "Training pair (input | signal | background)"
_GAP = 4  # pixels between the tiles of a mosaic
_TILES_PER_ROW = 8


def patch_corners(patches: PatchSet) -> NDArray[np.float64]:
    """Return the corners of the patches, shape (n, 4, 2), in pixels of their image."""
    return _corners(patches.patch, patches.positions, patches.angles)


def show_patches(viewer: Viewer | ViewerModel, image: Image, patches: PatchSet, keep: NDArray[np.bool_]) -> Shapes:
    """Draw where patches were cut from an image; rejected ones in red.

    The layer belongs to the image and the role, and is drawn anew each time.
    """
    colours = [ROLE_COLOURS[patches.role] if kept else REJECTED for kept in keep]
    return _draw(viewer, image, f"{patches.role} patches", patch_corners(patches), colours, edge_width=3)


def show_too_dark(viewer: Viewer | ViewerModel, image: Image, patches: PatchSet, *, most: int = 50) -> Shapes:
    """Draw some of the places that the threshold rejected, in thin red: a thousand would hide the image."""
    places = patches.too_dark[:most]
    corners = _corners(patches.patch, places[:, :2], places[:, 2])
    return _draw(viewer, image, "too dark for patches", corners, [REJECTED] * len(corners), edge_width=1)


def _corners(patch: int, positions: NDArray[np.float64], angles: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    half = (patch - 1) / 2
    square = np.array([[-half, -half], [-half, half], [half, half], [half, -half]])
    angle = np.deg2rad(angles)
    c, s = np.cos(angle), np.sin(angle)
    rotation = np.moveaxis(np.array([[c, s], [-s, c]]), -1, 0)  # as the patches are cut
    corners: NDArray[np.float64] = np.einsum("nij,kj->nki", rotation, square) + positions[:, None, :]
    return corners


def _draw(
    viewer: Viewer | ViewerModel,
    image: Image,
    what: str,
    corners: NDArray[np.float64],
    colours: list[str],
    *,
    edge_width: int,
) -> Shapes:
    name, role = f"{image.name} - {what}", what.replace(" ", "_")
    layer = find_layer(viewer, name, role=role)
    if layer is not None:
        if len(layer.data) == len(corners) and np.allclose(layer.data, corners):
            layer.edge_color = colours
            return layer
        viewer.layers.remove(layer)
    selection = set(viewer.layers.selection)
    layer = viewer.add_shapes(
        list(corners), shape_type="polygon", name=name, edge_color=colours, face_color="transparent",
        edge_width=edge_width, metadata={"napari_bgremove": {"role": role}}, **geometry_of(image, ndim=2),
    )  # fmt: skip
    layer.editable = False
    viewer.layers.selection = selection
    return layer


def patch_at(shapes: Shapes, world: Sequence[float]) -> int | None:
    """Return the patch at a point of the world; of several the one whose centre is nearest."""
    found = patch_under([shapes], world)
    return None if found is None else found[1]


def patch_under(drawings: Iterable[Shapes], world: Sequence[float]) -> tuple[Shapes, int] | None:
    """Return the drawing and the number of the patch at a point of the world; of several the nearest centre."""
    found = [(distance, shapes, number) for shapes in drawings for distance, number in _patches_at(shapes, world)]
    if not found:
        return None
    _, shapes, number = min(found, key=lambda one: one[0])
    return shapes, number


def _patches_at(shapes: Shapes, world: Sequence[float]) -> list[tuple[float, int]]:
    """Return every patch that holds the point, as its distance from the centre (in the world) and its number."""
    corners = np.array([np.asarray(c)[:, -2:] for c in shapes.data])
    if len(corners) == 0:
        return []
    to_point = np.asarray(shapes.world_to_data(world))[-2:] - corners
    edges = np.roll(corners, -1, axis=1) - corners
    side = edges[..., 0] * to_point[..., 1] - edges[..., 1] * to_point[..., 0]
    inside = np.flatnonzero((side >= 0).all(axis=1) | (side <= 0).all(axis=1))
    distances = np.linalg.norm(to_point[inside].mean(axis=1) * np.asarray(shapes.scale)[-2:], axis=-1)
    return [(float(distance), int(number)) for distance, number in zip(distances, inside, strict=True)]


def show_gallery(
    viewer: Viewer | ViewerModel, beside: Image | None, sets: Sequence[PatchSet], *, most: int = 36
) -> Image:
    """Show patches as a mosaic below an image, if any, role by role, each tile in its own contrast."""
    rows = []
    for patches in sets:
        chosen = np.unique(np.linspace(0, len(patches) - 1, min(most, len(patches))).round().astype(int))
        tiles = [_stretched(patches.patches[i]) for i in chosen]
        rows += [tiles[i : i + _TILES_PER_ROW] for i in range(0, len(tiles), _TILES_PER_ROW)]
    return _put_at(viewer, beside, (1, 0), _GALLERY, _mosaic(rows), role="gallery")


def show_pair(viewer: Viewer | ViewerModel, beside: Image | None, pair: TrainingPair) -> Image:
    """Show what the network gets and what it is to give, on one scale, right of an image, if any."""
    mosaic = _mosaic([[pair.measured], [pair.signal], [pair.background]])
    return _put_at(viewer, beside, (0, 1), _PAIR, mosaic, role="pair")


def _put_at(
    viewer: Viewer | ViewerModel,
    image: Image | None,
    side: tuple[int, int],
    name: str,
    mosaic: NDArray[np.float32],
    *,
    role: str,
) -> Image:
    """Put a mosaic below (1, 0) or right (0, 1) of an image, in pixels of the same size; or where there is room."""
    place: dict[str, Any] = {}
    if image is not None:
        geometry = geometry_of(image, ndim=2)
        corner = [past * (size + 2 * _GAP) for past, size in zip(side, image.data.shape[-2:], strict=True)]
        world = image.data_to_world((*([0] * (image.ndim - 2)), *corner))
        place = {"scale": geometry["scale"], "units": geometry["units"], "translate": tuple(world)[-2:]}
    return put_image(viewer, name, mosaic, role=role, colormap="magma", contrast_limits=(0, 1), **place)


def _mosaic(rows: Sequence[Sequence[NDArray[Any]]]) -> NDArray[np.float32]:
    side = rows[0][0].shape[0]
    step = side + _GAP
    picture = np.full((len(rows) * step - _GAP, max(map(len, rows)) * step - _GAP), np.nan, np.float32)
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            picture[i * step : i * step + side, j * step : j * step + side] = tile
    return picture


def _stretched(patch: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.nanpercentile(patch, (1, 99.5))
    stretched: NDArray[np.float32] = np.clip((patch - low) / max(high - low, 1e-12), 0, 1)
    return stretched
