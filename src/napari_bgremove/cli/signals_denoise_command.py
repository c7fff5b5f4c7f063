"""`bgremove signals denoise`: signals without their noise, and what was found on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove import __version__
from napari_bgremove.cli.options import DEVICE, JSON, THREADS, check_writable, write_json
from napari_bgremove.cli.shots import Gate
from napari_bgremove.cli.spectrum_options import convert_parameters
from napari_bgremove.cli.spectrum_source_options import spectrum_source_options
from napari_bgremove.filters.signal_filters import METHODS

if TYPE_CHECKING:
    from napari_bgremove.cli.signal_outcomes import Denoised

_SUFFIX = {"tiff": ".tif", "hdf5": ".h5"}
_FILE = click.Path(exists=True, dir_okay=False)
_PARAMETERS_HELP = "; ".join(f"{name}: {', '.join(method.parameters)}" for name, method in METHODS.items())
#: No signal can be denoised.
_NONE_DENOISED = 3


@click.command("denoise")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--method",
    type=click.Choice(list(METHODS)),
    metavar="NAME",
    help=f"{', '.join(f'{name} ({one.label})' for name, one in METHODS.items())}.",
)
@click.option(
    "--param",
    "given",
    type=(str, str),
    multiple=True,
    metavar="NAME VALUE",
    help=f"Parameter of a method, found from the noise otherwise; repeatable. {_PARAMETERS_HELP}.",
)
@click.option("--model", type=_FILE, help="Network, from 'bgremove signals train', in place of a method.")
@click.option(
    "--norm",
    type=click.Choice(["fixed", "signal"]),
    help="Whose statistics the network normalizes with: those of its training, or of each signal by itself (the "
    "paper's unfixed mode). What suits its training otherwise: signal for batches of one.",
)
@click.option(
    "--reference",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the clean signals, read like FILE: RMSE and PSNR are said.",
)
@spectrum_source_options
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=check_writable,
    help="CSV file of the results.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(list(_SUFFIX)),
    default="tiff",
    show_default=True,
    help="Of the images that a map or an image becomes.",
)
@click.option(
    "--figure",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=check_writable,
    help="Also draw it before and after, of many signals the highest: a .png, .svg or .pdf file.",
)
@DEVICE
@THREADS
@JSON
def command(
    file: Path, method: str | None, given: tuple[tuple[str, str], ...], model: str | None, norm: str | None,
    reference: Path | None, gap_values: tuple[float, ...], saturation: float | None, valid_mask: str | None,
    out: Path, file_format: str, figure: Path | None, device: str, threads: int | None, json_file: Path | None,
    **choice: Any,
) -> int:  # fmt: skip
    """Take the noise from the signals in FILE, each by itself.

    FILE is a table with an energy column (any usual dialect, CasaXPS, SPECS),
    VAMAS, an HDF5 or netCDF-4 map, an image or stack, of which every row is a
    signal, or a set of spectra (NPZ).

    bgremove signals denoise au4f.csv --method tv --out clean.csv

    One spectrum: OUT has the columns energy, measured, denoised and noise,
    which is what was taken away. Of several spectra in a file, each becomes a
    table of its own, OUT-NAME.csv.

    A map or an image: OUT has a line per signal with the numbers that were
    found. Beside it lie OUT-denoised.tif and OUT-noise.tif; stacks and maps in
    HDF5 may be larger than the memory. A set: OUT-denoised.npz and
    OUT-noise.npz are sets again; each spectrometer is denoised by itself.

    sigma is the noise as estimated from the signal. PSNR is 20 log10(peak /
    RMSE) with the largest magnitude of the reference; PSNR as published is
    what the paper's table has under this name, 20 log10(10 / MSE).

    When no signal can be denoised, the reason is said, no file is written, and
    the exit code is 3; it is 1 for what cannot be read or done.
    """
    from napari_bgremove.cli.signal_results import PARTS, denoise_into_files
    from napari_bgremove.cli.signal_sources import load_signals
    from napari_bgremove.cli.spectrum_results import name_files
    from napari_bgremove.cli.spectrum_sources import SpectrumChoice
    from napari_bgremove.engine.signal_denoising import DenoisingMethod, SignalDenoiser
    from napari_bgremove.io.targets import check_targets

    how = DenoisingMethod(device=device, threads=threads, **_choose_method(method, given, model, norm))
    gate = Gate(gap_values, saturation, valid_mask)
    loaded = load_signals(file, SpectrumChoice(gate=gate, **choice), reference=reference)
    suffix = ".npz" if loaded.set is not None else _SUFFIX[file_format]
    targets = name_files(out, loaded.spectra, suffix=suffix, images=tuple(PARTS))
    extra = [path for path in (figure, json_file) if path is not None]
    inputs = [str(path) for path in (reference, model) if path is not None]
    check_targets(
        [(str(file), [*(path for files in targets for path in files.values()), *extra]), *((i, []) for i in inputs)]
    )
    denoiser = SignalDenoiser(how)
    asked = {**choice, **gate.to_dict(), "reference": reference and str(reference)}
    record = {"version": __version__, "file": str(file)} | {k: v for k, v in asked.items() if v not in (None, ())}
    outcomes, written = [], []
    for place, files in enumerate(targets):
        outcome, made = denoise_into_files(loaded, place, denoiser, files, record)
        _report(outcome, made, denoiser.label)
        outcomes.append(outcome)
        written.append(made)
    if figure is not None and any(written):
        _draw(figure, outcomes)
    _write_figures(json_file, record | denoiser.record, outcomes, written)
    return 0 if any(written) else _NONE_DENOISED


def _choose_method(
    method: str | None, given: Sequence[tuple[str, str]], model: str | None, norm: str | None
) -> dict[str, Any]:
    """Return how to denoise; options of a filter are not for a network, and the other way round."""
    fail = click.get_current_context().fail
    if (model is None) == (method is None):
        fail("Give either --method or --model.")
    if method is None:
        if given:
            fail("--param is for a --method; a network has no parameters to give.")
        return {"model": model, "norm": norm}
    if norm is not None:
        fail("--norm is for a network (--model).")
    return {"method": method, "parameters": convert_parameters(method, given, METHODS[method].parameters)}


def _report(outcome: Denoised, written: Mapping[str, Path], label: str) -> None:
    for line in outcome.describe(label):
        click.echo(line, err=not written)
    for name, path in written.items():
        click.echo(f"  {name:<12} {path}")


def _write_figures(
    path: Path | None, record: Mapping[str, Any], outcomes: Sequence[Denoised], written: Sequence[Mapping[str, Path]]
) -> None:
    from napari_bgremove.io.provenance import to_plain

    spectra = [
        {**outcome.summarise(), "files": {name: str(target) for name, target in files.items()}}
        for outcome, files in zip(outcomes, written, strict=True)
    ]
    write_json(path, to_plain({**record, "spectra": spectra}))


def _draw(path: Path, outcomes: Sequence[Denoised]) -> None:
    from dataclasses import replace

    from napari_bgremove.cli.spectrum_results import as_drawn
    from napari_bgremove.evaluation.card_figures import write_figure
    from napari_bgremove.evaluation.denoising_figure import draw_denoised

    signals, truths = [], []
    for one in outcomes:
        if one.example is not None:
            drawn = as_drawn(one.spectrum, one.example)
            place = f" [{', '.join(map(str, one.place))}]" if one.place else ""
            signals.append(replace(drawn, title=drawn.title + place))
            truths.append(one.truth)
    write_figure(path, draw_denoised(signals, truths=truths))
