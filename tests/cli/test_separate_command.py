"""bgremove separate, as a hasty person uses it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.io.results import read_provenance, write_image


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path / "shots" / "im.tif", np.random.default_rng(0).poisson(3, (40, 50)), provenance={})


def bgremove(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "napari_bgremove", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_results_in_the_folder_of_the_inputs_are_no_inputs_the_next_time(image: Path, model_file: Path) -> None:
    arguments = ("separate", "shots", "--out", "shots", "--model", model_file)
    folder = image.parents[1]
    for _ in range(2):
        done = bgremove(*arguments, folder=folder)
        assert done.returncode == 0, done.stderr
    assert "3 results of an earlier separation are left out" in done.stdout
    names = {path.name for path in image.parent.iterdir()}
    assert names == {"im.tif", "im-signal.tif", "im-background.tif", "im-uncertainty.tif", "im.json"}


def test_an_empty_name_is_not_the_current_folder(image: Path, model_file: Path) -> None:
    done = bgremove("separate", "", "--out", "out", "--model", model_file, folder=image.parent)
    assert done.returncode == 1
    assert "'' is no file name" in done.stderr


@pytest.mark.parametrize("value", ["0", "-1", "nan"])
def test_an_energy_that_is_none_is_refused_in_one_line(image: Path, model_file: Path, value: str) -> None:
    done = bgremove("separate", image, "--out", "out", "--kev-per-unit", value, folder=image.parents[1])
    assert done.returncode in (1, 2)
    assert "kev" in done.stderr
    assert "pydantic" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="ctrl-C of another process is not sent there")
def test_ctrl_c_stops_after_the_image_at_hand(tmp_path: Path, model_file: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(200):
        write_image(tmp_path / "many" / f"{i:03d}.tif", rng.poisson(3, (64, 64)), provenance={})
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_bgremove", "separate", "many", "--out", "out", "--model", str(model_file)],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopping after this step" in errors
    ledgers = list((tmp_path / "out").glob("*.json"))
    assert 0 < len(ledgers) < 200
    for ledger in ledgers:
        assert all((tmp_path / "out" / name).exists() for name in read_provenance(ledger)["files"].values())


def test_a_place_for_json_that_cannot_be_written_is_refused_before_the_work(image: Path, model_file: Path) -> None:
    arguments = ("separate", image, "--out", "out", "--model", model_file, "--json", image / "figures.json")
    done = bgremove(*arguments, folder=image.parents[1])
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert not (image.parents[1] / "out").exists()
