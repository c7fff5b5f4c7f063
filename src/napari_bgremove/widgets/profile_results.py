"""What came out of the lines of a spectrum panel, for its plot, its table and a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove.io.columns import write_columns
from napari_bgremove.separation import Separation
from napari_bgremove.spectra.backgrounds import METHODS
from napari_bgremove.spectra.shirley import ShirleyBackground
from napari_bgremove.widgets.parts.background_rows import BackgroundRow
from napari_bgremove.widgets.parts.shown_spectrum import ShownSpectrum
from napari_bgremove.widgets.profile_denoise_work import LABELS, OF_DENOISED
from napari_bgremove.widgets.profile_fits import Fit
from napari_bgremove.widgets.profile_map_work import areas_of

__all__ = ["save_fits", "say_refusals", "to_rows", "to_shown"]


def to_shown(fit: Fit) -> ShownSpectrum:
    """Return what the plot draws of a line."""
    first = next(iter(fit.parts.values()), None)
    return ShownSpectrum(
        fit.name,
        fit.colour,
        fit.values,
        fit.profile.values,
        sigma=fit.profile.sigma,
        backgrounds={METHODS[method].label: np.asarray(part.background) for method, part in fit.parts.items()},
        net=None if first is None else np.asarray(first.signal),
        denoised={LABELS[key]: np.asarray(part.signal) for key, part in fit.denoised.parts.items()},
    )


def to_rows(fit: Fit) -> list[BackgroundRow]:
    """Return what the table says of a line, method by method."""
    rows = [_row(fit, method, part) for method, part in fit.parts.items()]
    refused = [
        BackgroundRow(
            name=fit.name,
            method=METHODS[method].label,
            colour=fit.colour,
            explain=partial(str, why),
            status="awaited" if fit.is_awaited else "refused",
        )
        for method, why in fit.refusals.items()
    ]
    return rows + refused


def say_refusals(fits: Sequence[Fit]) -> Iterator[str]:
    """Yield why a line has no denoised curve or no background, in a sentence each."""
    for fit in (fit for fit in fits if not fit.is_awaited):
        refused = {LABELS.get(key, "denoise"): why for key, why in fit.denoised.refusals.items()} | dict(fit.refusals)
        yield from (f"{fit.name}, {method}: {why}" for method, why in refused.items())


def save_fits(path: Path, fits: Sequence[Fit]) -> str:
    """Write every line with its backgrounds as CSV, and return what was written in words.

    Raises
    ------
    ValueError
        When there is no line, or the engine has yet to denoise one.
    """
    if not fits:
        msg = "'spectra' must hold at least one line; found none. Draw a line on an image first."
        raise ValueError(msg)
    awaited = [fit.name for fit in fits if fit.denoised.is_awaited]
    if awaited:
        msg = f"'{awaited[0]}' must be denoised before it is saved; the engine has not answered yet. Try again."
        raise ValueError(msg)
    methods = list(dict.fromkeys(method for fit in fits for method in fit.parts))
    curves = list(dict.fromkeys(key for fit in fits for key in fit.denoised.parts))
    columns: dict[str, Any] = {
        "line": np.concatenate([np.full(len(fit.values), fit.name) for fit in fits]),
        **({} if fits[0].source.file else {"length": np.concatenate([fit.profile.position for fit in fits])}),
        fits[0].axis.name: np.concatenate([fit.values for fit in fits]),
        "measured": np.concatenate([fit.profile.values for fit in fits]),
        "sigma": np.concatenate([fit.profile.sigma for fit in fits]),
    }
    for key in curves:
        columns[f"denoised {key}"] = np.concatenate([_part(fit.denoised.parts.get(key), fit, "signal") for fit in fits])
    for method in methods:
        columns[f"background {method}"] = np.concatenate(
            [_part(fit.parts.get(method), fit, "background") for fit in fits]
        )
        columns[f"net {method}"] = np.concatenate([_part(fit.parts.get(method), fit, "signal") for fit in fits])
    write_columns(
        path, columns, provenance={"lines": {fit.name: _record(fit) for fit in fits}, "axis": fits[0].axis.label}
    )
    return f"Saved {len(fits)} {'spectrum' if len(fits) == 1 else 'spectra'} in {path}."


def _row(fit: Fit, method: str, part: Separation) -> BackgroundRow:
    said: dict[str, Any] = {"area": float(areas_of(part, fit.values, fit.windows))}
    if isinstance(part, ShirleyBackground):
        said |= {
            "sigma_area": float(part.sigma_area), "kappa": float(part.kappa), "level_low": float(part.end_levels[0]),
            "level_high": float(part.end_levels[1]), "status": str(part.status),
            "explain": lambda: f"{part.sentence} {OF_DENOISED}" if fit.is_of_denoised else part.sentence,
        }  # fmt: skip
    return BackgroundRow(name=fit.name, method=METHODS[method].label, colour=fit.colour, **said)


def _record(fit: Fit) -> dict[str, Any]:
    """Return where the curves of a line come from."""
    record = {method: dict(part.provenance) for method, part in fit.parts.items()}
    record |= {f"denoised {key}": dict(part.provenance) for key, part in fit.denoised.parts.items()}
    return record | ({"backgrounds of": f"denoised {fit.denoised.chosen}"} if fit.is_of_denoised else {})


def _part(part: Separation | None, fit: Fit, which: str) -> Any:
    return np.full(len(fit.values), np.nan) if part is None else getattr(part, which)
