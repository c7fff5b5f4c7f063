"""The patches panel in a real viewer: tick, extract, reject by a click, preview, save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_bgremove.io.patch_sets import read_patch_set
from napari_bgremove.viewer_layers.masks import add_mask_layer
from napari_bgremove.widgets.patches_panel import PatchesPanel

SHAPE = (160, 200)


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    rng = np.random.default_rng(0)
    stripe = np.zeros(SHAPE)
    stripe[:, :60] = 30
    hits = (rng.random(SHAPE) < 0.05) * rng.uniform(20, 90, SHAPE)
    viewer = make_napari_viewer_proxy()
    viewer.add_image((rng.poisson(stripe) + hits).astype(np.float32), name="full")
    xray = viewer.add_image(rng.poisson(stripe).astype(np.float32), name="xray")
    add_mask_layer(viewer, xray, stripe > 0)
    return viewer


@pytest.fixture
def panel(viewer: Any) -> PatchesPanel:
    panel = PatchesPanel(viewer)
    viewer.window.add_dock_widget(panel, name="Patches")
    panel.sources["signal"].tick(viewer.layers["xray"])
    panel.sources["background"].tick(viewer.layers["full"])
    panel.form.patch.setValue(32)
    panel.form.signal_count.setValue(12)
    panel.form.background_count.setValue(9)
    return panel


@pytest.fixture
def extracted(qtbot: Any, panel: PatchesPanel, click: Callable[..., None]) -> PatchesPanel:
    click(panel, "Extract")
    qtbot.waitUntil(lambda: len(panel.patch_sets) == 2, timeout=20_000)
    return panel


def test_patches_are_cut_drawn_and_counted(viewer: Any, extracted: PatchesPanel) -> None:
    assert len(viewer.layers["xray - signal patches"].data) == 12
    assert len(viewer.layers["full - background patches"].data) == 9
    assert "12 signal patches, 9 background patches; 0 rejected" in extracted.summary.text()
    assert "lies outside the mask (good)" in extracted.summary.text()
    background = extracted.patch_sets["background"]
    assert (background.positions[:, 1] >= 60 + 15.5).all(), "none touches the masked stripe"


def test_a_mask_that_is_too_small_is_said(
    qtbot: Any, viewer: Any, panel: PatchesPanel, click: Callable[..., None]
) -> None:
    mask = viewer.layers["xray - signal mask"]
    mask.data_setitem(np.nonzero(np.indices(SHAPE)[1] >= 30), 0)
    click(panel, "Extract")
    qtbot.waitUntil(lambda: "the mask is too small" in panel.summary.text(), timeout=20_000)


def test_a_click_rejects_a_patch_and_another_takes_it_back(viewer: Any, extracted: PatchesPanel) -> None:
    shapes = viewer.layers["full - background patches"]
    (callback,) = shapes.mouse_drag_callbacks
    centre = extracted.patch_sets["background"].positions[4]

    class Event:
        position = tuple(viewer.layers["full"].data_to_world(centre))

    callback(shapes, Event())
    assert len(extracted.patch_sets["background"]) == 8
    assert "1 rejected" in extracted.summary.text()
    callback(shapes, Event())
    assert len(extracted.patch_sets["background"]) == 9


def test_saved_sets_are_what_training_reads(extracted: PatchesPanel, tmp_path: Path) -> None:
    extracted.reject(("signal", "xray"), 0)
    extracted.save(tmp_path)
    assert len(read_patch_set(tmp_path / "signal.npz")) == 11
    assert read_patch_set(tmp_path / "background.npz").role == "background"


def test_the_pair_follows_the_slider_and_the_normalisation(viewer: Any, extracted: PatchesPanel) -> None:
    pair = viewer.layers["Training pair (input | signal | background)"]
    before = np.array(pair.data)
    extracted.pair_form.slider.setValue(20)
    bright = np.array(pair.data)
    assert not np.array_equal(before, bright, equal_nan=True)
    extracted.pair_form.choice.setCurrentText("literal")
    assert not np.array_equal(bright, np.array(pair.data), equal_nan=True)


def test_too_large_a_patch_is_one_sentence_and_the_button_comes_back(
    qtbot: Any, panel: PatchesPanel, click: Callable[..., None]
) -> None:
    panel.form.patch.setValue(512)
    click(panel, "Extract")
    qtbot.waitUntil(lambda: "does not fit the image" in panel.message.text, timeout=20_000)
    assert panel.extract_button.isEnabled()


def test_nothing_ticked_is_said(viewer: Any, panel: PatchesPanel, click: Callable[..., None]) -> None:
    panel.sources["signal"].tick(viewer.layers["xray"], on=False)
    click(panel, "Extract")
    assert "Tick at least one x-ray-only image and one full shot" in panel.message.text


def click_at_a_patch(viewer: Any, drawing: Any, centre: Any) -> None:
    class Event:
        position = tuple(drawing.data_to_world(centre))

    for callback in drawing.mouse_drag_callbacks:
        callback(drawing, Event())


def test_a_mask_that_does_not_fit_is_said_and_the_button_stays(
    viewer: Any, panel: PatchesPanel, click: Callable[..., None]
) -> None:
    panel.mask_choice.layer = viewer.add_labels(np.zeros((5, 7), np.uint8), name="small")
    click(panel, "Extract")
    assert "must have the shape of" in panel.message.text
    assert panel.extract_button.isEnabled()
    assert panel.extract_button.text() == "Extract"


def test_an_image_that_is_renamed_keeps_its_patches_and_its_name_given_to_another_does_not(
    viewer: Any, extracted: PatchesPanel
) -> None:
    centre = extracted.patch_sets["background"].positions[0]
    drawing = viewer.layers["full - background patches"]
    viewer.layers["full"].name = "renamed"
    other = viewer.add_image(np.zeros(SHAPE, np.float32), name="full")
    click_at_a_patch(viewer, drawing, centre)
    assert "1 rejected" in extracted.summary.text()
    assert "renamed - background patches" in viewer.layers
    extracted.pair_form.slider.setValue(5)
    assert not np.asarray(other.data).any()


def test_patches_of_an_image_whose_data_were_replaced_meanwhile_are_not_drawn(
    qtbot: Any, viewer: Any, panel: PatchesPanel, click: Callable[..., None]
) -> None:
    click(panel, "Extract")
    viewer.layers["full"].data = np.zeros((40, 50), np.float32)
    qtbot.waitUntil(panel.extract_button.isEnabled, timeout=20_000)
    assert "full - background patches" not in viewer.layers
    assert "xray - signal patches" in viewer.layers


def test_drawings_of_an_earlier_extraction_go(
    qtbot: Any, viewer: Any, extracted: PatchesPanel, click: Callable[..., None]
) -> None:
    viewer.add_image(np.asarray(viewer.layers["full"].data), name="another shot")
    extracted.sources["background"].tick(viewer.layers["full"], on=False)
    extracted.sources["background"].tick(viewer.layers["another shot"])
    click(extracted, "Extract")
    qtbot.waitUntil(lambda: "another shot - background patches" in viewer.layers, timeout=20_000)
    assert "full - background patches" not in viewer.layers


def test_a_click_after_the_panel_was_closed_is_nobodys(
    viewer: Any, extracted: PatchesPanel, flush: Callable[[], None]
) -> None:
    centre = extracted.patch_sets["background"].positions[0]
    drawing = viewer.layers["full - background patches"]
    viewer.window.remove_dock_widget(extracted)
    flush()
    click_at_a_patch(viewer, drawing, centre)
    assert not drawing.mouse_drag_callbacks
