"""The profiles of all frames of a stack as one set of spectra: repeats of one target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove.cli.shots import Shot
from napari_bgremove.images.axis_calibration import LinearAxis

__all__ = ["write_profile_set"]


def write_profile_set(
    out: Path,
    shots: Sequence[Shot],
    vertices: Sequence[tuple[float, float]],
    how: Mapping[str, Any],
    axis: LinearAxis,
    *,
    target: str,
    record: Mapping[str, Any],
) -> str:
    """Read every shot along the same line, one in memory at a time, and write them as a set.

    Parameters
    ----------
    out : Path
        NPZ file, which `read_spectra_set` reads.
    shots : sequence of Shot
        A spectrum each, in their order.
    vertices, how
        Of the line, and how it is read; see `extract_profile`.
    axis : LinearAxis
    target : str
        Whose repeats they are.
    record : mapping
        Provenance.

    Returns
    -------
    str
        What was written, in words.
    """
    from napari_bgremove.images.line_profiles import extract_profile
    from napari_bgremove.io.spectra_sets import write_spectra_set
    from napari_bgremove.spectra.set_records import describe_set
    from napari_bgremove.spectra.spectra_set import make_spectra_set

    profiles = [extract_profile(shot.read(), vertices, **how) for shot in shots]
    values = axis.to_values(profiles[0].position)
    rising = slice(None) if axis.slope > 0 else slice(None, None, -1)
    spectra = make_spectra_set(
        values[rising],
        np.stack([profile.values[rising] for profile in profiles]).astype(np.float32),
        targets=target,
        axis_unit=axis.unit,
        provenance=record,
    )
    return f"{describe_set(spectra)} -> {write_spectra_set(out, spectra)}"
