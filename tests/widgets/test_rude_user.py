"""Whatever a person does while work is going on: nothing raises, nothing lands where it does not belong, nothing stays.

Five kinds of work times ten things a person may do meanwhile. (The list this
comes from has the fit of a Shirley background among the work; until there is
one, the automatic proposal of a mask stands in its place: it, too, is computed
in a thread and shown in the viewer.)

Work in threads is held at a gate until the person has done it; the engine is
the fake one of `conftest.py`, which answers when it is told to. Cells without
a window run on a `ViewerModel`. Three cells are repeated with the real engine.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_array_equal
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QPushButton, QWidget

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.io.autosave import Autosave, find_left_behind
from napari_bgremove.io.images import open_images
from napari_bgremove.io.patch_sets import write_patch_set
from napari_bgremove.io.processes import start_time
from napari_bgremove.learning.model_file import read_model
from napari_bgremove.widgets import engine_link, patches_panel, run_follower
from napari_bgremove.widgets.mask_autosave import keeper_of
from napari_bgremove.widgets.mask_forms import MaskRequest
from napari_bgremove.widgets.mask_panel import MaskPanel
from napari_bgremove.widgets.model_panel import ModelPanel
from napari_bgremove.widgets.patches_panel import PatchesPanel
from napari_bgremove.widgets.separate_panel import SeparatePanel
from napari_bgremove.workspace import workspace_of

SHAPE = (3, 48, 64)
WORK = ("train", "predict", "read", "proposal", "autosave")
WITHOUT_WINDOW = (
    "delete the layer", "rename it", "replace its data", "delete the mask", "close the dock", "start again",
    "switch the slice",
)  # fmt: skip
WITH_WINDOW = ("close the viewer", "open a second viewer")
SECONDS = 2.0  # in which what is over has to be gone
PATIENCE = 60_000


@dataclass
class Gate:
    """Where a thread waits until the person has done what they do."""

    arrived: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def hold(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def held(*arguments: Any, **options: Any) -> Any:
            self.arrived.set()
            assert self.opened.wait(PATIENCE / 1000)
            return function(*arguments, **options)

        return held


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(MaskRequest, "compute", gate.hold(MaskRequest.compute))
    monkeypatch.setattr(patches_panel, "extract", gate.hold(patches_panel.extract))
    monkeypatch.setattr(Autosave, "save", gate.hold(Autosave.save))
    yield gate
    gate.opened.set()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_link, "POLL_MS", 5)
    monkeypatch.setattr(run_follower, "POLL_MS", 5)


@dataclass
class Scene:
    """A viewer with a stack and a mask, a panel at work, and what the person's layers hold."""

    viewer: Any
    folder: Path
    qtbot: Any
    gate: Gate
    engine: Any = None
    panel: Any = None
    others: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        np.save(self.folder / "stack.npy", np.random.default_rng(0).poisson(5, SHAPE).astype(np.float32))
        stack = open_images(self.folder / "stack.npy")
        self.image = unwrapped(self.viewer.add_image(stack.data, name="stack"))
        mask = np.zeros(SHAPE[1:], np.uint8)
        mask[:9] = 1
        metadata = {"napari_bgremove": {"role": "signal_mask"}}
        self.mask = unwrapped(self.viewer.add_labels(mask, name="mask", metadata=metadata))
        self.mask_before = mask.copy()

    def open(self, work: str) -> Any:
        """Open the panel that does a kind of work, ready to begin."""
        kinds = {"train": ModelPanel, "predict": SeparatePanel, "read": PatchesPanel}
        panel = kinds.get(work, MaskPanel)(self.viewer)
        if work == "train":
            panel.patches.setText(str(self.folder))
        elif work == "read":
            for role in ("signal", "background"):
                panel.sources[role].tick(self.image)
            panel.form.patch.setValue(16)
        return panel

    def begin(self, work: str, panel: Any) -> None:
        """Start it as a person does, and wait until it is going on."""
        if work == "train":
            press(panel, "Start")
            self.qtbot.waitUntil(lambda: "starting" in panel.view.status.text() or "epoch" in panel.view.status.text())
        elif work == "predict":
            press(panel, "Separate this frame")
        elif work == "read":
            press(panel, "Extract")
        elif work == "proposal":
            panel.proposal.tick.setChecked(True)
            panel.proposal.threshold.setValue(panel.proposal.threshold.value() + 1)
        else:
            keeper_of(self.viewer).watch(self.mask)
            keeper_of(self.viewer).save_all()
        if work in ("read", "proposal", "autosave"):
            self.qtbot.waitUntil(self.gate.arrived.is_set, timeout=PATIENCE)

    def finish(self) -> None:
        """Let the work come to its end, and Qt do all that follows from it."""
        self.gate.opened.set()
        for _ in range(3):
            if self.engine is not None:
                self.engine.answer()
                self.engine.train()
            pool = QThreadPool.globalInstance()
            self.qtbot.waitUntil(lambda pool=pool: pool.activeThreadCount() == 0, timeout=PATIENCE)
            self.qtbot.wait(40)


