"""The pictures of backgrounds show their numbers, their ends and nothing else."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from napari_bgremove.evaluation.background_figure import SeparatedSpectrum, draw_backgrounds, draw_net_areas
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.ends import Anchor, Endpoint, Window

AXIS = np.linspace(280.0, 290.0, 21)
MEASURED = 100 + 50 * np.exp(-((AXIS - 285) ** 2))
BACKGROUND = np.where(AXIS > 281, 100.0, np.nan)


def test_each_spectrum_has_its_parts_and_its_ends() -> None:
    parts = Separation(MEASURED - BACKGROUND, BACKGROUND, MEASURED, uncertainty=np.full(21, 2.0))
    ends = (Anchor(Window(281, 282)), Endpoint(289))
    one = SeparatedSpectrum(AXIS, parts, ends, "C 1s", "binding energy (eV)", "CPS", falls=True)
    figure = draw_backgrounds([one, SeparatedSpectrum(AXIS, parts)])
    left, right, *others = figure.axes
    assert len(others) == 2
    for plot, curves in ((left, (MEASURED, BACKGROUND)), (right, (MEASURED - BACKGROUND,))):
        for line, curve in zip(plot.lines, curves, strict=False):
            assert_array_equal(line.get_xdata(), AXIS)
            assert_array_equal(line.get_ydata(), curve)
        assert plot.xaxis_inverted()
        assert plot.get_xlabel() == "binding energy (eV)"
        (shade,) = plot.patches
        assert (shade.get_x(), shade.get_width()) == (281, 1)
        assert plot.lines[-1].get_xdata() == [289, 289]
    assert (left.get_title(), left.get_ylabel()) == ("C 1s", "CPS")
    drawn = np.concatenate([path.vertices for path in left.collections[0].get_paths()])
    assert (drawn[:, 1].min(), drawn[:, 1].max()) == (98, 102)
    assert not others[0].xaxis_inverted()
    assert not others[0].patches


def test_net_areas_are_a_curve_or_an_image() -> None:
    areas = np.array([1.0, np.nan, 3.0])
    (plot,) = draw_net_areas(areas, sigma=[0.5, np.nan, 0.25], label="net area (eV)").axes
    assert_array_equal(plot.lines[0].get_ydata(), areas)
    assert plot.get_ylabel() == "net area (eV)"
    drawn = np.concatenate([path.vertices for path in plot.collections[0].get_paths()])
    assert drawn[:, 1].max() == 3.25
    image = draw_net_areas(np.arange(6.0).reshape(2, 3)).axes[0].images[0]
    assert_array_equal(image.get_array(), np.arange(6.0).reshape(2, 3))
