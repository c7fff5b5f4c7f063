"""What a crash leaves can be had back; what ended in order leaves nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_bgremove.errors import ReadError
from napari_bgremove.io.autosave import GENERATIONS, Autosave, find_left_behind

CRASH = """
import os, sys, numpy as np
from pathlib import Path
from napari_bgremove.io.autosave import Autosave
autosave = Autosave(Path(sys.argv[1]))
mask = np.zeros((30, 50), bool); mask[3:9, 7:30] = True
for k in range(8):
    mask[20, k] = True
    autosave.save("key", "X-ray-only shot - signal mask", mask, scale=[2.0, 2.0])
os._exit(9)
"""


@pytest.fixture
def after_a_crash(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], check=False)
    return tmp_path


def test_the_newest_mask_of_a_dead_process_is_offered(after_a_crash: Path) -> None:
    (saved,) = find_left_behind(after_a_crash)
    expected = np.zeros((30, 50), bool)
    expected[3:9, 7:30] = True
    expected[20, :8] = True
    assert_array_equal(saved.read(), expected)
    assert saved.name == "X-ray-only shot - signal mask"
    assert saved.details == {"scale": [2.0, 2.0]}


def test_so_many_generations_are_kept(after_a_crash: Path) -> None:
    assert len(list(after_a_crash.rglob("*.npz"))) == GENERATIONS


def test_a_damaged_generation_gives_way_to_the_one_before(after_a_crash: Path) -> None:
    newest = max(after_a_crash.rglob("*.npz"))
    newest.write_bytes(newest.read_bytes()[:-40])
    (saved,) = find_left_behind(after_a_crash)
    assert saved.read()[20].sum() == 7


def test_a_file_that_breaks_after_it_was_found_is_refused(after_a_crash: Path) -> None:
    (saved,) = find_left_behind(after_a_crash)
    saved.path.write_bytes(b"no longer a mask")
    with pytest.raises(ReadError, match="is a damaged autosave"):
        saved.read()


def test_a_living_process_keeps_its_masks_to_itself(tmp_path: Path) -> None:
    autosave = Autosave(tmp_path)
    assert autosave.save("key", "mask", np.ones((4, 4), bool)) is not None
    assert find_left_behind(tmp_path) == []


def test_an_unchanged_mask_is_not_written_again(tmp_path: Path) -> None:
    autosave = Autosave(tmp_path)
    autosave.save("key", "mask", np.ones((4, 4), bool))
    assert autosave.save("key", "mask", np.ones((4, 4), bool)) is None
    assert autosave.save("key", "mask", np.zeros((4, 4), bool)) is not None


def test_closing_in_order_leaves_nothing(tmp_path: Path) -> None:
    autosave = Autosave(tmp_path)
    autosave.save("key", "mask", np.ones((4, 4), bool))
    autosave.close()
    assert not list(tmp_path.rglob("*.npz"))


def test_what_is_forgotten_is_gone(after_a_crash: Path) -> None:
    (saved,) = find_left_behind(after_a_crash)
    saved.forget()
    assert find_left_behind(after_a_crash) == []
