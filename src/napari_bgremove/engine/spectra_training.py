"""What a training of the network for spectra is made of: a set, a recipe, a network, a pinned spectrum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bgremove.engine.jobs import TrainSpectraJob
from napari_bgremove.engine.run_record import hash_file
from napari_bgremove.errors import ComputeError
from napari_bgremove.spectra.spectra_set import SpectraSet

if TYPE_CHECKING:
    import torch

    from napari_bgremove.learning.distributed import Ranks
    from napari_bgremove.learning.model_file import LoadedSpectraModel, SpectraModelDescription
    from napari_bgremove.learning.training import Training

__all__ = ["SpectraTraining"]

_MOST_NAMES = 3


class SpectraTraining:
    """The trainee of a `TrainSpectraJob`; see `engine.trainee.Trainee`.

    Parameters
    ----------
    job : TrainSpectraJob

    Raises
    ------
    ReadError
        When a file cannot be used.
    ComputeError
        When there are fewer than 3 targets, or a spectrum is not finite.
    ValueError
        When a crop is longer than a block, or the marks leave a block nothing.
    """

    def __init__(self, job: TrainSpectraJob) -> None:
        self._job, self._recipe = job, job.recipe
        self._spectra = job.source.read()
        self._datasets = self._recipe.build_datasets(self._spectra)
        self.network = self._recipe.build_network(self._spectra)
        self.epochs = self._recipe.epochs
        self.provenance: dict[str, Any] = {"trained_on": _describe(self._spectra, job.source.paths)}

    def build_training(self, device: torch.device, ranks: Ranks) -> Training:
        """Build the loop."""
        from napari_bgremove.learning.training import Training

        options = self._recipe.build_train_options(precision=self._job.precision)
        objective = self._recipe.build_objective()
        return Training(self.network, objective, *self._datasets, options, device, ranks)

    def load(self, path: Path) -> LoadedSpectraModel:
        """Take the weights of a model file, and return what else it holds."""
        from napari_bgremove.learning.model_file import read_spectra_model

        loaded = read_spectra_model(path)
        if loaded.network.spec != self.network.spec:
            msg = (
                f"'{path}' holds another network than the recipe and the spectra ask for; give the recipe of that "
                "model, and leave out the same bands."
            )
            raise ComputeError(msg)
        self.network.load_state_dict(loaded.network.state_dict())
        return loaded

    def describe(self, **provenance: Any) -> SpectraModelDescription:
        """Describe the network for its model file."""
        return self._recipe.build_description(self.network, self._datasets[0], **self.provenance, **provenance)

    def record(self) -> dict[str, Any]:
        """Return recipe, set and hashes of its files, for run.json."""
        files = [Path(path) for path in self._job.source.paths]
        return {
            "recipe": self._recipe.to_dict(),
            "data": [hash_file(path) for path in files if path.is_file()],
            "spectra": {
                "spectra": self._spectra.n_spectra, "targets": list(self._spectra.distinct_targets),
                "channels": self._spectra.n_channels,
                "blocks": [[block.name, block.start, block.stop] for block in self._spectra.blocks],
            },
        }  # fmt: skip

    def preview(self, device: torch.device) -> dict[str, Any]:
        """Separate the first spectrum held out, which is the same after every epoch."""
        from napari_bgremove.learning.model_file import LoadedSpectraModel
        from napari_bgremove.learning.spectrum_inference import SpectraOptions, separate_spectra

        model = LoadedSpectraModel(self.network, self.describe(), "", Path(), 0.0)
        measured = np.asarray(self._datasets[1].spectra.spectra[0])
        parts = separate_spectra(model, measured, options=SpectraOptions(output="both", device=device))
        self.network.to(device)
        return {
            "axis": self._spectra.axis, "measured": measured, "predicted_signal": parts.signal,
            "predicted_background": parts.background,
        }  # fmt: skip


def _describe(spectra: SpectraSet, paths: tuple[str, ...]) -> str:
    """Return numbers of spectra and targets, and files without their folders: a model travels."""
    names = [Path(path).name for path in paths]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (
        f"{spectra.n_spectra} spectra of {len(spectra.distinct_targets)} targets "
        f"({', '.join(names[:_MOST_NAMES])}{more})"
    )
