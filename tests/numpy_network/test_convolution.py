"""Convolution by hand, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.numpy_network.convolution import forward_convolution


def test_three_taps_by_hand() -> None:
    y, _ = forward_convolution(
        np.array([[[1.0, 2.0, 4.0]]]), np.array([[[10.0, 1.0, 0.1]]]), np.array([1000.0]), padding=1
    )
    np.testing.assert_allclose(y, [[[1001.2, 1012.4, 1024.0]]])


def test_a_kernel_repeated_for_each_signal_is_the_one_kernel() -> None:
    rng = np.random.default_rng(0)
    x, kernel, bias = rng.normal(size=(3, 2, 9)), rng.normal(size=(4, 2, 3)), rng.normal(size=4)
    each = forward_convolution(x, np.broadcast_to(kernel, (3, 4, 2, 3)), bias, padding=1)[0]
    np.testing.assert_array_equal(each, forward_convolution(x, kernel, bias, padding=1)[0])


@pytest.mark.parametrize(
    ("kernel", "sentence"),
    [
        ((4, 3, 3), r"'kernel' \(4 x 3 x 3\) must fit maps of 5 x 2 channels"),
        ((3, 4, 2, 3), r"'kernel' \(3 x 4 x 2 x 3\) must fit maps of 5 x 2 channels"),
        ((4, 2, 9), "'x' must be as long as the kernel; found 6 samples, 1 zeros each side, 9 taps"),
    ],
)
def test_a_kernel_that_does_not_fit_is_refused(kernel: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        forward_convolution(np.ones((5, 2, 6)), np.ones(kernel), np.ones(4), padding=1)