def press(panel: QWidget, text: str) -> None:
    """Click a button as it stands; one that is disabled does nothing."""
    for button in panel.findChildren(QPushButton):
        if button.text() == text:
            button.click()


@pytest.fixture
def scene(qtbot: Any, tmp_path: Path, gate: Gate, fake_engine: Any, flush: Callable[[], None]) -> Iterator[Scene]:
    for role in ("signal", "background"):
        (tmp_path / f"{role}.npz").write_bytes(b"read by the engine alone")
    scene = Scene(ViewerModel(), tmp_path, qtbot, gate, fake_engine)
    yield scene
    gate.opened.set()
    for panel in (scene.panel, *scene.others):
        if panel is not None:
            panel.deleteLater()
    flush()
    QThreadPool.globalInstance().waitForDone()


def be_rude(scene: Scene, rudeness: str, work: str, flush: Callable[[], None]) -> None:
    image, viewer = scene.image, scene.viewer
    if rudeness == "delete the layer":
        viewer.layers.remove(image)
    elif rudeness == "rename it":
        image.name = "renamed"
    elif rudeness == "replace its data":
        image.data = np.zeros((20, 30), np.uint16)
    elif rudeness == "delete the mask":
        viewer.layers.remove(scene.mask)
    elif rudeness == "close the dock":
        scene.panel.close()
        scene.panel.deleteLater()
        scene.panel = None
        flush()
    elif rudeness == "start again":
        scene.begin(work, scene.panel)
        scene.others.append(scene.open(work))
        scene.begin(work, scene.others[0])
    elif rudeness == "switch the slice":
        viewer.dims.set_point(0, 2)


def check_the_persons_layers(scene: Scene) -> None:
    if scene.mask in scene.viewer.layers:
        assert_array_equal(scene.mask.data, scene.mask_before)
    if scene.image in scene.viewer.layers:
        expected = np.load(scene.folder / "stack.npy")
        found = np.asarray(scene.image.data)
        assert_array_equal(found, expected if found.shape == SHAPE else np.zeros((20, 30)))


def check_what_was_written(scene: Scene, rudeness: str, work: str) -> None:
    """Results lie beside the image they are of, under its name of now, or nowhere."""
    made = [layer for layer in scene.viewer.layers if unwrapped(layer) not in (scene.image, scene.mask)]
    named = {layer.name for layer in made}
    gone = rudeness == "delete the layer" or (rudeness == "close the dock" and work != "train")
    if gone and work in ("predict", "read", "proposal"):
        assert named == set()
    elif work == "predict" and rudeness == "replace its data":
        assert named == set(), "a result of something that is not shown any more"
    elif work == "predict":
        assert named == {f"{scene.image.name} - {part}" for part in ("signal", "background (noise)", "uncertainty")}
    elif work == "proposal":
        assert named == {"Mask preview"}
        assert made[0].data.shape == scene.image.data.shape[-2:]
    elif work == "read" and rudeness == "replace its data":
        assert named == set(), "patches of something that is not shown any more"
    elif work == "read":
        drawn = {f"{scene.image.name} - {role} patches" for role in ("signal", "background")}
        assert named == {*drawn, "Training pair (input | signal | background)"}
    elif work == "autosave":
        assert named == set()


