"""`bgremove report`: a model on real data, beside tuned classical filters."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove._validation import describe_duration
from napari_bgremove.cli.model_argument import IMAGE_MODEL
from napari_bgremove.cli.options import DEVICE, JSON, PRECISION, THREADS, write_json

if TYPE_CHECKING:
    from napari_bgremove.evaluation.real_set import CleanImage
    from napari_bgremove.evaluation.report_card import HarmRow, Method, ReportCard

_DATA_HELP = "Folder with saxs/signal and saxs/noise; otherwise BGREMOVE_DATA or ../shared/data."
_LEVELS = {"sr90": (3.0, 10.0, 30.0, 100.0), "weak": (30.0, 100.0, 300.0), "cosmic": (3.0, 10.0, 30.0, 100.0)}
_VARIANTS: dict[str, dict[str, Any]] = {
    "literal": {"normalization": "literal"},
    "median merge": {"merge": "median"},
    "mean merge": {"merge": "mean"},
    "one grid": {"offsets": ((0, 0),)},
    "bfloat16": {"precision": "bfloat16"},
}
_VARIANT_LEVELS = (10.0, 30.0, 100.0)
# Seeds no training uses: those of the bundled model start at a million.
_GENERATED_SEEDS = range(12)


@click.command("report")
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help=_DATA_HELP)
@click.option(
    "--model",
    "models",
    type=IMAGE_MODEL,
    metavar="FILE|fast",
    multiple=True,
    help="Model files, or 'fast'; 'bundled' otherwise.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the card: Markdown, CSV, figures.",
)
@click.option(
    "--hits",
    "kinds",
    type=click.Choice(list(_LEVELS)),
    multiple=True,
    default=("sr90", "weak", "cosmic"),
    show_default=True,
    help="Which high-energy hits are added; repeatable.",
)
@click.option(
    "--level", "levels", type=float, multiple=True, help="Signal levels (p99, keV) in place of the usual ones."
)
@click.option(
    "--variants",
    is_flag=True,
    help="Also the first model applied in other ways: literal, median, mean, one grid, bfloat16.",
)
@click.option("--harm/--no-harm", default=True, show_default=True, help="Also images without any hits.")
@DEVICE
@PRECISION
@THREADS
@JSON
def command(
    data: Path | None,
    models: tuple[str, ...],
    out: Path,
    kinds: tuple[str, ...],
    levels: tuple[float, ...],
    variants: bool,
    harm: bool,
    device: str,
    precision: str,
    threads: int | None,
    json_file: Path | None,
) -> None:
    """Judge models on real scattering images with real high-energy hits added.

    The same patches, hits and seeds every time. The classical filters are
    tuned with each source left out in turn; no model was trained on any of it.
    """
    from napari_bgremove.evaluation.baselines import read_tuning
    from napari_bgremove.evaluation.card_page import as_page
    from napari_bgremove.evaluation.card_writers import as_document
    from napari_bgremove.evaluation.real_files import SIGNAL_FILES
    from napari_bgremove.evaluation.real_set import count_real_patches
    from napari_bgremove.evaluation.report_card import measure_harm, run_card
    from napari_bgremove.learning.devices import describe_device, limited_threads, pick_device

    folder = data or Path(os.environ.get("BGREMOVE_DATA", "../shared/data"))
    methods = _methods(models, device, precision)
    computes = describe_device(pick_device(device))
    click.echo(f"Computing on {computes}.", err=True)
    with limited_threads(threads):
        # The filters are not tuned on cosmic rays: they meet them as a model does, unprepared.
        cards = [
            run_card(
                folder,
                methods,
                hits=kind,
                levels=levels or _LEVELS[kind],
                tuning=read_tuning("sr90") if kind == "cosmic" else None,
                report=_Ticker(kind, count_real_patches(levels or _LEVELS[kind])),
            )
            for kind in kinds
        ]
        ticker = _Ticker("without hits", len(SIGNAL_FILES) + len(_GENERATED_SEEDS), "images")
        harm_rows = measure_harm(_clean_images(folder), methods, report=ticker) if harm else ()
        varied = _run_variants(folder, models, cards, device) if variants else None
    first = next(iter(methods))
    typed = f"bgremove report{' --variants' if variants else ''} --out {out.name}"
    text = as_page(cards, first, harm=harm_rows, varied=varied, command=typed, device=computes)
    click.echo("\n" + text)
    document = _write_files(out, cards, harm_rows, text, first)
    if varied is not None:
        document["variants"] = as_document(varied)
    write_json(json_file, document)


def _write_files(
    out: Path, cards: list[ReportCard], harm: tuple[HarmRow, ...], text: str, first: str
) -> dict[str, Any]:
    from napari_bgremove._files import atomic_write
    from napari_bgremove.evaluation.card_figures import draw_examples, draw_gains, write_figure
    from napari_bgremove.evaluation.card_writers import as_document, write_card_csv

    atomic_write(out / "report-card.md", text)
    document: dict[str, Any] = {"cards": [as_document(card) for card in cards]}
    document["harm"] = as_document(cards[0], harm=harm)["harm"]
    for card in cards:
        write_card_csv(out / f"report-card-{card.hits}.csv", card)
    write_figure(out / "report-card-examples.png", draw_examples(cards[0], first))
    write_figure(out / "report-card-gains.png", draw_gains(cards[0], first))
    return document


def _run_variants(folder: Path, models: tuple[str, ...], cards: list[ReportCard], device: str) -> ReportCard | None:
    """Apply the first model in other ways, on the levels of the first card that the variants are compared on."""
    from napari_bgremove.evaluation.real_set import count_real_patches
    from napari_bgremove.evaluation.report_card import run_card

    card = next((card for card in cards if card.hits == "sr90"), None)
    if card is None:
        return None
    levels = [level for level in _VARIANT_LEVELS if any(row.level_kev == level for row in card.rows)]
    known = [row for row in card.rows if row.classical and row.level_kev in levels]
    methods = _variant_methods(models, device)
    return run_card(
        folder, methods, hits="sr90", levels=levels, classical_rows=known,
        report=_Ticker("variants", count_real_patches(levels)),
    )  # fmt: skip


def _clean_images(folder: Path) -> Iterator[CleanImage]:
    """Real images without added hits, then generated x-ray-only shots."""
    import numpy as np

    from napari_bgremove.evaluation.real_set import CleanImage, iter_clean_images
    from napari_bgremove.synthetic.saxs import make_xray_only_shot

    yield from iter_clean_images(folder)
    for seed in _GENERATED_SEEDS:
        shot = make_xray_only_shot(seed, shape=(256, 384))
        values = np.where(shot.valid_mask, shot.measured, np.nan).astype(np.float32)
        yield CleanImage("generated", f"seed {seed}, {shot.metadata['scattering']['family']}", values, shot.valid_mask)


def _methods(models: tuple[str, ...], device: str, precision: str) -> dict[str, Method]:
    from napari_bgremove.io.bundled import BUNDLED_MODEL, name_bundled
    from napari_bgremove.learning.devices import pick_device
    from napari_bgremove.learning.inference import options_of
    from napari_bgremove.learning.model_file import read_model

    methods: dict[str, Method] = {}
    for path in models or (str(BUNDLED_MODEL),):
        model = read_model(path)
        name = name_bundled(path) or f"{Path(path).parent.name}/{Path(path).stem}"
        methods[name] = _method(model.network, options_of(model, device=pick_device(device), precision=precision))
    return methods


def _variant_methods(models: tuple[str, ...], device: str) -> dict[str, Method]:
    from napari_bgremove.io.bundled import BUNDLED_MODEL
    from napari_bgremove.learning.devices import pick_device
    from napari_bgremove.learning.inference import options_of
    from napari_bgremove.learning.model_file import read_model

    model = read_model(models[0] if models else BUNDLED_MODEL)
    given = {"device": pick_device(device)}
    return {name: _method(model.network, options_of(model, **(given | changes))) for name, changes in _VARIANTS.items()}


def _method(network: Any, options: Any) -> Method:
    from napari_bgremove.learning.inference import separate_image

    return lambda measured: separate_image(network, measured, options=options, gap_values=())


class _Ticker:
    """Shows how far the patches of a card are: one line on a terminal, a line per quarter elsewhere."""

    def __init__(self, kind: str, total: int, what: str = "patches") -> None:
        self._kind, self._total, self._what = kind, total, what
        self._done, self._started = 0, time.monotonic()

    def __call__(self, line: str) -> None:
        self._done += 1
        left = (self._total - self._done) * (time.monotonic() - self._started) / self._done
        text = f"{self._kind}: {self._done}/{self._total} {self._what}, {describe_duration(left)} left"
        if sys.stderr.isatty():
            click.echo(f"\r{text + '  ' + line:<100}", nl=self._done == self._total, err=True)
        elif self._done % max(1, self._total // 4) == 0:
            click.echo(text, err=True)
