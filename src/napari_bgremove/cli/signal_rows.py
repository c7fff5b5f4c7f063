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
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.io.spectra_sets import write_spectra_set
from napari_bgremove.spectra.spectra_set import SpectraSet, make_spectra_set

__all__ = ["collect_rows", "kept_rows"]

Rows = NDArray[np.float32]


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


def _read_rows(file: Path, choice: SpectrumChoice) -> Iterator[tuple[Path, Rows]]:
    loaded = load_signals(file, choice)
    for place, spectrum in enumerate(loaded.spectra.spectra):
        blocks = [measured.reshape(-1, len(spectrum)).astype(np.float32) for measured, _ in loaded.read_pairs(place)]
        yield file, np.concatenate(blocks)


def _leave_out(file: Path, rows: Rows) -> Rows:
    """Return the rows one can learn from, and say how many others there are."""
    whole = np.isfinite(rows).all(axis=1)
    noisy = whole & (np.nan_to_num(estimate_sigma(rows)) > 0)
    gaps, still = int((~whole).sum()), int((whole & ~noisy).sum())
    if gaps or still:
        click.echo(
            f"  {file.name}: {gaps + still} of {len(rows)} rows are left out, {gaps} with samples that are not usable, "
            f"{still} without noise"
        )
    return rows[noisy]
