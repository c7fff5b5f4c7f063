"""Files in a real window: a model that is dropped is used, a damaged file is one sentence and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication

import napari_bgremove
from napari_bgremove.contributions.models import choose_model
from napari_bgremove.errors import ModelFileError
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.widgets.profile_panel import ProfilePanel
from napari_bgremove.widgets.spectra_panel import SpectraPanel
from napari_bgremove.workspace import workspace_of

MANIFEST = Path(napari_bgremove.__file__).parent / "napari.yaml"

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["safetensors"] = None
import napari
class Viewer: pass
viewer = Viewer()
napari.current_viewer = lambda: viewer
from napari_bgremove.contributions.models import choose_model
from napari_bgremove.workspace import workspace_of
assert choose_model(sys.argv[1]) == [(None,)]
print(workspace_of(viewer).model_file)
"""


@pytest.fixture
def viewer(make_napari_viewer: Any, npe2pm: Any) -> Any:
    with npe2pm.tmp_plugin(manifest=str(MANIFEST)):
        yield make_napari_viewer()


@pytest.fixture
def drop(viewer: Any) -> Callable[[Path], list[str]]:
    """Drop a file on the canvas; return what was said."""

    def let_go(path: Path) -> list[str]:
        said = len(notification_manager.records)
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path))])
        place, button, key = QPointF(5, 5), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        entered = QDragEnterEvent(place.toPoint(), Qt.DropAction.CopyAction, mime, button, key)
        QApplication.sendEvent(viewer.window._qt_viewer, entered)  # without it Qt lets nothing fall
        assert entered.isAccepted()
        QApplication.sendEvent(viewer.window._qt_viewer, QDropEvent(place, Qt.DropAction.CopyAction, mime, button, key))
        return [record.message for record in notification_manager.records[said:]]

    return let_go


def test_a_dropped_model_is_what_this_viewer_separates_with(
    viewer: Any, drop: Callable[[Path], list[str]], model_file: Path
) -> None:
    other = Path(workspace_of(viewer).model_file)
    assert drop(model_file) == ["'model.safetensors' is what this viewer separates with now."]
    assert Path(workspace_of(viewer).model_file) == model_file != other
    assert not viewer.layers


def test_a_dropped_model_for_spectra_is_the_one_the_spectra_panel_cleans_with(
    viewer: Any, drop: Callable[[Path], list[str]], spectra_model: Path
) -> None:
    for_images = workspace_of(viewer).model_file
    before, after = SpectraPanel(viewer), None
    viewer.window.add_dock_widget(before)
    said = drop(spectra_model)
    assert said == ["'cleaner.safetensors' is what this viewer separates spectra with now."]
    after = SpectraPanel(viewer)
    viewer.window.add_dock_widget(after)
    for panel in (before, after):
        assert panel.clean_form.how.model == str(spectra_model)
    assert workspace_of(viewer).model_file == for_images


def test_a_dropped_denoiser_is_what_the_profile_panel_denoises_with(
    viewer: Any, drop: Callable[[Path], list[str]], denoiser_file: Path
) -> None:
    for_images = workspace_of(viewer).model_file
    before, after = ProfilePanel(viewer), None
    viewer.window.add_dock_widget(before)
    assert drop(denoiser_file) == ["'denoiser.safetensors' is what this viewer denoises signals with now."]
    after = ProfilePanel(viewer)
    viewer.window.add_dock_widget(after)
    for panel in (before, after):
        assert panel.denoising.how.model == str(denoiser_file)
    assert workspace_of(viewer).model_file == for_images
    assert workspace_of(viewer).spectra_model_file == ""


def test_a_dropped_file_that_is_damaged_is_one_sentence(
    viewer: Any, drop: Callable[[Path], list[str]], model_file: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "shot.npy", np.zeros((50, 60)))
    for path, start in (
        (model_file, "'model.safetensors' is damaged: it must have"),
        (tmp_path / "shot.npy", "'shot.npy' must"),
    ):
        path.write_bytes(path.read_bytes()[:-100])
        (sentence,) = drop(path)
        assert sentence.startswith(start)
        assert "\n" not in sentence
    assert workspace_of(viewer).model_file == str(BUNDLED_MODEL)
    assert not viewer.layers


def test_a_dropped_image_is_a_layer(viewer: Any, drop: Callable[[Path], list[str]], tmp_path: Path) -> None:
    np.save(tmp_path / "shot.npy", np.eye(50, 60))
    assert drop(tmp_path / "shot.npy") == []
    assert [layer.name for layer in viewer.layers] == ["shot"]


def test_a_model_is_taken_in_without_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_TORCH, str(BUNDLED_MODEL)], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(BUNDLED_MODEL)


@pytest.fixture
def no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari.current_viewer", lambda: None)


@pytest.mark.usefixtures("no_window")
def test_without_a_window_a_model_is_refused(model_file: Path) -> None:
    with pytest.raises(
        ModelFileError, match=r"'model.safetensors' is a model and no image: open it in a napari window"
    ):
        choose_model(str(model_file))


@pytest.mark.usefixtures("no_window")
def test_two_models_are_one_too_many(model_file: Path) -> None:
    with pytest.raises(ModelFileError, match=r"'model.safetensors' must be opened alone; found 2 models"):
        choose_model([str(model_file), str(model_file)])


@pytest.mark.usefixtures("no_window")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is damaged: it ends after 0 bytes"),
        (b"PK\x03\x04 zip of pickles", "is not a model file"),
        (b"\x02\0\0\0\0\0\0\0{}", "of another program"),
        (b"\x02\0\0\0\0\0\0\0[]", "its header is not a table"),
        (b"\xff\0\0\0\0\0\0\0{}", "inside its header"),
    ],
)
def test_what_is_no_model_is_one_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=reason) as caught:
        choose_model(str(path))
    assert "\n" not in str(caught.value)
