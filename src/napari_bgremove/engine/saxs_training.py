"""What a training of the image network is made of: two patch sets, a recipe, a network, a pinned patch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bgremove.engine.jobs import TrainJob
from napari_bgremove.engine.run_record import hash_file
from napari_bgremove.engine.training_data import describe_training_data
from napari_bgremove.errors import ComputeError, ReadError
from napari_bgremove.images.pairs import measure_hit_share
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.io.patch_sets import read_patch_set
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

if TYPE_CHECKING:
    import torch

    from napari_bgremove.learning.distributed import Ranks
    from napari_bgremove.learning.model_file import LoadedModel, ModelDescription
    from napari_bgremove.learning.training import Training

__all__ = ["SaxsTraining"]

NETWORK_STRIDE = 8  # three poolings by two


class SaxsTraining:
    """The trainee of a `TrainJob`; see `engine.trainee.Trainee`.

    Parameters
    ----------
    job : TrainJob

    Raises
    ------
    ReadError
        When a patch set cannot be used, was given for the other role, or the sizes differ.
    ComputeError
        When the patches come from a single shot.
    """

    def __init__(self, job: TrainJob) -> None:
        self._job = job
        self._patches = _read_patches(job)
        self._recipe = _recipe_of(job, *self._patches)
        self._datasets = self._recipe.build_datasets(*self._patches)
        self.network = self._recipe.build_network()
        self.epochs = self._recipe.epochs
        signal, background = self._patches
        self.provenance: dict[str, Any] = {
            "trained_on": describe_training_data(signal, background),
            "hit_share": round(measure_hit_share(background.patches), 5),
        }

    def build_training(self, device: torch.device, ranks: Ranks) -> Training:
        """Build the loop."""
        from napari_bgremove.learning.training import Training

        training, held = self._datasets
        return Training(
            self.network,
            self._recipe.build_objective(),
            dataclasses.replace(training, samples=self._job.samples_per_epoch),
            dataclasses.replace(held, samples=self._job.validation_samples),
            self._recipe.build_train_options(precision=self._job.precision),
            device,
            ranks,
        )

    def load(self, path: Path) -> LoadedModel:
        """Take the weights of a model file, and return what else it holds."""
        from napari_bgremove.learning.model_file import read_model

        loaded = read_model(path)
        if loaded.network.spec != self._recipe.build_spec():
            msg = f"'{path}' holds another network than the recipe asks for; give the recipe of that model."
            raise ComputeError(msg)
        self.network.load_state_dict(loaded.network.state_dict())
        return loaded

    def describe(self, **provenance: Any) -> ModelDescription:
        """Describe the network for its model file."""
        return self._recipe.build_description(self.network, **self.provenance, **provenance)

    def record(self) -> dict[str, Any]:
        """Return recipe, hashes and metadata of the patches by role, for run.json."""
        patches = dict(zip(("signal", "background"), self._patches, strict=True))
        return {
            "recipe": self._recipe.to_dict(),
            "data": {role: hash_file(Path(getattr(self._job, role))) for role in patches},
            "shots": {role: len(one.shot_names) for role, one in patches.items()},
            "patches": {role: {"patches": len(one), **one.metadata} for role, one in patches.items()},
        }

    def preview(self, device: torch.device) -> dict[str, Any]:
        """Predict the first validation pair, which is the same after every epoch."""
        from napari_bgremove.learning.inference import ApplyOptions, predict_tiles

        pair = {name: values[:, 0] for name, values in self._datasets[1].batch(0, [0]).items()}
        parts = predict_tiles(self.network, pair["measured"], options=ApplyOptions(device=device))
        predicted = dict(zip(("predicted_signal", "predicted_background"), parts, strict=True))
        return {name: values[0] for name, values in (pair | predicted).items()}


def _read_patches(job: TrainJob) -> tuple[PatchSet, PatchSet]:
    signal, background = read_patch_set(Path(job.signal)), read_patch_set(Path(job.background))
    for patches, role in ((signal, "signal"), (background, "background")):
        if patches.role != role:
            msg = f"'{role}' must be a file of {role} patches; found {patches.role} patches. Exchange the files?"
            raise ReadError(msg)
    if signal.patch != background.patch or signal.patch % NETWORK_STRIDE:
        msg = (
            f"'patches' must have one side, a multiple of {NETWORK_STRIDE} pixels; found {signal.patch} (signal) and "
            f"{background.patch} (background). Extract them again with one patch size, as 128."
        )
        raise ReadError(msg)
    return signal, background


def _recipe_of(job: TrainJob, signal: PatchSet, background: PatchSet) -> SaxsUnetRecipe:
    """Return the job's recipe, with what the patches say of how they were cut.

    Where they say nothing (they were not cut by `bgremove patches`), the word
    of the job stands; where shots differ, no single number is true: None.
    """
    told: dict[str, Any] = {"patch": signal.patch, "signal_patches": len(signal), "background_patches": len(background)}
    if "min_intensity_from" in signal.metadata:
        chosen = signal.metadata["min_intensity_from"] == "option"
        told["min_intensity"] = _single_number(signal.metadata.get("min_intensity")) if chosen else None
    for name in ("mask_threshold", "mask_grow"):
        if name in background.metadata:
            told[name] = _single_number(background.metadata[name])
    return dataclasses.replace(job.recipe, **told)


def _single_number(value: Any) -> Any:
    return value if isinstance(value, int | float) else None
