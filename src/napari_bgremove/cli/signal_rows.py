"""The rows a person wants a denoiser to learn from, put into one file beside the run, so that it can be resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from napari_bgremove.cli.signal_sources import load_signals
from napari_bgremove.cli.spectrum_sources import SpectrumChoice
from napari_bgremove.errors import ComputeError, ReadError
from napari_bgremove.io.spectra_sets import write_spectra_set
from napari_bgremove.spectra.spectra_set import SpectraSet, make_spectra_set

__all__ = ["collect_rows", "explain_few", "explain_loss", "kept_rows"]

Rows = NDArray[np.float32]
# Of generated spectra in rows of 128, 60 rows (7,680 samples) left more noise in new rows than was in them; 200 rows
# (25,600 samples) took half of it away.
_ENOUGH_SAMPLES = 20_000
# Mean loss of samples that are known but for their own noise, of standard deviation 1; and what of it is suspicious.
_HONEST_LOSS = {"mse": 1.0, "smooth_l1": 0.425}
_SUSPICIOUS = 0.9


def collect_rows(files: Sequence[Path], choice: SpectrumChoice) -> SpectraSet:
    """Read the signals of files as rows, and say which cannot be learnt from.

    Rows with samples that are not usable are left out, and rows without
    noise, such as those behind a beam stop.

    Raises
    ------
    click.UsageError
        When an option is not for this kind of file.
    ReadError
        When a file cannot be used, or its signals have another length.
    ComputeError
        When no row is left.
    """
    parts = [rows for file in files for rows in _read_rows(file, choice)]
    length, first = parts[0][1].shape[1], parts[0][0].name
    for file, rows in parts[1:]:
        if rows.shape[1] != length:
            msg = (
                f"'{file.name}' must have signals of {length} samples, as '{first}' has; found {rows.shape[1]}. Train "
                "on signals of one length."
            )
            raise ReadError(msg)
    kept = [_leave_out(file, rows) for file, rows in parts]
    if not any(map(len, kept)):
        msg = (
            "'rows' must have noise and only usable samples; found none that have. Read lines beside the gaps first, "
            "by 'bgremove profile'."
        )
        raise ComputeError(msg)
    names = [file.stem for (file, _), rows in zip(parts, kept, strict=True) for _ in rows]
    values = np.concatenate(kept)
    record = {"files": [str(file) for file in files], "rows": len(values)}
    return make_spectra_set(
        np.arange(values.shape[1]), values, targets=names, axis_unit="px", value_unit="", provenance=record
    )


@contextmanager
def kept_rows(folder: Path, rows: SpectraSet, *, stem: str) -> Iterator[Path]:
    """Write rows into a run folder; of a run that is not made nothing stays.

    The name goes with the content, so that the rows of a run that is there
    already are never replaced.
    """
    digest = hashlib.sha256(np.ascontiguousarray(rows.spectra).tobytes()).hexdigest()
    path, is_new = folder / f"{stem}-rows-{digest[:8]}.npz", not folder.exists()
    was_there = path.exists()
    if not was_there:
        write_spectra_set(path, rows)
    try:
        yield path
    except BaseException:
        if not was_there:
            path.unlink()
        if is_new and not any(folder.iterdir()):
            folder.rmdir()
        raise


def explain_few(rows: SpectraSet) -> str | None:
    """Return a sentence where the rows are too few to learn from; None where they suffice."""
    if rows.spectra.size >= _ENOUGH_SAMPLES:
        return None
    return (
        f"{rows.spectra.size:,} samples are few: below some {_ENOUGH_SAMPLES:,} a network learns their noise by heart, "
        "and a filter (--method tv) does better."
    )


def explain_loss(validation: float, loss: str) -> str | None:
    """Return a sentence where hidden samples were guessed better than independent noise allows; otherwise None."""
    if not validation < _SUSPICIOUS * _HONEST_LOSS[loss]:
        return None
    return (
        f"The best validation loss, {validation:.2f}, is below the {_HONEST_LOSS[loss]:.2g} of samples whose noise "
        "nothing else tells: rows occur twice, or neighbours share their noise. What is taken away may not be the "
        "noise; compare with a filter (--method tv)."
    )


def _read_rows(file: Path, choice: SpectrumChoice) -> Iterator[tuple[Path, Rows]]:
    loaded = load_signals(file, choice)
    for place, spectrum in enumerate(loaded.spectra.spectra):
        blocks = [measured.reshape(-1, len(spectrum)).astype(np.float32) for measured, _ in loaded.read_pairs(place)]
        yield file, np.concatenate(blocks)


def _leave_out(file: Path, rows: Rows) -> Rows:
    """Return the rows one can learn from, and say how many others there are."""
    from napari_bgremove.learning.signal_scaling import measure_sigma

    whole = np.isfinite(rows).all(axis=1)
    noisy = whole & (measure_sigma(rows) > 0)
    gaps, still = int((~whole).sum()), int((whole & ~noisy).sum())
    if gaps or still:
        click.echo(
            f"  {file.name}: {gaps + still} of {len(rows)} rows are left out, {gaps} with samples that are not usable, "
            f"{still} without noise"
        )
    return rows[noisy]
