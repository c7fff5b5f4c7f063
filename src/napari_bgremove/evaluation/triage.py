"""How far to trust each of many separated frames: figures of one frame, and the order to look at them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._files import atomic_write
from napari_bgremove.images.pairs import measure_hit_share
from napari_bgremove.separation import Separation

__all__ = ["FIGURES", "TriagedFrame", "measure_trust", "rank_frames", "write_triage_csv"]

PathLike = str | os.PathLike[str]
FIGURES = ("unsure_share", "residual_share", "background_share", "hit_share")


def measure_trust(separation: Separation) -> dict[str, float]:
    """Measure what makes a person look twice at a separated frame.

    Returns
    -------
    dict of str to float
        unsure_share: sum of the uncertainty over the sum of |measured|.
        residual_share: |sum of the residual| over the same.
        background_share: sum of the background over the same.
        hit_share: share of the usable pixels that were hit, by the measure
        that is taken of training patches (`measure_hit_share`).
        Empty when no pixel is usable, or nothing was measured at all: no
        share of nothing.
    """
    measured, background = separation.measured, separation.background
    usable = np.isfinite(measured) & np.isfinite(separation.signal) & np.isfinite(background)
    total = float(np.abs(measured[usable]).sum(dtype=np.float64))
    if not total:
        return {}
    uncertainty = separation.uncertainty
    unsure = 0.0 if uncertainty is None else float(np.nansum(uncertainty[usable], dtype=np.float64))
    return {
        "unsure_share": unsure / total,
        "residual_share": abs(float(separation.residual[usable].sum(dtype=np.float64))) / total,
        "background_share": float(background[usable].sum(dtype=np.float64)) / total,
        "hit_share": measure_hit_share(np.where(usable, _as_recorded(measured, background), np.nan)[None]),
    }


def _as_recorded(measured: NDArray[Any], background: NDArray[Any]) -> NDArray[np.float32]:
    """Return a background as a patch of it is recorded: with the read noise that a result leaves to the signal.

    Without it the traces that a network takes everywhere would count as hits;
    in an image of whole counts so would any fraction of one.
    """
    recorded = np.where(measured < 0, measured, background).astype(np.float32)
    known = measured[np.isfinite(measured)]
    return np.rint(recorded) if np.array_equal(known, np.rint(known)) else recorded


@dataclass(frozen=True)
class TriagedFrame:
    """A frame in the order of suspicion.

    Attributes
    ----------
    name : str
        File or layer.
    frame : int
        Counted from 0.
    figures : mapping of str to float
        As from `measure_trust`; empty for a frame that could not be separated.
    suspicion : float
        Share of the measured intensity that the result is unsure of; 1 more
        for every reason.
    reasons : tuple of str
        Why a person should look, beyond the number.
    """

    name: str
    frame: int
    figures: Mapping[str, float]
    suspicion: float
    reasons: tuple[str, ...] = ()


def rank_frames(
    frames: Iterable[tuple[str, int, Mapping[str, Any]]], *, trained_hit_share: float | None = None
) -> list[TriagedFrame]:
    """Order frames, the most suspicious first.

    Parameters
    ----------
    frames : iterable of (name, frame, figures)
    trained_hit_share : float, optional
        Largest hit share the network was trained on; frames above it are
        outside of what it knows. None where that is not recorded.
    """
    ranked = [_judge(*frame, trained_hit_share) for frame in frames]
    return sorted(ranked, key=lambda frame: frame.suspicion, reverse=True)


def _judge(name: str, frame: int, figures: Mapping[str, Any], trained: float | None) -> TriagedFrame:
    known = {figure: float(figures[figure]) for figure in FIGURES if figure in figures}
    reasons = []
    if not known:
        reasons.append(str(figures.get("skipped", "nothing was measured")))
    elif trained is not None and known["hit_share"] > trained:
        reasons.append(f"{known['hit_share']:.1%} of the pixels hit, trained on up to {trained:.1%}")
    unsure = known.get("unsure_share", 0.0) + known.get("residual_share", 0.0)
    return TriagedFrame(name, frame, known, unsure + len(reasons), tuple(reasons))


def write_triage_csv(path: PathLike, frames: Sequence[TriagedFrame], verdicts: Mapping[tuple[str, int], str]) -> Path:
    """Write frames and what a person decided about them, one line each.

    Parameters
    ----------
    path : path-like
    frames : sequence of TriagedFrame
    verdicts : mapping of (name, frame) to {"accepted", "rejected"}
        What is not in it is undecided.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "frame", "verdict", "suspicion", *FIGURES, "reasons"])
    for frame in frames:
        figures = [f"{frame.figures[name]:.6g}" if name in frame.figures else "" for name in FIGURES]
        verdict = verdicts.get((frame.name, frame.frame), "")
        writer.writerow(
            [frame.name, frame.frame, verdict, f"{frame.suspicion:.6g}", *figures, "; ".join(frame.reasons)]
        )
    return atomic_write(path, text.getvalue())
