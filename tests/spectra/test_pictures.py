"""Where the pixels of a picture of spectra lie: on an even axis, else by number; never a thin line."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.spectra.pictures import brightness_of_picture, place_of_picture
from napari_bgremove.synthetic.libs_instrument import chemcam_axis


def test_the_columns_of_an_even_axis_are_that_axis() -> None:
    scale, translate = place_of_picture(300 + 0.5 * np.arange(96), 4)
    assert (scale[1], translate) == (pytest.approx(0.5), (0.0, 300.0))
    assert scale[0] == pytest.approx(0.5 * 10), "0.4 x 96 channels over 4 rows, in whole channels"


def test_an_uneven_axis_gives_channel_numbers() -> None:
    scale, translate = place_of_picture(chemcam_axis(), 120)
    assert (scale, translate) == ((20.0, 1.0), (0.0, 0.0))
    uneven = 300 + 0.5 * np.arange(96)
    uneven[50] += 0.006  # a hundredth of a step is 0.005
    assert place_of_picture(uneven, 4)[1] == (0.0, 0.0)


@pytest.mark.parametrize("axis", [[5.0], [5.0, 4.0], [1.0, 2.0]])
def test_rows_are_never_squeezed(axis: list[float]) -> None:
    assert place_of_picture(axis, 10_000)[0] == (1.0, 1.0)


def test_the_brightness_is_that_of_most_samples_and_knows_gaps() -> None:
    values = np.concatenate([np.arange(1000.0), [1e9, np.nan]])
    low, high = brightness_of_picture(values)
    assert low == 0
    assert 980 < high < 1000
    assert brightness_of_picture(values - 500)[0] == pytest.approx(-495, abs=1)
    assert brightness_of_picture(np.full(9, np.nan)) == (0.0, 1.0)
    assert brightness_of_picture(np.full(9, 3.0)) == (0.0, 3.0), "a signal without its pedestal is seen, too"
    assert brightness_of_picture(np.zeros(9)) == (0.0, 1.0), "napari wants a range"
