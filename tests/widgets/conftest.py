"""A real viewer with a panel in it, hands to work it with, and an engine that needs no torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtWidgets import QApplication, QCheckBox, QPushButton, QScrollArea, QWidget

from napari_bgremove.engine.mailbox import Letter, Mailbox
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.io.processes import start_time

SLEEPER = "import time; time.sleep(600)"
CARD = {
    "network": {"family": "c4_unet"}, "tile": 32, "normalization": "conserving",
    "provenance": {"trained_on": "nothing"}, "recipe": {"preset": "tiny"},
}  # fmt: skip

LAYER = {
    "name": "encoder.0", "shape": "1-3-1 fields", "units": 3, "snr": 2.0, "participation_ratio": 0.5, "alive": 2,
    "background": 1, "into": {"energies": [0.001, 1.0, 1.2]}, "out": {"energies": [0.001, 1.1, 1.0]},
}  # fmt: skip


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Autosaves of a test stay in the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def click(qtbot: Any) -> Callable[[QWidget, str], None]:
    """Click the button with a text inside a widget, as a mouse does."""

    def press(parent: QWidget, text: str) -> None:
        (button,) = [b for b in parent.findChildren(QPushButton) if b.text() == text]
        assert button.isEnabled(), button.toolTip()
        _scroll_to(button)
        qtbot.wait(20)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    return press


@pytest.fixture
def tick(qtbot: Any) -> Callable[[QCheckBox], None]:
    """Click a tick box, as a mouse does."""

    def press(box: QCheckBox) -> None:
        before = box.isChecked()
        qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
        assert box.isChecked() is not before

    return press


@pytest.fixture
def flush(qtbot: Any) -> Callable[[], None]:
    """Let Qt do what it has put off, deletions included."""

    def run() -> None:
        for _ in range(3):
            QApplication.processEvents()
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    return run


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    """The engine in every respect a viewer can see, but it computes nothing and works only when told to."""
    engine = FakeEngine()
    monkeypatch.setattr("napari_bgremove.engine.client.start_server", engine.start_server)
    monkeypatch.setattr("napari_bgremove.widgets.training_run.start_detached", engine.start_detached)
    yield engine
    engine.kill()


@dataclass
class FakeEngine:
    """Real processes that sleep; the letters and run folders that theirs would write come from `answer` and `train`."""

    servers: dict[Path, subprocess.Popen[bytes]] = field(default_factory=dict)
    trainings: dict[Path, subprocess.Popen[bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _spent: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_server(self, folder: Path, **_options: Any) -> subprocess.Popen[bytes]:
        self.servers[folder] = self._spawn()
        return self.servers[folder]

    def start_detached(self, run: RunFolder, **_options: Any) -> int:
        run.withdraw_stop()
        self.trainings[run.path] = process = self._spawn()
        (run.path / "pid").write_text(f'{{"pid": {process.pid}, "started": {start_time(process.pid)}}}')
        resumed = run.model.exists()
        first = len(list((run.path / "preview").glob("*.npz")))
        run.emit("started", epoch=first, step=0, epochs=9, steps=2, samples=4, device="CPU", resumed=resumed)
        return process.pid

    @property
    def living(self) -> list[subprocess.Popen[bytes]]:
        """Its processes that have not ended."""
        return [p for p in (*self.servers.values(), *self.trainings.values()) if p.poll() is None]

    def answer(self) -> int:
        """Answer everything that was asked of an engine that lives; return how many letters."""
        count = 0
        for folder, process in self.servers.items():
            if process.poll() is None and folder.exists():
                mailbox = Mailbox(folder)
                requests = mailbox.take_requests()
                newest = {request.kind: request.number for request in requests}
                for request in requests:
                    if request.kind != "separate" or request.number == newest["separate"]:
                        mailbox.reply(_reply(request))
                        self.asked.append(request.kind)
                        count += 1
        return count

    def train(self) -> None:
        """Do one epoch of every training, or what it was asked to do instead."""
        for path, process in list(self.trainings.items()):
            if process.poll() is None:
                _train(RunFolder(path), lambda process=process: _end(process))

    def kill(self) -> None:
        """End every process at once, as a crash does."""
        for process in (*self.servers.values(), *self.trainings.values(), *self._spent):
            _end(process)

    def _spawn(self) -> subprocess.Popen[bytes]:
        nothing = subprocess.DEVNULL
        process = subprocess.Popen([sys.executable, "-S", "-c", SLEEPER], stdin=nothing, stdout=nothing, stderr=nothing)
        self._spent.append(process)
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _reply(request: Letter) -> Letter:
    image = request.arrays.get("image")
    if request.kind == "separate" and (image is None or image.ndim != 2 or image.dtype.kind not in "biuf"):
        return Letter(request.number, "failed", {"error": "ComputeError", "message": "No image."})
    values: dict[str, Any] = {
        "devices": {"devices": {"cpu": "CPU (fake)"}},
        "model": {"card": CARD, "sha256": "0" * 64, "file": "model.safetensors"},
        "estimate": {"seconds_per_step": 0.5, "batch": 8},
        "equivariance": {"error": 1e-6, "family": "c4_unet"},
        "inspect_layers": {"layers": [LAYER]},
        "separate": {
            "ledger": dict.fromkeys(("measured", "signal", "background", "residual"), 1.0),
            "seconds": 0.1, "sha256": "0" * 64, "file": "model.safetensors", "device": "cpu",
        },
    }  # fmt: skip
    arrays = {}
    if request.kind == "separate":
        measured = np.asarray(image, np.float32)
        shares = {"measured": 1.0, "signal": 0.75, "background": 0.25, "uncertainty": 0.01}
        arrays = {name: measured * np.float32(share) for name, share in shares.items()}
    return Letter(request.number, request.kind, values[request.kind], arrays)


def _train(run: RunFolder, end: Callable[[], None]) -> None:
    """An epoch as the training writes it, or the answer to the stop file."""
    epoch = len(list((run.path / "preview").glob("*.npz")))
    for name in ("model.safetensors", "best.safetensors", f"epochs/{epoch:04d}.safetensors"):
        (run.path / name).parent.mkdir(exist_ok=True)
        (run.path / name).write_bytes(b"weights")
    if run.stop_asked:
        run.emit("stopped", epoch=epoch, step=1)
        run.release()
        end()
        return
    run.emit("step", epoch=epoch, step=2, loss=0.5, samples_per_second=9.0)
    patch = np.full((8, 8), epoch, np.float32)
    names = ("measured", "signal", "background", "predicted_signal", "predicted_background")
    run.write_preview(epoch, dict.fromkeys(names, patch))
    run.emit("epoch", epoch=epoch, training={"loss": 1 / (epoch + 1)}, validation={"loss": 2 / (epoch + 1)})
    if epoch + 1 >= 9:
        run.emit("finished", epoch=epoch + 1)
        run.release()
        end()


def _scroll_to(button: QWidget) -> None:
    """In a window that is shown a click lands on what lies at its place, as a person's does."""
    place = button.parentWidget()
    while place is not None and not isinstance(place, QScrollArea):
        place = place.parentWidget()
    if place is not None:
        QApplication.processEvents()  # sections unfold first
        place.ensureWidgetVisible(button)
