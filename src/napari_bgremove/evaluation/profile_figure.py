"""The picture of a profile, for saved pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_bgremove.images.axis_calibration import LinearAxis
from napari_bgremove.images.line_profiles import LineProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_line_profile"]


def draw_line_profile(profile: LineProfile, axis: LinearAxis, *, value_label: str = "value") -> Figure:
    """Draw a profile of one image over its axis, with a ribbon of one standard error; what is not measured is a gap.

    Parameters
    ----------
    profile : LineProfile
        Of one image, not of a stack.
    axis : LinearAxis
        What the positions stand for, and what is written below.
    value_label : str
        What is written beside the values.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4), layout="constrained")
    plot: Axes = figure.subplots()
    along = axis.to_values(profile.position)
    low, high = profile.values - profile.sigma, profile.values + profile.sigma
    plot.fill_between(along, low, high, alpha=0.3, linewidth=0, label="± standard error")
    plot.plot(along, profile.values, linewidth=1.2, label="profile")
    plot.set(xlabel=axis.label, ylabel=value_label)
    plot.legend(frameon=False)
    return figure
