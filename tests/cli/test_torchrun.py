"""Several processes under torchrun learn what one process learns."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EPOCHS = 2
TINY = [
    "--preset", "tiny", "--latents", 2, "--epochs", EPOCHS, "--batch-size", 4, "--samples-per-epoch", 12,
    "--learning-rate", 1e-3, "--warmup-steps", 2, "--device", "cpu", "--threads", 1,
]  # fmt: skip


def _losses(run: Path) -> dict[str, list[float]]:
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert len(rows) == EPOCHS
    return {name: [float(row[name]) for row in rows] for name in rows[0] if "loss" in name}


@pytest.mark.skipif(sys.platform == "win32", reason="gloo under torchrun is for Linux and macOS")
def test_two_processes_give_the_loss_curve_of_one_with_the_same_batch(
    bgremove: Any, patch_files: list[object], tmp_path: Path
) -> None:
    """One --batch-size is shared: each of two processes computes half of every batch."""
    assert bgremove("train", *patch_files, "--out", tmp_path / "one", *TINY).code == 0
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m", "napari_bgremove", "--"]
    done = subprocess.run(
        [sys.executable, *map(str, [*torchrun, "train", *patch_files, "--out", tmp_path / "two", *TINY])],
        capture_output=True, text=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Finished: the newest model is") == 1  # the first process speaks for both
    one, two = _losses(tmp_path / "one"), _losses(tmp_path / "two")
    assert {"training_loss", "validation_loss"} <= one.keys() == two.keys()
    for name, curve in one.items():
        np.testing.assert_allclose(two[name], curve, rtol=1e-5)
