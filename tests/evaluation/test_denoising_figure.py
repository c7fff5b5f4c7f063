"""The picture of denoised signals shows what was measured, what is left, and what was taken away."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_bgremove.evaluation.background_figure import SeparatedSpectrum
from napari_bgremove.evaluation.denoising_figure import draw_denoised
from napari_bgremove.separation import Separation

AXIS = np.linspace(80.0, 90.0, 4)
TRUTH = np.array([0.0, 5.0, 5.0, 0.0])
NOISE = np.array([3.0, -4.0, np.nan, 5.0])
PARTS = Separation(TRUTH + 1, NOISE, TRUTH + 1 + NOISE)


def test_each_signal_has_its_curves_and_the_spread_of_what_was_taken_away() -> None:
    known = SeparatedSpectrum(AXIS, PARTS, (), "Au 4f", "binding energy (eV)", "counts", falls=True)
    left, right, *others = draw_denoised([known, SeparatedSpectrum(AXIS, PARTS)], truths=[TRUTH, None]).axes
    for line, curve in zip(left.lines, (PARTS.measured, TRUTH, PARTS.signal), strict=True):
        assert_array_equal(line.get_xdata(), AXIS)
        assert_array_equal(line.get_ydata(), curve)
    assert_array_equal(right.lines[0].get_ydata(), NOISE)
    (band,) = right.patches
    spread = np.sqrt((9 + 16 + 25) / 3)
    assert (band.get_y(), band.get_height()) == pytest.approx((-spread, 2 * spread))
    assert (left.get_title(), left.get_ylabel(), right.get_xlabel()) == ("Au 4f", "counts", "binding energy (eV)")
    assert left.xaxis_inverted()
    assert right.xaxis_inverted()
    assert [line.get_label() for line in others[0].lines] == ["measured", "denoised"]
    assert not others[0].xaxis_inverted()


def test_there_is_a_truth_for_each_or_for_none() -> None:
    signals = [SeparatedSpectrum(AXIS, PARTS)] * 2
    assert len(draw_denoised(signals).axes) == 4
    with pytest.raises(ValueError, match="argument 3 is shorter"):
        draw_denoised(signals, truths=[TRUTH])
