"""Patches are drawn where they were cut, also turned ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.images.pairs import combine_patches
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.images.patches import extract_signal_patches
from napari_bgremove.viewer_layers.patches import (
    patch_at,
    patch_corners,
    patch_under,
    show_gallery,
    show_pair,
    show_patches,
)


@pytest.fixture
def patches() -> PatchSet:
    rows, columns = np.mgrid[:200, :240]
    return extract_signal_patches((rows * 1000 + columns).astype(np.float32), count=6, seed=3, patch=32, name="shot")


def test_corners_hold_what_the_patch_holds(patches: PatchSet) -> None:
    """In an image whose value tells its pixel, the corners of each patch say where it was cut."""
    corners = patch_corners(patches)
    for cut, corner in zip(patches.patches, corners, strict=True):
        values = [cut[0, 0], cut[0, -1], cut[-1, -1], cut[-1, 0]]
        assert_allclose(values, corner @ [1000, 1], atol=1)


def test_rejected_patches_are_drawn_in_red_in_the_same_layer(patches: PatchSet) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((200, 240)), name="shot", scale=(2, 3))
    keep = np.ones(6, bool)
    first = show_patches(viewer, image, patches, keep)
    keep[2] = False
    assert show_patches(viewer, image, patches, keep) is first
    colours = {tuple(np.round(c, 2)) for c in first.edge_color}
    assert len(colours) == 2
    assert_array_equal(np.flatnonzero(np.any(first.edge_color != first.edge_color[0], axis=1)), [2])


def test_as_many_patches_from_other_places_are_drawn_where_they_were_cut(patches: PatchSet) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((200, 240)), name="shot")
    show_patches(viewer, image, patches, np.ones(6, bool))
    moved = dataclasses.replace(patches, positions=patches.positions + 5)
    shapes = show_patches(viewer, image, moved, np.ones(6, bool))
    assert_allclose(shapes.data, patch_corners(moved))
    assert len(viewer.layers) == 2


def test_a_click_finds_the_patch_under_it(patches: PatchSet) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((200, 240)), name="shot", scale=(2, 3), translate=(10, 20))
    shapes = show_patches(viewer, image, patches, np.ones(6, bool))
    for number, centre in enumerate(patches.positions):
        assert patch_at(shapes, image.data_to_world(centre)) == number
    assert patch_at(shapes, image.data_to_world((-50, -50))) is None


def test_gallery_and_pair_lie_beside_the_image_and_are_updated_in_place(patches: PatchSet) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((200, 240)), name="shot", scale=(0.5, 0.5))
    viewer.layers.selection.active = image
    gallery = show_gallery(viewer, image, [patches])
    pair = show_pair(viewer, image, combine_patches(patches.patches[0], np.zeros((32, 32), np.float32)))
    assert gallery.extent.world[0, 0] > 100
    assert pair.extent.world[0, 1] > 120
    assert show_gallery(viewer, image, [patches]) is gallery
    assert viewer.layers.selection.active is image


def test_of_two_drawings_the_nearer_centre_is_found_and_patches_of_one_place_are_not_mixed_up(
    patches: PatchSet,
) -> None:
    viewer = ViewerModel()
    near = viewer.add_image(np.zeros((200, 240)), name="near", scale=(2, 3))
    far = viewer.add_image(np.zeros((200, 240)), name="far", scale=(2, 3))
    moved = dataclasses.replace(patches, positions=patches.positions + 6)
    drawings = [show_patches(viewer, image, p, np.ones(6, bool)) for image, p in ((near, patches), (far, moved))]
    for number in range(6):
        for drawing, image, p in zip(drawings, (near, far), (patches, moved), strict=True):
            assert patch_under(drawings, image.data_to_world(p.positions[number])) == (drawing, number)
    assert patch_under(drawings, near.data_to_world((-50, -50))) is None
    assert patch_under([], (0, 0)) is None
