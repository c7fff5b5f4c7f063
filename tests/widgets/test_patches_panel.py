"""The patches panel in a real viewer: tick, extract, reject by a click, preview, save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_array_equal
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_bgremove.cli.patches_command import command
from napari_bgremove.images.patch_set import join_patch_sets
from napari_bgremove.io.patch_sets import read_patch_set
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.viewer_layers.masks import add_mask_layer
from napari_bgremove.widgets.patches_panel import PatchesPanel
from napari_bgremove.widgets.patches_work import PatchNumbers, extract, open_files
from napari_bgremove.workspace import workspace_of

SHAPE = (160, 200)


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    rng = np.random.default_rng(0)
    stripe = np.zeros(SHAPE)
    stripe[:, :60] = 30
    hits = (rng.random(SHAPE) < 0.05) * rng.uniform(20, 90, SHAPE)
    viewer = make_napari_viewer_proxy(show=True)
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
    background = extracted.patch_sets["background"]
    assert (background.positions[:, 1] >= 60 + 15.5).all(), "none touches the masked stripe"


def test_a_mask_that_is_too_small_is_said(
    qtbot: Any, viewer: Any, panel: PatchesPanel, click: Callable[..., None]
) -> None:
    mask = viewer.layers["xray - signal mask"]
    mask.data_setitem(np.nonzero(np.indices(SHAPE)[1] >= 30), 0)
    click(panel, "Extract")
    qtbot.waitUntil(lambda: "the mask is too small" in panel.summary.text(), timeout=20_000)


def test_a_click_rejects_a_patch_whichever_layer_is_active_and_another_takes_it_back(
    qtbot: Any, viewer: Any, extracted: PatchesPanel
) -> None:
    for layer, number in ((viewer.layers["xray"], 4), (viewer.layers["full - background patches"], 2)):
        viewer.layers.selection.active = layer
        place = free_place(viewer, extracted, number)
        click_at(qtbot, viewer, extracted, place)
        assert len(extracted.patch_sets["background"]) == 8
        assert "1 rejected" in extracted.summary.text()
        click_at(qtbot, viewer, extracted, place)
        assert len(extracted.patch_sets["background"]) == 9


def test_a_press_that_moves_the_view_rejects_nothing(qtbot: Any, viewer: Any, extracted: PatchesPanel) -> None:
    centre = viewer.scene.camera.center
    click_at(qtbot, viewer, extracted, free_place(viewer, extracted, 4), drag=60)
    assert viewer.scene.camera.center != centre, "it moved the view"
    assert "0 rejected" in extracted.summary.text()


def test_a_person_who_paints_rejects_nothing(qtbot: Any, viewer: Any, extracted: PatchesPanel) -> None:
    mask = viewer.layers["xray - signal mask"]
    viewer.layers.selection.active = mask
    mask.mode = "paint"
    before = np.array(mask.data)
    click_at(qtbot, viewer, extracted, free_place(viewer, extracted, 4))
    assert not np.array_equal(before, mask.data)
    assert "0 rejected" in extracted.summary.text()


def test_of_a_drawing_that_is_hidden_nothing_is_rejected(qtbot: Any, viewer: Any, extracted: PatchesPanel) -> None:
    place = free_place(viewer, extracted, 4)
    for role, name in (("signal", "xray"), ("background", "full")):
        viewer.layers[f"{name} - {role} patches"].visible = False
    click_at(qtbot, viewer, extracted, place)
    assert "0 rejected" in extracted.summary.text()


def test_saved_sets_are_what_training_reads(qtbot: Any, viewer: Any, extracted: PatchesPanel, tmp_path: Path) -> None:
    extracted.reject(("signal", "xray"), 0)
    extracted.save(tmp_path)
    assert extracted.message.text == "Saving..."
    qtbot.waitUntil(lambda: extracted.message.text != "Saving...", timeout=20_000)
    assert extracted.message.text == f"Saved 11 signal, 9 background patches in {tmp_path}."
    assert workspace_of(viewer).patch_folder == str(tmp_path)
    assert len(read_patch_set(tmp_path / "signal.npz")) == 11
    assert read_patch_set(tmp_path / "background.npz").role == "background"


def test_patches_that_cannot_be_saved_are_said_and_handed_to_nobody(
    qtbot: Any, viewer: Any, extracted: PatchesPanel, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way of the folder")
    extracted.save(tmp_path / "file")
    qtbot.waitUntil(lambda: extracted.message.text != "Saving...", timeout=20_000)
    assert "file" in extracted.message.text
    assert workspace_of(viewer).patch_folder == ""


def test_the_pair_follows_the_slider_and_the_normalisation(viewer: Any, extracted: PatchesPanel) -> None:
    pair = viewer.layers["Training pair (input | signal | background)"]
    before, sets = np.array(pair.data), extracted.patch_sets
    extracted.pair_form.slider.setValue(10)
    assert extracted.patch_sets is sets, "put together once"
    bright = np.array(pair.data)
    assert not np.array_equal(before, bright, equal_nan=True)
    extracted.pair_form.choice.setCurrentText("literal")
    assert not np.array_equal(bright, np.array(pair.data), equal_nan=True)


def test_the_slider_runs_over_the_amplitude_range(panel: PatchesPanel) -> None:
    form = panel.pair_form
    assert form.amplitude_decades == SaxsUnetRecipe.amplitude_decades
    form.highest.setValue(2.5)
    form.lowest.setValue(-0.5)
    for value, amplitude in ((form.slider.minimum(), 10**-0.5), (form.slider.maximum(), 10**2.5)):
        form.slider.setValue(value)
        assert form.amplitude == pytest.approx(amplitude)
    form.highest.setValue(-3)
    assert form.amplitude_decades == (-0.5, -0.5), "no end passes the other"


def test_the_leak_follows_the_brush_and_the_rejected_patches(qtbot: Any, viewer: Any, extracted: PatchesPanel) -> None:
    qtbot.waitUntil(lambda: "lies outside the mask (good), 0.0% in the" in extracted.summary.text(), timeout=20_000)
    mask = viewer.layers["xray - signal mask"]
    mask.data_setitem(np.nonzero(np.indices(SHAPE)[1] >= 30), 0)
    qtbot.waitUntil(lambda: "the mask is too small" in extracted.summary.text(), timeout=20_000)
    mask.undo()
    qtbot.waitUntil(lambda: "lies outside the mask (good)" in extracted.summary.text(), timeout=20_000)


def test_the_leak_into_the_patches_goes_with_the_patches_that_are_rejected(
    qtbot: Any, viewer: Any, panel: PatchesPanel, click: Callable[..., None]
) -> None:
    viewer.layers["xray - signal mask"].data_setitem(np.nonzero(np.indices(SHAPE)[1] >= 30), 0)
    click(panel, "Extract")
    qtbot.waitUntil(lambda: " in the background patches" in panel.summary.text(), timeout=20_000)
    assert "0.0% in the background patches" not in panel.summary.text()
    for number, (_, column) in enumerate(panel.patch_sets["background"].positions):
        if column < 60 + 16:
            panel.reject(("background", "full"), number)
    qtbot.waitUntil(lambda: "0.0% in the background patches" in panel.summary.text(), timeout=20_000)


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


def click_at(qtbot: Any, viewer: Any, panel: PatchesPanel, world: Any, *, drag: int = 0) -> None:
    """Press the mouse at a point of the world, move it so many pixels, and let go."""
    viewer.reset_view()
    qtbot.wait(100)
    (canvas,) = [w for w in panel.window().findChildren(QWidget) if type(w).__name__.startswith("CanvasBackend")]
    camera = viewer.scene.camera
    row, column = (np.asarray(world) - np.asarray(camera.center[-2:])) * camera.zoom
    place = canvas.rect().center() + QPoint(round(column), round(row))
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=place)
    for step in range(0, drag, 20):
        qtbot.mouseMove(canvas, place + QPoint(step, 0))
        qtbot.wait(20)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place + QPoint(drag, 0))
    qtbot.wait(20)


def free_place(viewer: Any, panel: PatchesPanel, number: int) -> np.ndarray:
    """A point of the world whose nearest patch is that background patch, not a signal patch below it."""
    sets = panel.patch_sets
    centre = sets["background"].positions[number]
    others = np.concatenate([sets["signal"].positions, np.delete(sets["background"].positions, number, axis=0)])
    assert np.linalg.norm(others - centre, axis=1).min() > 1
    return np.asarray(viewer.layers["full"].data_to_world(centre))


def test_a_mask_that_does_not_fit_is_said_and_the_button_stays(
    viewer: Any, panel: PatchesPanel, click: Callable[..., None]
) -> None:
    panel.mask_choice.layer = viewer.add_labels(np.zeros((5, 7), np.uint8), name="small")
    click(panel, "Extract")
    assert "must have the shape of" in panel.message.text
    assert panel.extract_button.isEnabled()
    assert panel.extract_button.text() == "Extract"


def test_an_image_that_is_renamed_keeps_its_patches_and_its_name_given_to_another_does_not(
    qtbot: Any, viewer: Any, extracted: PatchesPanel
) -> None:
    place = free_place(viewer, extracted, 0)
    viewer.layers["full"].name = "renamed"
    other = viewer.add_image(np.zeros(SHAPE, np.float32), name="full")
    click_at(qtbot, viewer, extracted, place)
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
    viewer: Any, panel: PatchesPanel, flush: Callable[[], None]
) -> None:
    another = PatchesPanel(viewer)
    before = len(viewer.mouse_drag_callbacks)
    for gone in (another, panel):
        gone.deleteLater()
    flush()
    assert len(viewer.mouse_drag_callbacks) == before - 2


@pytest.fixture
def shots(tmp_path: Path) -> dict[str, list[str]]:
    """Two x-ray-only shots with a spot, and two full ones with hits, in files."""
    rng = np.random.default_rng(1)
    rows, columns = np.indices(SHAPE)
    files: dict[str, list[str]] = {"signal": [], "background": []}
    for number, centre in enumerate((30, 60)):
        spot = 80 * np.exp(-((rows - 80) ** 2 + (columns - centre) ** 2) / 200)
        for role, hits in (("signal", 0.0), ("background", 40.0)):
            image = rng.poisson(5 + spot) + hits * (rng.random(SHAPE) < 0.02)
            files[role].append(str(tmp_path / f"{role}-{number}.npy"))
            np.save(files[role][-1], image.astype(np.float32))
    return files


def test_files_give_what_the_command_line_cuts_from_them(shots: dict[str, list[str]], tmp_path: Path) -> None:
    numbers = PatchNumbers(32, 5, 6, None, True, 7)
    extraction = extract([], [], numbers, shots)
    words = [word for path in shots["signal"] for word in ("--xray-only", path)]
    words += [word for path in shots["background"] for word in ("--full", path)]
    words += ["--patch", "32", "--signal-patches", "10", "--background-patches", "12", "--seed", "7"]
    done = CliRunner().invoke(command, [*words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    for role, sets in (("signal", extraction.signal), ("background", extraction.background)):
        expected = read_patch_set(tmp_path / "out" / f"{role}.npz")
        found = join_patch_sets(list(sets.values()))
        assert_array_equal(found.patches, expected.patches)
        assert found.shot_names == expected.shot_names
        for key in ("files", "mask_threshold", "mask_grow", "pairing"):
            assert np.ravel(found.metadata.get(key)).tolist() == np.ravel(expected.metadata.get(key)).tolist()


def test_frames_of_files_have_names_of_their_own(shots: dict[str, list[str]]) -> None:
    names = [source.name for source in open_files([*shots["signal"], shots["signal"][0]], taken=["signal-1"])]
    assert names == ["signal-0", "signal-1 (2)", "signal-0 (2)"]


def test_files_are_chosen_extracted_and_shown_without_a_layer(
    qtbot: Any, viewer: Any, panel: PatchesPanel, click: Callable[..., None], shots: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    viewer.layers.clear()
    for role, files in shots.items():
        monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, files=files, **__: (files, ""))
        click(panel.source_form.choices[role], "Files...")
    click(panel, "Extract")
    qtbot.waitUntil(lambda: len(panel.patch_sets) == 2, timeout=60_000)
    assert "24 signal patches, 18 background patches; 0 rejected" in panel.summary.text()
    assert "each of the 2 full shots has that of its own x-ray-only shot" in panel.summary.text()
    assert [layer.name for layer in viewer.layers] == ["Training pair (input | signal | background)"]
    click(panel, "Copy as command")
    assert "Only ticked layers can be copied" in panel.message.text
    click(panel.source_form.choices["signal"], "Clear")
    click(panel, "Extract")
    assert "Tick at least one x-ray-only image and one full shot, or choose files." in panel.message.text


def test_a_file_that_is_no_image_is_said(
    qtbot: Any, panel: PatchesPanel, click: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "empty.npy").write_bytes(b"")
    panel.source_form.choices["background"].set_files((str(tmp_path / "empty.npy"),))
    click(panel, "Extract")
    qtbot.waitUntil(lambda: "'empty.npy' must contain an image" in panel.message.text, timeout=60_000)
    assert panel.extract_button.isEnabled()


def test_places_that_are_too_dark_are_drawn_and_cannot_be_clicked(
    qtbot: Any, viewer: Any, panel: PatchesPanel, click: Callable[..., None]
) -> None:
    panel.form.min_intensity.tick.setChecked(True)
    panel.form.min_intensity.number.setValue(25 * 32 * 32)  # only what lies in the bright stripe
    click(panel, "Extract")
    qtbot.waitUntil(lambda: len(panel.patch_sets) == 2, timeout=20_000)
    drawn = viewer.layers["xray - too dark for patches"]
    tried = panel.patch_sets["signal"].metadata["tries"]
    assert 0 < len(drawn.data) <= tried - 12
    centres = np.array([np.asarray(corners).mean(axis=0) for corners in drawn.data])
    place = centres[centres[:, 1].argmax()]
    viewer.layers["full - background patches"].visible = False
    click_at(qtbot, viewer, panel, viewer.layers["xray"].data_to_world(place))
    assert place[1] > 60 + 23, "no accepted patch reaches there"
    assert "; 0 rejected" in panel.summary.text()
