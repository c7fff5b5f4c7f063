"""The benchmark of the window: what it compares, and that it beats as said."""

from __future__ import annotations

import runpy
import time
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "responsiveness.py"


@pytest.fixture(scope="module")
def benchmark() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT), run_name="benchmark")


def test_what_counts_is_what_the_work_adds_to_its_control(benchmark: dict[str, Any]) -> None:
    control, slow = {"p99_ms": 100.0, "max_ms": 500.0}, {"p99_ms": 151.0, "max_ms": 699.0}
    figures = {
        "first_paint_s": 0.4, "torch_imported": True,
        "gaps": {"stack": {"control": control, "loaded": slow}, "frames": {"control": slow, "loaded": control}},
    }  # fmt: skip
    assert benchmark["judge"](figures) == [
        ("first paint", "<= 1 s", "0.40 s", True),
        ("stack, p99", "<= +50 ms", "+51.0 ms", False),
        ("stack, max", "<= +200 ms", "+199.0 ms", True),
        ("frames, p99", "<= +50 ms", "-51.0 ms", True),
        ("frames, max", "<= +200 ms", "-199.0 ms", True),
        ("torch imported", "no", "yes", False),
    ]


def test_a_window_that_is_deaf_shows_as_a_gap(qtbot: Any, benchmark: dict[str, Any]) -> None:
    with benchmark["Heartbeat"]() as heart:
        benchmark["run_for"](0.1)
        time.sleep(0.3)
        benchmark["run_for"](0.1)
    figures = heart.figures
    assert figures["max_ms"] >= 300
    assert figures["beats"] > 3
