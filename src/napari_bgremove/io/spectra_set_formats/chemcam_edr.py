"""ChemCam raw shots: 6444 pixels of three detectors below 29 lines of header, one column per shot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectra_set_formats.recording import Recording
from napari_bgremove.io.spectra_set_formats.text_rows import Line, to_numbers
from napari_bgremove.spectra.blocks import number_blocks
from napari_bgremove.spectra.spectra_set import make_spectra_set

__all__ = ["is_edr", "read_edr"]

# Each detector is read out with 50 pixels before and 50 behind the 2048 that
# see light; in the file VNIR comes first, along the axis UV does.
_PIXELS, _ACTIVE, _BEFORE = 2148, 2048, 50
_N_LINES = 3 * _PIXELS
_DETECTORS = {"UV": 2, "VIO": 1, "VNIR": 0}
# Active pixels without light, whose mean is the electronic offset of a shot.
_OFFSET_PIXELS = {"UV": slice(0, 11), "VIO": slice(0, 5), "VNIR": slice(1816, 1832)}
_USUAL_HEADER, _LONGEST_HEADER = 29, 60
# Lines whose first column is looked at for an axis.
_SAMPLED = 50


def is_edr(lines: Sequence[Line]) -> bool:
    """Tell by the number of lines below a header, and by the lack of an axis in the first column."""
    header = len(lines) - _N_LINES
    if not 0 <= header <= _LONGEST_HEADER:
        return False
    if header not in (0, _USUAL_HEADER) and _first_number(lines[header - 1]) is not None:
        return False
    starts = [_first_number(line) for line in (*lines[header : header + _SAMPLED], lines[-1])]
    numbers = [start for start in starts if start is not None]
    steps = np.sign(np.diff(numbers))
    return len(numbers) == len(starts) and abs(steps.sum()) != steps.size


def read_edr(path: Path, lines: Sequence[Line], *, axis: NDArray[np.float64] | None) -> Recording:
    """Read raw shots in detector units (DN), ordered UV, VIO, VNIR, on a given axis.

    Nothing is subtracted: pedestal and dark current are part of the
    background. `provenance["offsets"]` holds, per detector, the mean of the
    pixels without light.
    """
    if axis is None:
        msg = (
            f"'{path.name}' holds raw ChemCam shots, which come without wavelengths; give them as `axis`: a CCS file "
            "of the same campaign, or 6144 values in nm."
        )
        raise ReadError(msg)
    if axis.shape != (3 * _ACTIVE,):
        msg = f"'axis' of '{path.name}' must have 3 x 2048 = 6144 channels; found {describe_shape(axis.shape)}."
        raise ReadError(msg)
    header = lines[: len(lines) - _N_LINES]
    readout = to_numbers(path.name, lines[len(header) :], ",").T.reshape(-1, 3, _PIXELS)
    active = {name: readout[:, at, _BEFORE : _BEFORE + _ACTIVE] for name, at in _DETECTORS.items()}
    made = make_spectra_set(
        axis,
        np.concatenate(list(active.values()), axis=1).astype(np.float32),
        targets=path.stem,
        blocks=number_blocks([0, _ACTIVE, 2 * _ACTIVE, 3 * _ACTIVE], names=tuple(_DETECTORS)),
        value_unit="DN",
        provenance={
            "file": path.name,
            "format": "ChemCam EDR",
            "header": [line.text for line in header],
            "offsets": {name: float(part[:, _OFFSET_PIXELS[name]].mean()) for name, part in active.items()},
        },
    )
    return Recording(made)


def _first_number(line: Line) -> float | None:
    try:
        return float(line.text.split(",", 1)[0])
    except ValueError:
        return None
