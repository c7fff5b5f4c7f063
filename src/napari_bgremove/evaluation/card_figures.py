"""Figures of the report card, saved without a window."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._files import atomic_write
from napari_bgremove.evaluation.card_summary import Example, LevelSummary, ReportCard, SourceSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_examples", "draw_gains", "write_figure"]

Image = NDArray[np.float32]


def draw_examples(card: ReportCard, method: str) -> Figure:
    """Draw one patch per source: measured, ours, truth, tuned classical; log scale in keV."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.6 * max(len(card.examples), 1)), layout="constrained")
    axes = figure.subplots(max(len(card.examples), 1), 4, squeeze=False)
    for line, example in zip(axes, card.examples, strict=False):
        _draw_example(line, example, method)
    return figure


def draw_gains(card: ReportCard, method: str) -> Figure:
    """Draw bars: gain of `method` per source and level, over both classical bars."""
    from matplotlib.figure import Figure

    members = [one for one in card.sources if one.method == method]
    levels = sorted({one.level_kev for one in members})
    figure = Figure(figsize=(4 * max(len(levels), 1), 3.4), layout="constrained")
    axes = figure.subplots(1, max(len(levels), 1), squeeze=False, sharey=True)[0]
    for axis, level in zip(axes, levels, strict=True):
        summary = next((one for one in card.levels if one.method == method and one.level_kev == level), None)
        _draw_level(axis, [one for one in members if one.level_kev == level], level, summary)
    axes[0].set_ylabel("PSNR gain (dB)")
    axes[0].legend(fontsize=8)
    return figure


def write_figure(path: Path | str, figure: Figure, *, dpi: int = 110) -> Path:
    """Save `figure` in the format its file name ends in."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    content = io.BytesIO()
    figure.savefig(content, format=Path(path).suffix.lstrip(".") or "png", dpi=dpi)
    return atomic_write(path, content.getvalue())


def _draw_example(axes: NDArray[Any], example: Example, method: str) -> None:
    from matplotlib.colors import LogNorm

    truth = example.patch.truth
    positive = truth[np.isfinite(truth) & (truth > 0)]
    high = float(np.nanmax(example.patch.measured))
    low = min(max(float(np.percentile(positive, 2)), high * 1e-5), high / 10)
    pictures = {
        f"{example.patch.source}: measured": example.patch.measured,
        method: example.estimates[method],
        "truth": truth,
        example.tuned_method: example.tuned_estimate,
    }
    for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
        axis.imshow(_floored(picture, low), norm=LogNorm(low, high), cmap="viridis", interpolation="nearest")
        axis.set_title(title, fontsize=8)
        axis.set_facecolor("0.8")
        axis.set_xticks([])
        axis.set_yticks([])


def _floored(picture: Image, low: float) -> Image:
    """Raise what a logarithm cannot show to the lowest colour."""
    return np.where(np.isfinite(picture), np.maximum(picture, low), np.nan).astype(np.float32)


def _draw_level(axis: Axes, members: list[SourceSummary], level: float, summary: LevelSummary | None) -> None:
    position = np.arange(len(members))
    axis.bar(position - 0.2, [one.gain_db for one in members], 0.4, label="over classical tuned on other sources")
    axis.bar(position + 0.2, [one.strict_gain_db for one in members], 0.4, label="over the best family in hindsight")
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks(position, [one.source for one in members], rotation=45, fontsize=8)
    tail = f", median {summary.gain_db:+.1f} dB" if summary is not None else ""
    axis.set_title(f"p99 = {level:g} keV{tail}", fontsize=9)
