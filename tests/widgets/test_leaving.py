"""Who closes the window over a training is asked what becomes of it, and it goes on unless they say otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QMainWindow, QMessageBox, QPushButton

from napari_bgremove.widgets.model_panel import ModelPanel


@pytest.fixture
def window(tmp_path: Path, fake_engine: Any, flush: Callable[[], None]) -> Iterator[QMainWindow]:
    """A window with a panel that trains."""
    for role in ("signal", "background"):
        (tmp_path / f"{role}.npz").write_bytes(b"read by the engine alone")
    window, panel = QMainWindow(), ModelPanel(ViewerModel())
    window.setCentralWidget(panel)
    panel.patches.setText(str(tmp_path))
    panel.start()
    window.show()
    yield window
    window.deleteLater()
    flush()


def answer_with(qtbot: Any, text: str, asked: list[str]) -> None:
    """Click the answer once the question stands there."""

    def click() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(20, click)
            return
        asked.append(box.text())
        (button,) = [b for b in box.findChildren(QPushButton) if b.text() == text]
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    QTimer.singleShot(0, click)


@pytest.mark.parametrize(("text", "stops"), [("Stop it", True), ("Leave it running", False)])
def test_the_answer_decides(qtbot: Any, window: QMainWindow, text: str, stops: bool) -> None:
    run = window.centralWidget().training.folder
    asked: list[str] = []
    answer_with(qtbot, text, asked)
    window.close()
    assert asked == [f"The training '{run.path.name}' goes on without napari."]
    assert not window.isVisible()
    assert run.stop_asked is stops
    assert run.owner() is not None, "nobody ended it"


def test_nobody_is_asked_when_nothing_goes_on_or_nobody_is_there(window: QMainWindow, fake_engine: Any) -> None:
    window.hide()
    window.close()
    window.show()
    window.centralWidget().follower.leave()
    window.close()
    assert not window.isVisible()
