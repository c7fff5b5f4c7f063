"""bgremove layers inspect: the hidden layers of one model or two, as a table, a file of numbers, a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from napari_bgremove.cli.figure_files import write_figure
from napari_bgremove.cli.model_argument import MODEL, find_model
from napari_bgremove.cli.options import JSON, check_writable, write_json
from napari_bgremove.cli.training import refuse

if TYPE_CHECKING:
    from napari_bgremove.engine.layer_report import InspectedLayer

_MOST = 2


@click.command("inspect")
@click.argument("models", metavar="[MODEL|RUN]...", nargs=-1, type=MODEL)
@click.option("--layer", "names", multiple=True, help="Layer to show; repeatable. All otherwise.")
@click.option(
    "--figure", type=click.Path(dir_okay=False, path_type=Path), callback=check_writable,
    help="PNG of the spectra of the layers, of two models one over the other.",
)  # fmt: skip
@JSON
def command(models: tuple[str, ...], names: tuple[str, ...], figure: Path | None, json_file: Path | None) -> int:
    """Show the hidden layers of a MODEL, of a RUN (its best model), or of two beside each other.

    A model file of images, spectra or signals, also that of an epoch
    (RUN/epochs/0007.safetensors); 'bundled', or nothing, is the one that comes
    along. SNR: power of the peaks of a layer over that of its background,
    into and out of its units; PR: participation ratio, 1 where all units carry
    the same; alive: units above 1 % of the rms energy on both sides, as many
    can be kept at no cost; background: units that are mostly so on both sides.
    """
    from napari_bgremove.engine.layer_report import describe_layers

    if len(models) > _MOST:
        refuse(f"One model or two can be shown; found {len(models)}.")
    inspected = {}
    for file in map(find_model, models or ("bundled",)):
        layers = _inspect(file, names)
        label = str(file) if file.name in inspected else file.name
        inspected[label] = layers
        click.echo(f"{label}\n{_tabulate(layers)}")
    if figure is not None:
        _draw(figure, inspected)
    write_json(json_file, {"models": {name: describe_layers(layers) for name, layers in inspected.items()}})
    return 0


def _inspect(file: Path, names: tuple[str, ...]) -> tuple[InspectedLayer, ...]:
    from napari_bgremove.engine.layer_report import inspect_layers

    layers = inspect_layers(file)
    known = [layer.name for layer in layers]
    unknown = [name for name in names if name not in known]
    if unknown:
        refuse(f"--layer must be one of {', '.join(known)} of '{file.name}'; found {unknown[0]}.")
    return tuple(layer for layer in layers if not names or layer.name in names)


def _tabulate(layers: tuple[InspectedLayer, ...]) -> str:
    width = max(len(layer.name) for layer in layers)
    shape = max(len(layer.shape) for layer in layers)
    head = f"  {'layer':<{width}}  {'shape':<{shape}}  SNR into  SNR out     PR   alive  background"
    rows = [
        f"  {layer.name:<{width}}  {layer.shape:<{shape}}  {layer.into.spectrum.snr:8.3g}  "
        f"{layer.out.spectrum.snr:7.3g}  {layer.participation_ratio:5.3f}  {_share(int(layer.alive.sum()), layer)}  "
        f"{_share(int(layer.background.sum()), layer)}"
        for layer in layers
    ]
    notes = {
        f"  {layer.name}, {side}: {spectrum.sentence}"
        for layer in layers
        for side, spectrum in (("into", layer.into.spectrum), ("out", layer.out.spectrum))
        if spectrum.status != "ok"
    }
    alive, units = sum(int(layer.alive.sum()) for layer in layers), sum(layer.units for layer in layers)
    total = f"  {alive} of {units} hidden units are alive ({100 * alive / units:.3g} %)"
    return "\n".join([head, *rows, *sorted(notes), total])


def _share(count: int, layer: InspectedLayer) -> str:
    return f"{count}/{layer.units}".rjust(6)


def _draw(path: Path, inspected: dict[str, tuple[InspectedLayer, ...]]) -> None:
    from napari_bgremove.evaluation.layer_figures import draw_layer_spectra

    spectra = {
        name: {
            f"{layer.name}, {words}": side.spectrum
            for layer in layers
            for words, side in (("into its units", layer.into), ("out of its units", layer.out))
        }
        for name, layers in inspected.items()
    }
    write_figure(path, draw_layer_spectra(spectra))
    click.echo(f"Written to {path}")
