"""What a run trains: the one thing in which a training of images differs from one of spectra."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_bgremove.engine.jobs import TrainingJob, TrainSpectraJob

if TYPE_CHECKING:
    import torch

    from napari_bgremove.learning.distributed import Ranks
    from napari_bgremove.learning.networks import AdditiveNetwork, SpectroscopyNet
    from napari_bgremove.learning.training import Training

__all__ = ["Trainee", "prepare_training"]


class Trainee(Protocol):
    """A network with its data, objective and recipe, made from a job and ready to train.

    Attributes
    ----------
    epochs : int
    provenance : dict
        What the model file tells of the training, besides how far it got.
    network : AdditiveNetwork or SpectroscopyNet
        Its initial weights fixed by the recipe's seed.
    """

    epochs: int
    provenance: dict[str, Any]

    @property
    def network(self) -> AdditiveNetwork | SpectroscopyNet:
        """What is trained."""
        ...

    def build_training(self, device: torch.device, ranks: Ranks) -> Training:
        """Build the loop; its validation data are not None."""
        ...

    def load(self, path: Path) -> Any:
        """Take the weights of a model file; return it for its description and moments."""
        ...

    def describe(self, **provenance: Any) -> Any:
        """Describe the network for its model file."""
        ...

    def record(self) -> dict[str, Any]:
        """Return what run.json tells of recipe and data."""
        ...

    def preview(self, device: torch.device) -> dict[str, Any]:
        """Predict what is pinned, by name."""
        ...


def prepare_training(job: TrainingJob) -> Trainee:
    """Read the data of a job and build its network.

    Raises
    ------
    ReadError, ComputeError
        When the data cannot be used.
    """
    if isinstance(job, TrainSpectraJob):
        from napari_bgremove.engine.spectra_training import SpectraTraining

        return SpectraTraining(job)
    from napari_bgremove.engine.saxs_training import SaxsTraining

    return SaxsTraining(job)
