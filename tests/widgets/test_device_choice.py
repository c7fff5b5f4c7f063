"""The preferred device is chosen, and never one that is not there; the list tells what each is."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtWidgets import QStyleOptionViewItem

from napari_bgremove.widgets.parts.device_choice import DeviceChoice

GPUS = {"cuda:0": "A GPU (14.0 of 16.0 GiB free)", "cuda:1": "Another", "cpu": "CPU (2 of 2 threads)"}


@pytest.fixture
def box(qtbot: Any) -> DeviceChoice:
    box = DeviceChoice()
    qtbot.addWidget(box)
    return box


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


def test_a_choice_stays_when_the_devices_are_told_again(box: DeviceChoice) -> None:
    box.show_devices(GPUS)
    box.setCurrentText("cuda:1")
    box.show_devices(GPUS)
    assert box.currentText() == "cuda:1"
    box.show_devices({"cpu": "CPU"})
    assert box.currentText() == "auto"


def test_the_list_tells_name_and_free_memory_and_a_job_gets_the_plain_name(box: DeviceChoice) -> None:
    box.show_devices(GPUS)
    drawn = []
    for row in range(box.count()):
        option = QStyleOptionViewItem()
        box.view().itemDelegate().initStyleOption(option, box.model().index(row, 0))
        drawn.append(option.text)
    assert drawn[:2] == ["auto - now cuda:0", "cuda:0 - A GPU (14.0 of 16.0 GiB free)"]
    box.setCurrentIndex(1)
    assert box.currentText() == "cuda:0"


def test_a_device_that_is_not_here_cannot_be_chosen(box: DeviceChoice) -> None:
    assert box.choose("cuda"), "nobody knows yet"
    assert box.currentText() == "cuda"
    box.show_devices({"cpu": "CPU"})
    assert not box.choose("cuda")
    assert box.currentText() == "auto"
    box.show_devices(GPUS)
    assert box.choose("cuda")
    assert box.currentText() == "cuda:0"
