"""The preferred device is chosen, and never one that is not there."""

from __future__ import annotations

from typing import Any

import pytest

from napari_bgremove.widgets.parts.device_choice import DeviceChoice

GPUS = {"cuda:0": "A GPU", "cuda:1": "Another", "cpu": "CPU (2 of 2 threads)"}


@pytest.mark.parametrize(
    ("preferred", "chosen"), [("auto", "auto"), ("cpu", "cpu"), ("cuda", "cuda:0"), ("mps", "auto")]
)
def test_what_the_engine_has_found_decides(qtbot: Any, preferred: str, chosen: str) -> None:
    box = DeviceChoice(preferred)
    qtbot.addWidget(box)
    assert (box.currentText(), box.is_known) == (preferred, False)
    box.show_devices(GPUS)
    assert (box.currentText(), box.is_known) == (chosen, True)
    assert [box.itemText(i) for i in range(box.count())] == ["auto", *GPUS]
    assert ("is not on this computer" in box.toolTip()) is (preferred == "mps")


def test_a_choice_stays_when_the_devices_are_told_again(qtbot: Any) -> None:
    box = DeviceChoice()
    qtbot.addWidget(box)
    box.show_devices(GPUS)
    box.setCurrentText("cuda:1")
    box.show_devices(GPUS)
    assert box.currentText() == "cuda:1"
    box.show_devices({"cpu": "CPU"})
    assert box.currentText() == "auto"
