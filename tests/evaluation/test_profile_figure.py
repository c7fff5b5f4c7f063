"""The picture of a profile shows its numbers, over the axis they belong to."""

from __future__ import annotations

import numpy as np

from napari_bgremove.evaluation.profile_figure import draw_line_profile
from napari_bgremove.images.axis_calibration import LinearAxis
from napari_bgremove.images.line_profiles import extract_profile

IMAGE = np.random.default_rng(0).poisson(50, (30, 40)).astype(np.float32)


def test_the_curve_and_its_ribbon_lie_over_the_calibrated_axis() -> None:
    image = IMAGE.copy()
    image[:, 20] = np.nan
    profile = extract_profile(image, [(10, 2), (10, 37)], width=5)
    axis = LinearAxis(-43.0, 0.5, "kinetic energy", "eV")
    (plot,) = draw_line_profile(profile, axis, value_label="counts").axes
    (curve,) = plot.lines
    np.testing.assert_array_equal(curve.get_xydata(), np.transpose([axis.to_values(profile.position), profile.values]))
    assert np.isnan(curve.get_ydata()[18])
    assert (plot.get_xlabel(), plot.get_ylabel()) == ("kinetic energy (eV)", "counts")
    (ribbon,) = plot.collections
    drawn = np.concatenate([path.vertices for path in ribbon.get_paths()])
    assert drawn[:, 1].max() == np.nanmax(profile.values + profile.sigma)
    assert drawn[:, 1].min() == np.nanmin(profile.values - profile.sigma)
