"""bgremove layers: the hidden layers of a network as spectra, and what of them is background."""

from __future__ import annotations

import click

from napari_bgremove.cli.lazy_group import LazyGroup

COMMANDS = {
    "inspect": "Show the hidden layers of a model, or of two beside each other.",
    "prune": "Take the weakest hidden units out of a model: a smaller, faster one.",
}


@click.group(cls=LazyGroup, modules="napari_bgremove.cli.layers_{}_command", summaries=COMMANDS)
def command() -> None:
    """Look into a network, and take out what of its layers is background (Qajar).

    A unit is a neuron, a channel or a field between two layers of a block; its
    energy is the norm of the weights into it or out of it. 'bgremove train
    ... --layer-background 0.02' shrinks those that are background.
    """
