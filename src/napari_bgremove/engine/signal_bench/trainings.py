"""The trainings the experiments rest on; each is done once and kept as a model file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bgremove.recipes.denoiser import GENERATORS, DenoiserRecipe

if TYPE_CHECKING:
    from napari_bgremove.learning.model_file import LoadedSignalModel

__all__ = ["EXPERIMENTS", "Experiment", "Trained", "read_trained", "train_all"]

# Rows the label-free network is given: what a detector image of as many lines would hold.
_LABEL_FREE_ROWS = 512


@dataclass(frozen=True)
class Experiment:
    """A network that is trained once for each seed.

    Attributes
    ----------
    name : str
        For files and tables.
    preset : str
        Of `DenoiserRecipe`.
    changes : mapping
        To that preset.
    seeds : tuple of int
    """

    name: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

    def make_recipe(self, seed: int, *, quick: bool = False) -> DenoiserRecipe:
        """Return the recipe of one seed; a quick one only shows that it runs."""
        short = {"epochs": 1, "pairs": 64} if quick else {}
        return DenoiserRecipe.of_preset(self.preset, **{**self.changes, **short, "seed": seed})


def _list_experiments() -> Iterator[Experiment]:
    # What normalizes, and what activates, is compared without the prior, whose encoder has both whatever the rest does.
    bare = {"prior": "off"}
    yield Experiment("as-published", "paper", seeds=(666,))
    yield Experiment("as-published-no-norm", "paper", {**bare, "normalized": False}, seeds=(666,))
    for signals in ("spikes", "spectra"):
        yield Experiment(signals, signals)
        yield Experiment(f"{signals}-prior-batch-mean", signals, {"prior": "batch-mean"})
        yield Experiment(f"{signals}-prior-off", signals, bare)
        yield Experiment(f"{signals}-no-norm", signals, {**bare, "normalized": False})
        # Fewer signals in all, but more steps, at a tenth of the learning rate.
        yield Experiment(f"{signals}-batch-1", signals, {**bare, "batch_size": 1, "learning_rate": 5e-4, "pairs": 1000})
    for penalty, threshold in product(("soft", "half", "hard", "firm"), ("learnt", "adaptive")):
        changes = {**bare, "activation": penalty, "threshold": threshold}
        yield Experiment(f"spectra-{penalty}-{threshold}", "spectra", changes)
    yield Experiment("spectra-label-free", "rows")


#: By name, in the order in which they are done.
EXPERIMENTS: Mapping[str, Experiment] = {one.name: one for one in _list_experiments()}


@dataclass(frozen=True)
class Trained:
    """A network of one seed, and how its training went.

    Attributes
    ----------
    model : LoadedSignalModel
    curve : tuple of float
        Validation loss after each epoch.
    seconds : float
    """

    model: LoadedSignalModel
    curve: tuple[float, ...]
    seconds: float


def train_all(
    folder: Path, names: Iterable[str], *, workers: int = 1, quick: bool = False
) -> Iterator[tuple[str, int, float]]:
    """Do what is not yet in the folder, and yield name, seed and seconds of each training as it is done.

    Parameters
    ----------
    folder : Path
        Of the model files; one whose recipe is another than today's is made again.
    names : iterable of str
        Keys of `EXPERIMENTS`.
    workers : int
        Processes, of one thread each.
    quick : bool
        Train for one epoch only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [
        (name, seed)
        for name in names
        for seed in EXPERIMENTS[name].seeds
        if not _is_there(folder, name, seed, EXPERIMENTS[name].make_recipe(seed, quick=quick))
    ]
    # A fresh interpreter each: torch must not be forked.
    with ProcessPoolExecutor(max(workers, 1), mp_context=get_context("spawn")) as pool:
        running = {pool.submit(_train, folder, name, seed, quick): (name, seed) for name, seed in missing}
        for done in as_completed(running):
            yield (*running[done], done.result())


def read_trained(folder: Path, name: str) -> list[Trained]:
    """Return the networks of an experiment, in the order of its seeds."""
    from napari_bgremove.learning.model_file import read_signal_model

    found = []
    for seed in EXPERIMENTS[name].seeds:
        model = read_signal_model(_path(folder, name, seed))
        story = model.description.provenance
        found.append(Trained(model, tuple(story["validation_loss"]), float(story["seconds"])))
    return found


def _path(folder: Path, name: str, seed: int) -> Path:
    return folder / f"{name}-seed-{seed}.safetensors"


def _is_there(folder: Path, name: str, seed: int, recipe: DenoiserRecipe) -> bool:
    from napari_bgremove.learning.model_file import read_signal_model

    path = _path(folder, name, seed)
    return path.is_file() and read_signal_model(path).description.recipe == {"name": "denoiser", **recipe.to_dict()}


def _train(folder: Path, name: str, seed: int, quick: bool) -> float:
    """Train one network in a process of its own, and write it; return the seconds it took."""
    from napari_bgremove.learning.devices import limited_threads
    from napari_bgremove.learning.model_file import write_model
    from napari_bgremove.learning.training import EpochDone, Training

    recipe = EXPERIMENTS[name].make_recipe(seed, quick=quick)
    datasets = recipe.build_datasets(_make_rows(seed) if recipe.signals == "rows" else None)
    network = recipe.build_network()
    training = Training(network, recipe.build_objective(), *datasets, recipe.build_train_options())
    with limited_threads(1):
        done = [progress for progress in training.run() if isinstance(progress, EpochDone)]
    seconds = sum(epoch.seconds for epoch in done)
    curve = [epoch.validation["loss"] for epoch in done]
    description = recipe.build_description(datasets[0], experiment=name, validation_loss=curve, seconds=seconds)
    write_model(_path(folder, name, seed), network.eval(), description)
    return seconds


def _make_rows(seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return measured spectra without their truth."""
    return GENERATORS["spectra"](1000 + seed, _LABEL_FREE_ROWS).measured
