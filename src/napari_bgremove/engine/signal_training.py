"""What a training of a denoiser is made of: generated pairs or measured rows, a recipe, a network, a pinned signal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bgremove.engine.jobs import TrainSignalsJob
from napari_bgremove.engine.run_record import hash_file
from napari_bgremove.errors import ComputeError

if TYPE_CHECKING:
    import torch

    from napari_bgremove.learning.distributed import Ranks
    from napari_bgremove.learning.model_file import LoadedSignalModel, SignalModelDescription
    from napari_bgremove.learning.training import Training

__all__ = ["SignalTraining"]


class SignalTraining:
    """The trainee of a `TrainSignalsJob`; see `engine.trainee.Trainee`.

    Parameters
    ----------
    job : TrainSignalsJob

    Raises
    ------
    ReadError
        When a file cannot be used.
    ComputeError
        When a row is not finite, or has no noise.
    ValueError
        When rows are missing, were given to a generator, or are shorter than a crop.
    """

    def __init__(self, job: TrainSignalsJob) -> None:
        self._job, self._recipe = job, job.recipe
        rows = None if job.source is None else np.asarray(job.source.read().spectra)
        self._datasets = self._recipe.build_datasets(rows)
        self.network = self._recipe.build_network()
        self.epochs = self._recipe.epochs
        self.provenance: dict[str, Any] = {"trained_on": self._describe_data(rows)}

    def build_training(self, device: torch.device, ranks: Ranks) -> Training:
        """Build the loop."""
        from napari_bgremove.learning.training import Training

        options = self._recipe.build_train_options(precision=self._job.precision)
        return Training(self.network, self._recipe.build_objective(), *self._datasets, options, device, ranks)

    def load(self, path: Path) -> LoadedSignalModel:
        """Take the weights of a model file, and return what else it holds."""
        from napari_bgremove.learning.model_file import read_signal_model

        loaded = read_signal_model(path)
        if loaded.network.spec != self.network.spec:
            msg = f"'{path}' holds another network than the recipe asks for; give the recipe of that model."
            raise ComputeError(msg)
        self.network.load_state_dict(loaded.network.state_dict())
        return loaded

    def describe(self, **provenance: Any) -> SignalModelDescription:
        """Describe the network for its model file."""
        return self._recipe.build_description(self._datasets[0], **self.provenance, **provenance)

    def record(self) -> dict[str, Any]:
        """Return recipe, data and hashes of their files, for run.json."""
        files = [Path(path) for path in self._paths]
        return {
            "recipe": self._recipe.to_dict(),
            "data": [hash_file(path) for path in files if path.is_file()],
            "signals": dict(zip(("training", "validation"), map(len, self._datasets), strict=True)),
        }

    def preview(self, device: torch.device) -> dict[str, Any]:
        """Denoise the first signal held out, which is the same after every epoch; its label, if any, goes along."""
        from napari_bgremove.learning.model_file import LoadedSignalModel
        from napari_bgremove.learning.signal_inference import denoise_signals

        pinned = {name: values[0] for name, values in self._datasets[1].batch(0, [0]).items() if name != "hidden"}
        model = LoadedSignalModel(self.network, self.describe(), "", Path(), 0.0)
        # A scale of one: the data are in the noise of the training.
        parts = denoise_signals(model, pinned["measured"], scale=1, device=device)
        axis = np.arange(pinned["measured"].size, dtype=np.float64)
        return {"axis": axis, **pinned, "predicted_signal": parts.signal, "predicted_background": parts.background}

    @property
    def _paths(self) -> tuple[str, ...]:
        return () if self._job.source is None else self._job.source.paths

    def _describe_data(self, rows: Any) -> str:
        """Return what it learns from in words, files without their folders: a model travels."""
        if rows is None:
            often = "new ones in every epoch" if self._recipe.fresh else "the same in every epoch"
            return f"{self._recipe.pairs} pairs of generated {self._recipe.signals}, {often}"
        names = ", ".join(Path(path).name for path in self._paths[:3])
        return f"{len(rows)} measured rows without labels ({names}{', ...' if len(self._paths) > 3 else ''})"
