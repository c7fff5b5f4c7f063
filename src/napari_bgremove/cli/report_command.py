"""bgremove report: a model on real data, beside tuned classical filters."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove.cli.options import DEVICE, JSON, PRECISION, THREADS, write_json

if TYPE_CHECKING:
    from napari_bgremove.evaluation.report_card import Method

_DATA_HELP = "Folder with saxs/signal and saxs/noise; otherwise BGREMOVE_DATA or ../shared/data."


@click.command("report")
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help=_DATA_HELP)
@click.option(
    "--model",
    "models",
    type=click.Path(exists=True, dir_okay=False),
    multiple=True,
    help="Model files; the bundled one otherwise.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the card: Markdown, CSV, JSON, figures.",
)
@click.option(
    "--level", "levels", type=float, multiple=True, help="Signal levels (p99, keV); by default 3, 10, 30 and 100."
)
@click.option(
    "--hits",
    type=click.Choice(["sr90", "cosmic", "weak"]),
    default="sr90",
    show_default=True,
    help="Which high-energy hits are added.",
)
@click.option("--variants", is_flag=True, help="Also literal normalisation, plain mean, median and a single grid.")
@click.option("--harm/--no-harm", default=True, show_default=True, help="Also the real images without added hits.")
@DEVICE
@PRECISION
@THREADS
@JSON
def command(
    data: Path | None, models: tuple[str, ...], out: Path, levels: tuple[float, ...], hits: str, variants: bool,
    harm: bool, device: str, precision: str, threads: int | None, json_file: Path | None,
) -> None:  # fmt: skip
    """Judge models on real scattering images with real high-energy hits added.

    The same patches, hits and seeds every time. The classical filters are
    tuned with each source left out in turn; the models have seen none of it.
    """
    from napari_bgremove.evaluation.card_figures import draw_examples, draw_gains, write_figure
    from napari_bgremove.evaluation.card_writers import (
        as_document,
        as_markdown,
        write_card_csv,
        write_card_json,
        write_card_markdown,
    )
    from napari_bgremove.evaluation.report_card import measure_harm, run_card
    from napari_bgremove.learning.devices import limited_threads

    folder = data or Path(os.environ.get("BGREMOVE_DATA", "../shared/data"))
    methods = _methods(models, variants, device, precision)
    with limited_threads(threads):
        card = run_card(folder, methods, hits=hits, levels=levels or _default_levels(hits), report=_Ticker())
        harm_rows = measure_harm(folder, methods) if harm else ()
    click.echo("\n" + as_markdown(card, harm=harm_rows))
    out.mkdir(parents=True, exist_ok=True)
    write_card_markdown(out / "report-card.md", card, harm=harm_rows)
    write_card_csv(out / "report-card.csv", card)
    write_card_json(out / "report-card.json", card, harm=harm_rows)
    first = next(iter(methods))
    write_figure(out / "report-card-examples.png", draw_examples(card, first))
    write_figure(out / "report-card-gains.png", draw_gains(card, first))
    write_json(json_file, as_document(card, harm=harm_rows))


def _methods(models: tuple[str, ...], variants: bool, device: str, precision: str) -> dict[str, Method]:
    from napari_bgremove.io.bundled import BUNDLED_MODEL
    from napari_bgremove.learning.devices import pick_device
    from napari_bgremove.learning.inference import options_of
    from napari_bgremove.learning.model_file import read_model

    methods: dict[str, Method] = {}
    for path in models or (str(BUNDLED_MODEL),):
        model = read_model(path)
        name = "bundled" if Path(path) == BUNDLED_MODEL else Path(path).parent.name + "/" + Path(path).stem
        options = options_of(model, device=pick_device(device), precision=precision)
        methods[name] = _method(model.network, options)
        if variants:
            for label, changes in _VARIANTS.items():
                methods[f"{name}, {label}"] = _method(
                    model.network, options_of(model, device=options.device, **changes)
                )
    return methods


_VARIANTS: dict[str, dict[str, Any]] = {
    "literal": {"normalization": "literal"},
    "median": {"merge": "median"},
    "mean": {"merge": "mean"},
    "one grid": {"offsets": ((0, 0),)},
}


def _method(network: Any, options: Any) -> Method:
    from napari_bgremove.learning.inference import separate_image

    return lambda measured: separate_image(network, measured, options=options, gap_values=())


def _default_levels(hits: str) -> tuple[float, ...]:
    return (30.0, 100.0, 300.0) if hits == "weak" else (3.0, 10.0, 30.0, 100.0)


class _Ticker:
    """Counts patches on one line."""

    def __init__(self) -> None:
        self._done = 0

    def __call__(self, line: str) -> None:
        self._done += 1
        if sys.stderr.isatty():
            click.echo(f"\r{self._done:4d}  {line:<70}", nl=False, err=True)
