"""A separation that a viewer started ends with the viewer, and leaves no half file."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.engine.launch import end_process, start_attached
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.io.processes import start_time

FRAMES = 400


@pytest.fixture
def run(tmp_path: Path, model_file: Path) -> RunFolder:
    """A job that takes a while."""
    np.save(tmp_path / "stack.npy", np.random.default_rng(0).poisson(5, (FRAMES, 96, 96)).astype(np.float32))
    folder = RunFolder(tmp_path / "run")
    job = SeparateJob(inputs=[str(tmp_path / "stack.npy")], out=str(tmp_path / "out"), model=str(model_file))
    folder.create(job.model_dump_json())
    return folder


def _wait_for_frames(folder: RunFolder, count: int = 2) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if sum(event["event"] == "frame" for event in folder.read_events()[0]) >= count:
            return
        time.sleep(0.05)
    pytest.fail(f"no frames: {folder.read_events()[0]}")


def test_it_ends_on_request_and_takes_its_half_files_away(run: RunFolder, tmp_path: Path) -> None:
    process = start_attached(run)
    _wait_for_frames(run)
    end_process(process, seconds=10)
    assert process.returncode not in (None, -9)
    assert list((tmp_path / "out").iterdir()) == []
    assert run.read_events()[0][-1]["event"] == "stopped"
    assert run.owner() is None


def test_it_ends_when_its_owner_is_killed(run: RunFolder, tmp_path: Path) -> None:
    code = (
        "import time, sys; from pathlib import Path; from napari_bgremove.engine.launch import start_attached;"
        "from napari_bgremove.engine.run_folder import RunFolder;"
        "start_attached(RunFolder(Path(sys.argv[1]))); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(run.path)])
    _wait_for_frames(run)
    engine = run.owner()
    assert engine is not None
    owner.kill()
    owner.wait()
    end = time.monotonic() + 30
    while start_time(engine) is not None and time.monotonic() < end:
        time.sleep(0.05)
    assert start_time(engine) is None
    assert list((tmp_path / "out").iterdir()) == []