def check_processes(engine: Any, rudeness: str) -> None:
    """A training lives on, with a model that is kept; of the rest nothing outlives the panel."""
    for path, process in engine.trainings.items():
        assert process.poll() is None
        assert RunFolder(path).model.exists()
    if rudeness in ("close the dock", "close the viewer"):
        deadline = time.monotonic() + SECONDS
        while any(server.poll() is None for server in engine.servers.values()):
            assert time.monotonic() < deadline, "an engine outlives the panel that asked it"
            time.sleep(0.02)


@pytest.mark.parametrize("rudeness", WITHOUT_WINDOW)
@pytest.mark.parametrize("work", WORK)
def test_nothing_goes_wrong_without_a_window(
    scene: Scene, work: str, rudeness: str, flush: Callable[[], None], state_folder: Path
) -> None:
    with scene.qtbot.capture_exceptions() as errors:
        scene.panel = scene.open(work)
        scene.begin(work, scene.panel)
        be_rude(scene, rudeness, work, flush)
        scene.finish()
    assert errors == []
    check_the_persons_layers(scene)
    check_what_was_written(scene, rudeness, work)
    check_processes(scene.engine, rudeness)
    if work == "autosave":
        assert list(state_folder.rglob("*.npz")), "what was begun is on disk"
    elif scene.panel is not None:
        press(scene.panel, "Separate this frame")  # nothing is left disabled
        assert all(b.isEnabled() for b in scene.panel.findChildren(QPushButton) if b.text() == "Extract")


@pytest.mark.parametrize("rudeness", WITH_WINDOW)
@pytest.mark.parametrize("work", WORK)
def test_nothing_goes_wrong_with_windows(
    make_napari_viewer_proxy: Any, qtbot: Any, tmp_path: Path, gate: Gate, fake_engine: Any,
    flush: Callable[[], None], work: str, rudeness: str,
) -> None:  # fmt: skip
    for role in ("signal", "background"):
        (tmp_path / f"{role}.npz").write_bytes(b"read by the engine alone")
    # The window that comes meanwhile is the real one: napari calls it the current one from then on.
    closes = rudeness == "close the viewer"
    viewer = make_napari_viewer_proxy() if closes else ViewerModel()
    scene = Scene(viewer, tmp_path, qtbot, gate, fake_engine)
    with qtbot.capture_exceptions() as errors:
        scene.panel = scene.open(work)
        if closes:
            viewer.window.add_dock_widget(scene.panel, name="Work")
        scene.begin(work, scene.panel)
        second = None
        if closes:
            layers = viewer.layers
            viewer.close()
            scene.panel = None
            flush()
        else:
            second = make_napari_viewer_proxy()
        scene.finish()
    assert errors == []
    check_processes(fake_engine, rudeness)
    if second is None:
        assert len(layers) == 0, "written into a dead viewer"
    else:
        assert len(second.layers) == 0, "written into the wrong viewer"
        check_the_persons_layers(scene)
        check_what_was_written(scene, rudeness, work)
        scene.panel.deleteLater()
        flush()


QUIT = """
import sys, time
sys.path.insert(0, sys.argv[1])
work, folder = sys.argv[2:4]
import numpy as np
from napari.components import ViewerModel
from napari.qt import get_qapp
from qtpy.QtCore import QTimer
from conftest import FakeEngine
from napari_bgremove.engine import client
from napari_bgremove.io.autosave import Autosave
from napari_bgremove.widgets import mask_panel, model_panel, patches_panel, separate_panel, training_run
from napari_bgremove.widgets.mask_forms import MaskRequest

def slowed(function):
    def slow(*arguments, **options):
        time.sleep(0.4)
        return function(*arguments, **options)
    return slow

engine = FakeEngine()
client.start_server, training_run.start_detached = engine.start_server, engine.start_detached
MaskRequest.compute = slowed(MaskRequest.compute)
patches_panel.extract = slowed(patches_panel.extract)
Autosave.save = slowed(Autosave.save)
app = get_qapp()  # napari waits for threads when it quits
viewer = ViewerModel()
image = viewer.add_image(np.random.default_rng(0).poisson(5, (48, 64)).astype(np.float32), name="shot")
if work == "train":
    panel = model_panel.ModelPanel(viewer)
    panel.patches.setText(folder)
    panel.start()
    engine.train()
elif work == "predict":
    panel = separate_panel.SeparatePanel(viewer)
    panel.separate()
elif work == "read":
    panel = patches_panel.PatchesPanel(viewer)
    panel.form.patch.setValue(16)
    for role in ("signal", "background"):
        panel.sources[role].tick(image)
    panel.extract()
else:
    panel = mask_panel.MaskPanel(viewer)
    panel.make_mask()
    panel.invert()
    panel.proposal.tick.setChecked(work == "proposal")
    if work == "autosave":
        panel.keeper.save_all()
QTimer.singleShot(250, app.quit)
app.exec()
print(*[process.pid for process in engine.living], flush=True)
"""


