"""A stack of any length fits into the memory of a few frames."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "separate.py"


def test_300_frames_of_a_module_fit_into_512_mib_above_one(tmp_path: Path) -> None:
    """In a process of its own, as `bgremove separate` does it: three images and a ledger; a stub for network."""
    figures = tmp_path / "figures.json"
    command = [sys.executable, BENCHMARK, "--repeats", "0", "--frames", "300", "--network", "stub", "--json", figures]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    memory = json.loads(figures.read_text())["memory"]
    assert memory["frames"] == 300
    assert memory["mib_above_one_frame"] < 512
