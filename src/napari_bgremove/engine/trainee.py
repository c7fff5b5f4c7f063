"""What a run trains: the one thing in which trainings of images, spectra and signals differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from napari_bgremove.engine.jobs import TrainingJob, TrainJob, TrainSignalsJob, TrainSpectraJob
from napari_bgremove.engine.saxs_training import SaxsTraining
from napari_bgremove.engine.signal_training import SignalTraining
from napari_bgremove.engine.spectra_training import SpectraTraining

if TYPE_CHECKING:
    import torch

    from napari_bgremove.learning.distributed import Ranks
    from napari_bgremove.learning.networks import Network
    from napari_bgremove.learning.training import Training

__all__ = ["Trainee", "build_loop", "prepare_training"]


class Trainee(Protocol):
    """A network with its data, objective and recipe, made from a job and ready to train.

    Attributes
    ----------
    epochs : int
    provenance : dict
        What the model file tells of the training, besides how far it got.
    network : nn.Module
        Its initial weights fixed by the recipe's seed.
    """

    epochs: int
    provenance: dict[str, Any]

    @property
    def network(self) -> Network:
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


_TRAINEES: Mapping[type[TrainingJob], Callable[[Any], Trainee]] = MappingProxyType(
    {TrainJob: SaxsTraining, TrainSpectraJob: SpectraTraining, TrainSignalsJob: SignalTraining}
)


def prepare_training(job: TrainingJob) -> Trainee:
    """Read the data of a job and build its network.

    Raises
    ------
    ReadError, ComputeError
        When the data cannot be used.
    ValueError
        When the background of hidden layers is to be removed of a network that has none.
    """
    trainee = _TRAINEES[type(job)](job)
    if job.layer_background is not None:
        from napari_bgremove.learning.hidden_layers import find_hidden_layers

        find_hidden_layers(trainee.network)
        trainee.provenance["layer_background"] = asdict(job.layer_background)
    return trainee


def build_loop(trainee: Trainee, job: TrainingJob, device: torch.device, ranks: Ranks) -> Training:
    """Build the loop of a trainee, its objective with the term that the job asks for."""
    training = trainee.build_training(device, ranks)
    if job.layer_background is not None:
        from napari_bgremove.learning.objectives.layer_background import LayerBackgroundObjective

        training.objective = LayerBackgroundObjective(training.objective, job.layer_background)
    return training
