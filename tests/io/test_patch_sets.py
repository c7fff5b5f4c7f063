"""A patch set comes back whole, or not at all; and no file is ever unpickled."""

from __future__ import annotations

import json
import warnings
import zipfile
from typing import Any

import numpy as np
import pytest

from napari_bgremove.errors import ReadError
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.io.patch_sets import read_patch_set, write_patch_set


def make_patch_set(role: str = "signal", n: int = 5) -> PatchSet:
    rng = np.random.default_rng(0)
    patches = rng.random((n, 8, 8), dtype=np.float32)
    patches[:1, 1, 2] = np.nan
    return PatchSet(
        patches=patches,
        role=role,
        positions=rng.random((n, 2)) * 100,
        angles=rng.random(n) * 360,
        shots=np.arange(n) % 2,
        shot_names=("run 7 µ.h5", "run 8.h5"),
        metadata={"threshold": 3.5, "remarks": ["few"]},
    )


@pytest.mark.parametrize("role", ["signal", "background"])
def test_a_patch_set_comes_back_bit_for_bit(tmp_path, role):
    patch_set = make_patch_set(role)
    read = read_patch_set(write_patch_set(tmp_path / "p.npz", patch_set))
    for name in ("patches", "positions", "angles", "shots"):
        np.testing.assert_array_equal(getattr(read, name), getattr(patch_set, name))
        assert getattr(read, name).dtype == getattr(patch_set, name).dtype
    assert (read.role, read.shot_names, read.metadata) == (role, patch_set.shot_names, patch_set.metadata)


def test_an_empty_patch_set_comes_back_empty(tmp_path):
    assert len(read_patch_set(write_patch_set(tmp_path / "p.npz", make_patch_set(n=0)))) == 0


def test_the_name_is_kept_as_given(tmp_path):
    assert write_patch_set(tmp_path / "patches.dat", make_patch_set()).exists()
    assert len(read_patch_set(tmp_path / "patches.dat")) == 5


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_cut_patch_set_is_refused(tmp_path, share):
    path = write_patch_set(tmp_path / "p.npz", make_patch_set())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(
        ReadError, match=r"'p.npz' must be a complete patch set file|'p.npz' must be a complete NPZ file"
    ):
        read_patch_set(path)


def test_an_altered_byte_is_found(tmp_path):
    path = write_patch_set(tmp_path / "p.npz", make_patch_set())
    content = bytearray(path.read_bytes())
    content[600] ^= 4
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"'p.npz' must be a complete NPZ file; .*Bad CRC-32"):
        read_patch_set(path)


def alter(path: Any, **changes: Any) -> None:
    """Write the file again with some of its arrays, or parts of its record, replaced."""
    with np.load(path) as archive:
        arrays = dict(archive)
    record = json.loads(arrays["record"].tobytes())["napari_bgremove"]
    record.update({key: value for key, value in changes.items() if key not in arrays})
    arrays["record"] = np.frombuffer(json.dumps({"napari_bgremove": record}).encode(), np.uint8)
    arrays.update({key: value for key, value in changes.items() if key in arrays})
    with open(path, "wb") as file:
        np.savez(file, **{key: value for key, value in arrays.items() if value is not None})


@pytest.mark.parametrize(("changes", "rule"), [
    ({"format": 9}, r"must carry the record of a patch set, format 1; found .*9"),
    ({"shot_names": "x"}, r"must carry the record of a patch set"),
    ({"role": "noise"}, r"must hold patches of the role signal or background; found 'noise'"),
    ({"patches": None}, r"must be a patch set with the array 'patches' of 3 axes; found nothing"),
    ({"patches": np.ones((5, 8))}, r"the array 'patches' of 3 axes; found 5 x 8 float64"),
    ({"patches": np.array([[[{}]]])}, r"the array 'patches' of 3 axes; found 1 x 1 x 1 object"),
    ({"angles": np.ones(4)}, r"must describe each of its 5 patches once"),
    ({"shots": np.full(5, 7)}, r"must name the shot of each patch; found shot 7 of 2"),
    ({"record": np.frombuffer(b"{}", np.uint8)}, r"must carry the record of a patch set, format 1; found none"),
])  # fmt: skip
def test_a_file_that_is_no_patch_set_is_refused(tmp_path, changes, rule):
    path = write_patch_set(tmp_path / "p.npz", make_patch_set())
    alter(path, **changes)
    with pytest.raises(ReadError, match=rf"'p.npz' {rule}|'p.npz' must .*{rule}"):
        read_patch_set(path)


def test_an_entry_given_twice_is_refused_or_the_same(tmp_path):
    path = write_patch_set(tmp_path / "p.npz", make_patch_set())
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("patches.npy", b"\x93NUMPY")
    with pytest.raises(ReadError, match=r"'p.npz' must be a complete NPZ file"):
        read_patch_set(path)
