"""The validation data of a training, to judge what taking units out of its network costs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from napari_bgremove.engine.jobs import TrainingJob
from napari_bgremove.engine.removal_job import change_job_of
from napari_bgremove.engine.trainee import prepare_training
from napari_bgremove.errors import ComputeError

if TYPE_CHECKING:
    from napari_bgremove.engine.layer_models import AnyModel
    from napari_bgremove.learning.networks import Network

__all__ = ["RemovalJudge"]


class RemovalJudge:
    """Measures networks on the data that a training holds out.

    Parameters
    ----------
    job : TrainingJob
        As of `removal_job.job_of`; its data are read here.
    model : LoadedModel, LoadedSpectraModel or LoadedSignalModel
        What units are to be taken out of.

    Attributes
    ----------
    job : TrainingJob
        What would train the network of the model further.
    data : str
        What the judgement rests on, in words.

    Raises
    ------
    ReadError, ComputeError, ValueError
        When the data cannot be used.
    ComputeError
        When the job trains another network than that of the model.
    """

    def __init__(self, job: TrainingJob, model: AnyModel) -> None:
        from napari_bgremove.learning.devices import pick_device
        from napari_bgremove.learning.distributed import Ranks

        self._device, self._network = pick_device(job.device), model.network
        hidden = tuple(model.network.spec.hidden)
        self.job = change_job_of(job, {"start_from": None, "layer_background": None}, {"hidden": hidden})
        trainee = prepare_training(self.job)
        if trainee.network.spec != model.network.spec:
            msg = f"'{model.path.name}' holds another network than the training it is to be judged by; choose its own."
            raise ComputeError(msg)
        self._training = trainee.build_training(self._device, Ranks())
        held = self._training.validation
        assert held is not None  # of every trainee
        self.data = f"{len(held)} {self.job.samples} held out: {trainee.provenance['trained_on']}"

    @cached_property
    def whole(self) -> dict[str, float]:
        """Terms of the network that units are to be taken out of."""
        return self.measure(self._network)

    def measure(self, network: Network) -> dict[str, float]:
        """Return the mean terms of the task over what is held out, the loss among them; the network stays as it was."""
        from napari_bgremove.learning.devices import explain_out_of_memory, limited_threads

        self._training.network = network.to(self._device)
        with limited_threads(self.job.threads), explain_out_of_memory():
            terms = self._training.validate()
        network.cpu().eval()
        return {name: float(f"{value:.8g}") for name, value in terms.items()}

    def job_of(self, model: AnyModel, *, epochs: int) -> TrainingJob:
        """Return the job that trains a model with fewer units further for some epochs, on the same data."""
        changes = {"hidden": tuple(model.network.spec.hidden), "epochs": epochs}
        further: TrainingJob = change_job_of(self.job, {"start_from": str(model.path.resolve())}, changes)
        return further
