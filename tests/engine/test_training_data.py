"""A model says what it was trained on in one line: numbers, and names without folders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_bgremove.engine.training_data import describe_training_data
from napari_bgremove.images.patch_set import PatchSet


def patches(role: str, shots: int, **metadata: Any) -> PatchSet:
    n = 2 * shots
    names = tuple(f"shot {number}" for number in range(shots))
    values = np.zeros((n, 8, 8), np.float32)
    return PatchSet(values, role, np.zeros((n, 2)), np.zeros(n), np.arange(n) % shots, names, metadata)


@pytest.mark.parametrize(
    ("metadata", "origin"),
    [
        ({}, "4 signal patches of 2 shots (shot 0, shot 1)"),
        ({"files": ["/home/me/secret/a.tif", "/home/me/b.tif"]}, "4 signal patches of 2 shots (a.tif, b.tif)"),
        ({"files": [f"{n}.tif" for n in range(9)]}, "4 signal patches of 2 shots (0.tif, 1.tif, 2.tif and 6 more)"),
        ({"generated": True, "seed": [7, 5]}, "4 signal patches of 2 generated shots (seeds 5 to 7)"),
        ({"generated": True, "seed": 7}, "4 signal patches of 2 generated shots (seed 7)"),
        ({"generated": True}, "4 signal patches of 2 generated shots"),
    ],
)
def test_it_names_the_shots_or_the_seeds(metadata: dict[str, Any], origin: str) -> None:
    text = describe_training_data(patches("signal", 2, **metadata), patches("background", 1))
    assert text == f"{origin} and 2 background patches of 1 shot (shot 0)"


def test_no_folder_gets_into_a_model_file() -> None:
    told = replace(patches("signal", 2), metadata={"files": ["/home/me/a.tif"]})
    assert "/" not in describe_training_data(told, told)