@pytest.mark.parametrize("work", WORK)
def test_nothing_goes_wrong_when_napari_is_quit(tmp_path: Path, work: str, state_folder: Path) -> None:
    for role in ("signal", "background"):
        (tmp_path / f"{role}.npz").write_bytes(b"read by the engine alone")
    command = [sys.executable, "-c", QUIT, str(Path(__file__).parent), work, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    alive = [pid for word in done.stdout.split() if start_time(pid := int(word)) is not None]
    for pid in alive:
        psutil.Process(pid).kill()
    assert bool(alive) == (work == "train"), "trainings live on, and nothing else"
    if work == "train":
        (run,) = tmp_path.glob("run-*")
        assert RunFolder(run).model.exists()
    assert find_left_behind() == [], "it ended in order"


@pytest.fixture
def real_scene(qtbot: Any, tmp_path: Path, model_file: Path, gate: Gate, flush: Callable[[], None]) -> Iterator[Scene]:
    rng = np.random.default_rng(0)
    for role in ("signal", "background"):
        values = rng.poisson(20, (8, 128, 128)).astype(np.float32)
        shots = np.arange(8) // 2
        patches = PatchSet(values, role, np.zeros((8, 2)), np.zeros(8), shots, ("a", "b", "c", "d"))
        write_patch_set(tmp_path / f"{role}.npz", patches)
    scene = Scene(ViewerModel(), tmp_path, qtbot, gate)
    workspace_of(scene.viewer).model_file = str(model_file)
    yield scene
    if scene.panel is not None:
        scene.panel.deleteLater()
    flush()


@pytest.mark.parametrize("rudeness", ["delete the layer", "close the dock"])
def test_the_real_engine_writes_nothing_for_a_layer_or_a_panel_that_is_gone(
    real_scene: Scene, rudeness: str, flush: Callable[[], None]
) -> None:
    scene = real_scene
    scene.panel = panel = scene.open("predict")
    scene.begin("predict", panel)
    process = panel.engine._client._process
    with scene.qtbot.capture_exceptions() as errors:
        be_rude(scene, rudeness, "predict", flush)
        if rudeness == "delete the layer":
            scene.qtbot.waitUntil(panel.button.isEnabled, timeout=PATIENCE * 2)
            assert "its result was dropped" in panel.message.text
        else:
            scene.qtbot.waitUntil(lambda: process.poll() is not None, timeout=int(SECONDS * 1000))
    assert errors == []
    assert {layer.name for layer in scene.viewer.layers} <= {"stack", "mask"}


def test_a_real_training_lives_on_without_its_panel_and_keeps_its_model(
    real_scene: Scene, flush: Callable[[], None]
) -> None:
    scene = real_scene
    scene.panel = panel = scene.open("train")
    for name, value in {"batch_size": 4, "epochs": 400, "warmup_steps": 1, "latents": 2}.items():
        panel.form.field(name).value = value
    press(panel, "Start")
    run = RunFolder(Path(panel.workspace.run_folder))
    scene.qtbot.waitUntil(lambda: "step" in panel.view.status.text(), timeout=PATIENCE * 3)
    be_rude(scene, "close the dock", "train", flush)
    epochs = len(list(run.kept_epochs()))
    scene.qtbot.waitUntil(lambda: len(list(run.kept_epochs())) > epochs, timeout=PATIENCE * 2)
    assert run.owner() is not None
    run.ask_to_stop()
    scene.qtbot.waitUntil(lambda: run.owner() is None, timeout=PATIENCE)
    read_model(run.model)
    assert {layer.name for layer in scene.viewer.layers} <= {"stack", "mask"}


def test_there_are_fifty_cells() -> None:
    assert len(WORK) * (len(WITHOUT_WINDOW) + len(WITH_WINDOW) + 1) == 50
