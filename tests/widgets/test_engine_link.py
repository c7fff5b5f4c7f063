"""Questions and answers between panels and their engine: everybody gets an answer, nobody a stranger's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from qtpy.QtCore import QObject

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.widgets import engine_link
from napari_bgremove.widgets.engine_link import EngineLink


class Panel(QObject):
    """What asks."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Letter] = []
        self.fails = False

    def hear(self, reply: Letter) -> None:
        self.heard.append(reply)
        if self.fails:
            raise ZeroDivisionError


@pytest.fixture
def link(qtbot: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineLink]:
    monkeypatch.setattr(engine_link, "POLL_MS", 5)
    link = EngineLink()
    yield link
    link.close()


def test_the_engine_ends_with_the_last_panel_that_asked(
    qtbot: Any, link: EngineLink, fake_engine: Any, flush: Callable[[], None]
) -> None:
    first, second = Panel(), Panel()
    for panel in (first, second, second):
        link.ask("devices", panel.hear)
    first.deleteLater()
    flush()
    assert len(fake_engine.living) == 1
    fake_engine.answer()
    qtbot.waitUntil(lambda: len(second.heard) == 2, timeout=5000)
    assert first.heard == []
    second.deleteLater()
    flush()
    assert fake_engine.living == []
    assert not any(folder.exists() for folder in fake_engine.servers)


def test_a_closed_link_asks_a_new_engine(qtbot: Any, link: EngineLink, fake_engine: Any) -> None:
    panel = Panel()
    link.ask("devices", panel.hear)
    link.close()
    link.ask("devices", panel.hear)
    fake_engine.answer()
    qtbot.waitUntil(lambda: len(panel.heard) == 1, timeout=5000)


def test_who_is_superseded_by_another_panel_is_told_and_who_asks_anew_is_not(
    qtbot: Any, link: EngineLink, fake_engine: Any
) -> None:
    first, second = Panel(), Panel()
    for panel in (first, second, second):
        link.ask("separate", panel.hear)
    fake_engine.answer()
    qtbot.waitUntil(lambda: bool(first.heard and second.heard), timeout=5000)
    assert [letter.values["error"] for letter in first.heard] == ["Superseded"]
    assert len(second.heard) == 1


def test_a_panel_that_fails_over_an_answer_takes_it_from_nobody_else(
    qtbot: Any, link: EngineLink, fake_engine: Any
) -> None:
    first, second = Panel(), Panel()
    first.fails = True
    with qtbot.capture_exceptions() as errors:
        link.ask("devices", first.hear)
        link.ask("model", second.hear)
        fake_engine.answer()
        qtbot.waitUntil(lambda: bool(second.heard), timeout=5000)
    assert [kind for kind, *_ in errors] == [ZeroDivisionError]


def test_an_engine_that_dies_is_an_answer_to_everybody(qtbot: Any, link: EngineLink, fake_engine: Any) -> None:
    first, second = Panel(), Panel()
    link.ask("devices", first.hear)
    link.ask("model", second.hear)
    fake_engine.kill()
    qtbot.waitUntil(lambda: bool(first.heard and second.heard), timeout=5000)
    assert {letter.values["error"] for letter in (*first.heard, *second.heard)} == {"EngineLost"}
