"""bgremove signals: noisy 1-D signals, by classical filters and by a network."""

from __future__ import annotations

import click

from napari_bgremove.cli.lazy_group import LazyGroup

COMMANDS = {
    "train": "Train a denoiser on generated pairs, or on your own noisy rows, or resume a run.",
    "denoise": "Take noise from spectra, the rows of images, or maps.",
    "bench": "Do the experiments of the paper: networks and filters in tables, on generated signals.",
}


@click.group(cls=LazyGroup, modules="napari_bgremove.cli.signals_{}_command", summaries=COMMANDS)
def command() -> None:
    """Denoise 1-D signals: spectra, profiles, the rows of images (Fang's network, and the filters it is judged by)."""
