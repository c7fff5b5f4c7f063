"""The tasks: data, network, objective, how to train, and what counts as the same error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from layer_bench.networks import ResidualDenoiser, ResidualMLP
from napari_bgremove.learning.datasets import Dataset
from napari_bgremove.learning.objectives.denoising import DenoisingObjective
from napari_bgremove.learning.signal_pairs import FixedPairs, FreshPairs
from napari_bgremove.learning.train_options import TrainOptions
from napari_bgremove.learning.training import Objective
from napari_bgremove.synthetic.signals import make_spectra

__all__ = ["TASKS", "Data", "Task", "measure_error", "read_whole"]

# Signals of validation and test are of no training, whose seeds are small.
_VALIDATION_SEED, _TEST_SEED, _SPLIT_SEED = 30_000, 40_000, 0


class Data(NamedTuple):
    """What one training sees."""

    training: Dataset
    validation: Dataset


@dataclass(frozen=True)
class Task:
    """What is learnt, and by what it is judged.

    Attributes
    ----------
    name : str
    error_name : str
        What the error is, with its unit; less is better.
    given, term : str
        In a batch, what the network sees; of the objective, the error.
    objective : callable
    build_network : callable
    read_data : callable
        (seed) -> Data.
    read_test : callable
        () -> Dataset.
    options : TrainOptions
        Of a whole training; the seed is that of the run.
    find_limit : callable
        (error of the dense network) -> the largest error that is still the same.
    marks : tuple of float
        Errors whose time is measured.
    judged_share : float
        Share of units kept at which methods are compared.
    tuned_shares : tuple of float
        Shares of units kept at which a fine-tuning is measured.
    strengths : tuple of float
        Of the penalty, the same for every method.
    """

    name: str
    error_name: str
    given: str
    term: str
    objective: Objective
    build_network: Callable[[], nn.Module]
    read_data: Callable[[int], Data]
    read_test: Callable[[], Dataset]
    options: TrainOptions
    find_limit: Callable[[float], float]
    marks: tuple[float, ...]
    judged_share: float
    tuned_shares: tuple[float, ...]
    strengths: tuple[float, ...]

    def make_options(self, seed: int, *, quick: bool = False) -> TrainOptions:
        """Return how one seed is trained; a quick training only shows that it runs."""
        return replace(self.options, seed=seed, epochs=1 if quick else self.options.epochs)

    def make_tuning_options(self, seed: int, *, quick: bool = False) -> TrainOptions:
        """Return how it is fine-tuned: a tenth of the epochs, at half the rate."""
        options = self.make_options(seed, quick=quick)
        return replace(options, epochs=max(options.epochs // 10, 1), learning_rate=options.learning_rate / 2)


def measure_error(task: Task, network: nn.Module, dataset: Dataset) -> float:
    """Measure the error over a whole dataset at once."""
    with torch.inference_mode():
        return float(task.objective(network.eval(), read_whole(dataset))[task.term])


def read_whole(dataset: Dataset) -> dict[str, Tensor]:
    """Return all samples of a dataset as one batch."""
    return {name: torch.from_numpy(part) for name, part in dataset.batch(0, range(len(dataset))).items()}


@dataclass(frozen=True)
class LabelledRows:
    """Rows of numbers, and the class of each."""

    rows: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, _epoch: int, indices: Sequence[int]) -> dict[str, np.ndarray]:
        """Return rows (B, n) float32 and label (B,) int64."""
        return {name: getattr(self, name)[list(indices)] for name in ("rows", "label")}

    def take(self, indices: np.ndarray) -> LabelledRows:
        return LabelledRows(self.rows[indices], self.label[indices])


def classify(network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Any]:
    """Cross entropy, and the share of samples that are given a wrong class, in percent."""
    scores = network(batch["rows"])
    wrong = 100 * (scores.detach().argmax(1) != batch["label"]).float().mean()
    return {"loss": functional.cross_entropy(scores, batch["label"]), "wrong": wrong}


def _split_digits() -> tuple[LabelledRows, LabelledRows]:
    """All digits of scikit-learn, 60 % to learn from and 40 % for the test."""
    from sklearn.datasets import load_digits

    images, label = load_digits(return_X_y=True)
    digits = LabelledRows((images / 16).astype(np.float32), label.astype(np.int64))
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(digits))
    learnt = round(0.6 * len(digits))
    return digits.take(order[:learnt]), digits.take(order[learnt:])


def _read_digits(seed: int) -> Data:
    """Another fifth of what is learnt from is held out by each seed, so that all of them choose by more images."""
    learnt, _ = _split_digits()
    order = np.random.default_rng([_SPLIT_SEED, seed]).permutation(len(learnt))
    held = len(learnt) // 5
    return Data(learnt.take(order[held:]), learnt.take(order[:held]))


def _make_pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    signal, measured = make_spectra(rng, 1)
    return signal[0], measured[0]


def _read_spectra(seed: int) -> Data:
    return Data(FreshPairs(_make_pair, samples=25 * 32, seed=seed), FixedPairs(*make_spectra(_VALIDATION_SEED, 256)))


DIGITS = Task(
    name="digits",
    error_name="wrong digits (%)",
    given="rows",
    term="wrong",
    objective=classify,
    build_network=ResidualMLP,
    read_data=_read_digits,
    read_test=lambda: _split_digits()[1],
    options=TrainOptions(epochs=60, batch_size=64, learning_rate=2e-3, schedule="cosine"),
    find_limit=lambda dense: dense + 0.5,
    marks=(5.0, 3.0),
    judged_share=0.25,
    tuned_shares=(0.25, 0.125, 0.06),
    strengths=(1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
)

SPECTRA = Task(
    name="spectra",
    error_name="RMSE",
    given="measured",
    term="rmse",
    objective=DenoisingObjective(),
    build_network=ResidualDenoiser,
    read_data=_read_spectra,
    read_test=lambda: FixedPairs(*make_spectra(_TEST_SEED, 400)),
    # 1000 steps, looked at 40 times.
    options=TrainOptions(epochs=40, batch_size=32, learning_rate=5e-3, schedule="cosine"),
    find_limit=lambda dense: 1.05 * dense,
    marks=(0.33,),
    judged_share=0.125,
    tuned_shares=(0.125, 0.06, 0.03),
    # Closer than for the digits: the price of a strength is paid at once here, and 5 % of the error is little.
    strengths=(1e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 3e-2, 1e-1),
)

#: By name.
TASKS: Mapping[str, Task] = {task.name: task for task in (DIGITS, SPECTRA)}
