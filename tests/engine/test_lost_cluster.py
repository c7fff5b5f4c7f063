"""What a cluster does wrong is one sentence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import KilledWorker
from distributed.client import CancelledError

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.lazy import iterate_separations


class FailingClient:
    """Computes like a cluster, but for one frame."""

    def __init__(self, *, frame: int, failure: BaseException) -> None:
        self._frames = 0
        self._failing, self._failure = frame, failure

    def compute(self, frame: da.Array) -> Any:
        number, self._frames = self._frames, self._frames + 1

        def result() -> np.ndarray:
            if number == self._failing:
                raise self._failure
            return frame.compute(scheduler="synchronous")

        return SimpleNamespace(result=result)


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (
            KilledWorker("separate-2", SimpleNamespace(address="tcp://10.0.0.7:4321"), 3),
            "'cluster' must keep its workers; 4 of them died one after another on frame 2. Give them more memory, or",
        ),
        (CancelledError("separate-2"), "'cluster' must stay to the end; its scheduler went away before frame 2."),
    ],
)
def test_a_cluster_that_dies_is_one_sentence_after_the_frames_before(failure: Exception, sentence: str) -> None:
    parts = da.ones((4, 4, 8, 8), chunks=(1, 4, 8, 8), dtype=np.float32)
    frames = iterate_separations(parts, client=FailingClient(frame=2, failure=failure))
    assert [float(next(frames).signal.mean()) for _ in range(2)] == [1.0, 1.0]
    with pytest.raises(ComputeError, match=f"^{sentence}"):
        next(frames)
