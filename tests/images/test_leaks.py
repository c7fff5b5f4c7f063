"""The leak of a mask: none for a mask that holds everything, all for none, in between what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.images.leaks import measure_leak


def _image(noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Read noise on a pedestal of 7, and a square of 64 x 64 pixels 20 higher."""
    image = 7 + noise * np.random.default_rng(0).standard_normal((256, 256))
    square = np.zeros((256, 256), bool)
    square[96:160, 96:160] = True
    image[square] += 20
    return image.astype(np.float32), square


def test_a_mask_that_holds_the_signal_leaks_nothing() -> None:
    image, square = _image()
    assert measure_leak(image, square) < 0.02


def test_no_mask_leaks_everything() -> None:
    image, square = _image()
    assert measure_leak(image, np.zeros_like(square)) == 1


def test_half_a_mask_leaks_half() -> None:
    image, square = _image(noise=0.1)
    square[:, 128:] = False
    assert measure_leak(image, square) == pytest.approx(0.5, abs=0.02)


def test_gaps_count_nowhere() -> None:
    image, square = _image()
    image[:, :40] = np.nan
    assert measure_leak(image, square) < 0.02


def test_a_mask_over_everything_has_no_outside() -> None:
    image, square = _image()
    assert np.isnan(measure_leak(image, np.ones_like(square)))


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'signal_mask' must have the shape of 'image' \(256 x 256\); found 2 x 2"):
        measure_leak(_image()[0], np.ones((2, 2), bool))
