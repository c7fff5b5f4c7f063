from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.images.regions import measure_region


def test_a_region_is_measured_over_its_usable_pixels() -> None:
    image = np.array([[1.0, 2.0, np.nan], [4.0, 5.0, 60.0]])
    region = np.array([[1, 1, 1], [1, 0, 0]], bool)
    measured = measure_region(image, region)
    assert measured == {
        "pixels": 3,
        "sum": 7,
        "mean": pytest.approx(7 / 3),
        "std": pytest.approx(np.std([1, 2, 4])),
        "max": 4,
    }
    assert measure_region(image)["sum"] == 72


def test_nothing_has_a_sum_and_no_mean() -> None:
    measured = measure_region(np.full((2, 2), np.nan))
    assert (measured["pixels"], measured["sum"]) == (0, 0)
    assert np.isnan(measured["mean"])
