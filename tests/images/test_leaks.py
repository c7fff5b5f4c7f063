"""The leak of a mask: none for a mask that holds everything, all for none, in between what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.images.leaks import measure_leak, measure_leaks


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


def _corners(*places: tuple[int, int]) -> np.ndarray:
    return np.array(places).reshape(-1, 2)


def test_patches_leak_the_signal_they_hold_and_count_each_pixel_once() -> None:
    image, square = _image(noise=0.1)
    square[:, 128:] = False  # the right half of the square is not masked
    beside, on_it = (0, 0), (96, 128)
    assert measure_leaks(image, square, _corners(beside), 32).in_patches < 0.01
    quarter = measure_leaks(image, square, _corners(beside, on_it), 32)
    assert quarter.in_patches == pytest.approx(0.25, abs=0.01)
    assert quarter.outside == measure_leak(image, square)
    assert measure_leaks(image, square, _corners(on_it, on_it), 32).in_patches == pytest.approx(0.25, abs=0.01)


def test_patches_outside_the_mask_leak_at_most_what_lies_outside() -> None:
    image, square = _image(noise=0.1)
    square[:, 128:] = False
    everywhere = _corners(*((row, 128) for row in range(0, 256, 64)), *((row, 192) for row in range(0, 256, 64)))
    leak = measure_leaks(image, square, everywhere, 64)
    assert leak.in_patches == pytest.approx(leak.outside, abs=0.01)


def test_without_patches_there_is_no_leak_into_patches() -> None:
    assert np.isnan(measure_leaks(*_image(), _corners(), 32).in_patches)
