"""A real viewer with a panel in it, and hands to work it with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton, QWidget


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
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    return press
