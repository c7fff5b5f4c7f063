"""A small stand-in for the real test set, so that the card's arithmetic is tested without data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from napari_bgremove.evaluation import baselines, report_card
from napari_bgremove.evaluation.real_set import RealPatch

STAND_IN_SOURCES = ("smooth", "spotty", "gapped")


def _make_truth(source: str) -> np.ndarray:
    rows, columns = np.indices((48, 48))
    truth = np.exp(-np.hypot(rows - 24, columns - 24) / 15)
    if source == "spotty":
        truth[::12, ::12] += 3
    if source == "gapped":
        truth[:, 20:23] = np.nan
    return (truth / np.nanpercentile(truth, 99)).astype(np.float32)


def make_patch(source: str, index: int, level: float, split: str = "test") -> RealPatch:
    rng = np.random.default_rng([index, len(source), len(split)])
    truth = _make_truth(source) * np.float32(level)
    hits = np.where(rng.random(truth.shape) < 0.05, rng.gamma(2, 20, truth.shape), 0) + rng.normal(0, 0.3, truth.shape)
    measured = (truth + hits).astype(np.float32)
    return RealPatch(
        source, f"{source}.npy", index, 0, split, "sr90", level, truth, measured, np.isfinite(truth), 10, (index,),
        None if source == "gapped" else (24.0, 24.0),
    )  # fmt: skip


@pytest.fixture
def stand_in_set(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Iterator[RealPatch]]:
    """Two patches of three sources in place of the real ones."""

    def iterate(
        data_folder: object, *, levels: Sequence[float] = (10.0,), split: str = "test", hits: str = "sr90"
    ) -> Iterator[RealPatch]:
        for source in STAND_IN_SOURCES:
            for index in range(2):
                for level in levels:
                    yield make_patch(source, index, float(level), split)

    monkeypatch.setattr(baselines, "iter_real_patches", iterate)
    monkeypatch.setattr(report_card, "iter_real_patches", iterate)
    return iterate
