"""What a terminal shows of a training while it runs."""

from __future__ import annotations

import sys
import time

import pytest

from napari_bgremove.cli.progress import TrainingProgress


@pytest.mark.parametrize("samples", ["patches", "triplets", "signals"])
def test_the_pace_is_in_what_the_network_learns_from(
    samples: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    show = TrainingProgress(samples)
    show({"event": "started", "resumed": False, "device": "CPU", "epoch": 0, "epochs": 2, "steps": 4})
    show({"event": "step", "epoch": 0, "step": 1, "steps": 4, "loss": 0.5, "samples_per_second": 12.34})
    assert f"step 1/4  loss 0.50000  12.3 {samples}/s  0 s left" in capsys.readouterr().out
