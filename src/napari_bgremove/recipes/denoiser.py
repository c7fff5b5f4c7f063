"""Signals without noise, after Fang (2021): a small U-Net guided by the Wiener filter of each signal.

H. Fang, "Advanced Project Updating", NYU Tandon School of Engineering (2021),
and its code, `train.py` of github.com/HaoyuCreate/Research-on-Deep-Denoising.
Every number of theirs is a default here; where we differ by default the
docstring says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_choice, check_range
from napari_bgremove.numpy_network.spec import SHORTEST_SIGNAL, PriorGuidedSpec
from napari_bgremove.recipes.record import as_record
from napari_bgremove.recipes.rules import check_hidden, check_kinds, check_numbers, refuse
from napari_bgremove.synthetic.signals import SignalPairs, make_spectra, make_spikes

if TYPE_CHECKING:
    from napari_bgremove.learning.model_file import SignalModelDescription
    from napari_bgremove.learning.networks import PriorGuidedNet
    from napari_bgremove.learning.objectives.denoising import DenoisingObjective, Noise2SelfObjective
    from napari_bgremove.learning.signal_pairs import FixedPairs, FreshPairs, MeasuredRows
    from napari_bgremove.learning.training import TrainOptions

    SignalData = FreshPairs | FixedPairs | MeasuredRows

__all__ = ["DENOISER_PRESETS", "GENERATORS", "DenoiserRecipe"]

#: Generators of pairs by name: (seed or generator, count) to signals and what is measured of them.
GENERATORS: Mapping[str, Callable[..., SignalPairs]] = MappingProxyType(
    {"spikes": make_spikes, "spectra": make_spectra}
)

_ADAM: Mapping[str, Any] = {
    "width": 8, "fresh": True, "loss": "mse", "optimizer": "adamw", "batch_size": 16, "learning_rate": 5e-3,
    "momentum": 0.0, "weight_decay": 0.0, "schedule": "cosine",
}  # fmt: skip
#: Changes to the recipe by name: the paper's; a wider network and fresh pairs for each generator, which reach what
#: can be reached on a processor within minutes; and one that learns from measured signals alone.
DENOISER_PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "paper": {},
        "spikes": {**_ADAM, "epochs": 10, "pairs": 4000},
        "spectra": {**_ADAM, "signals": "spectra", "epochs": 10, "pairs": 2400},
        # As narrow as the paper's: of a few hundred rows a wider network learns the noise by heart.
        "rows": {**_ADAM, "signals": "rows", "width": 2, "epochs": 10, "pairs": 1600},
    }
)
# Whole numbers and their range.
_WHOLE: Mapping[str, tuple[int, int]] = {
    "width": (1, 256),
    "wiener_window": (3, 2**20),
    "pairs": (2, 10**9),
    "crop": (16, 2**20),
    "epochs": (1, 10**9),
    "batch_size": (1, 10**6),
    "stair_epochs": (1, 10**9),
    "stairs": (1, 10**9),
    "seed": (0, 2**32 - 2),
}
# Signals from which noise and level of a training are told.
_ENOUGH = 256
# Samples of a row that are looked at in one step.
_LONGEST_CROP = 1024


@dataclass(frozen=True)
class DenoiserRecipe:
    """The numbers of the method, each with where it comes from.

    Attributes
    ----------
    width : int
        Channels at full resolution; 2 in the published network.
    prior : {"off", "per-sample", "batch-mean"}
        How the deepest kernel is guided by the Wiener filter. Published:
        "batch-mean", which at a batch of one is the same as ours, "per-sample".
    wiener_window : int
        Samples of that filter; 3 as published.
    normalized : bool
        Batch normalization, or none, as in Figure 3 of the paper.
    activation : {"relu", "soft", "half", "hard", "firm"}
        ReLU, or a shrinkage in its place: "Batch normalization layer with
        sparse regularization", the paper's future work.
    threshold : {"learnt", "adaptive"}
        Of a shrinkage: one number per channel, or from the local variance. Ours.
    firm_gamma : float
        Ratio of the knees of the firm shrinkage. Ours.
    hidden : tuple of int
        Channels that are left between the two convolutions of each block, of a
        network from which some were taken. Ours; none says that all are there.
    signals : {"spikes", "spectra", "rows"}
        What it is trained on: the paper's generator, one of spectra, or
        measured rows without labels, of which single samples are hidden
        (Noise2Self). The latter two are ours.
    fresh : bool
        New pairs in every epoch. Ours; the paper has the same ones.
    centred : bool
        Each generated pair is shifted so that the median of what was measured
        is 0, as rows always are. Ours: for signals on pedestals nobody knows,
        which are shifted likewise before the network sees them; on signals
        whose zero is known it costs a little.
    pairs : int
        Pairs, of which some are held out; 1000 in the paper. With fresh pairs
        and rows: samples of an epoch.
    crop : int or None
        Samples of a training crop of a row. Ours; None takes whole rows up to
        1024 samples, and of longer ones crops of 1024: the time of a step
        grows with them, and an epoch always has `pairs` crops.
    loss : {"smooth_l1", "mse"}
        SmoothL1 in `train.py`.
    optimizer : {"sgd", "adamw"}
        SGD in `train.py`. Without weight decay AdamW is Adam.
    epochs, batch_size : int
        200 and 1 in `train.py`.
    learning_rate, momentum, weight_decay : float
        1e-4, 0.9 and 1e-6 in `train.py`. AdamW has no momentum.
    schedule : {"staircase", "cosine", "constant"}
        `train.py` steps a cosine once per 10 epochs ("staircase"), but hands it
        the validation loss for the epoch, so that its rate hardly moved; here
        it does what was meant.
    stair_epochs, stairs : int
        Epochs of a stair, and stairs to the bottom; both 10 in `train.py`.
    lowest_rate : float
        1e-6 in `train.py`.
    clip_norm : float or None
        Largest norm of a gradient. Ours; None leaves it alone.
    validation_share : float
        Share held out; 30 % in `train.py`. With fresh pairs: as many more,
        drawn once. Of a single row: its last samples, 16 at least.
    seed : int
        Fixes the initial weights, the pairs and their order; 666 in `train.py`.
    """

    width: int = 2
    prior: Literal["off", "per-sample", "batch-mean"] = "per-sample"
    wiener_window: int = 3
    normalized: bool = True
    activation: Literal["relu", "soft", "half", "hard", "firm"] = "relu"
    threshold: Literal["learnt", "adaptive"] = "learnt"
    firm_gamma: float = 0.5
    hidden: tuple[int, ...] = ()
    signals: Literal["spikes", "spectra", "rows"] = "spikes"
    fresh: bool = False
    centred: bool = False
    pairs: int = 1000
    crop: int | None = None
    loss: Literal["smooth_l1", "mse"] = "smooth_l1"
    optimizer: Literal["sgd", "adamw"] = "sgd"
    epochs: int = 200
    batch_size: int = 1
    learning_rate: float = 1e-4
    momentum: float = 0.9
    weight_decay: float = 1e-6
    schedule: Literal["staircase", "cosine", "constant"] = "staircase"
    stair_epochs: int = 10
    stairs: int = 10
    lowest_rate: float = 1e-6
    clip_norm: float | None = None
    validation_share: float = 0.3
    seed: int = 666

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def of_preset(cls, preset: str, **changes: Any) -> DenoiserRecipe:
        """Return the recipe of a preset: 'paper', 'spikes', 'spectra' or 'rows'.

        Raises
        ------
        ValueError
            When there is no such preset, or a change breaks a rule.
        """
        check_choice("preset", preset, tuple(DENOISER_PRESETS))
        return cls(**{**DENOISER_PRESETS[preset], **changes})

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, for a model file or a run."""
        return as_record(self)

    def build_spec(self) -> PriorGuidedSpec:
        """Name the network: everything that decides its shape."""
        shared = {field.name for field in fields(self)} & {field.name for field in fields(PriorGuidedSpec)}
        return PriorGuidedSpec(**{name: getattr(self, name) for name in shared})

    def build_network(self) -> PriorGuidedNet:
        """Build the network, its initial weights fixed by the seed."""
        from napari_bgremove.learning.networks import build_network

        return build_network(self.build_spec(), seed=self.seed)

    def build_objective(self) -> DenoisingObjective | Noise2SelfObjective:
        """Build the objective: the error against the labels, or, of rows, on the samples that are hidden."""
        from napari_bgremove.learning.objectives.denoising import DenoisingObjective, Noise2SelfObjective

        return (Noise2SelfObjective if self.signals == "rows" else DenoisingObjective)(self.loss)

    def build_datasets(self, rows: ArrayLike | None = None) -> tuple[SignalData, SignalData]:
        """Build training and validation data.

        Parameters
        ----------
        rows : array_like, shape (n, L), optional
            Measured signals, where `signals` is "rows": each is centred and
            divided by its noise. A share of them is held out, or the end of a
            single one.

        Raises
        ------
        ValueError
            When rows are missing, or given to a generator; or they do not suit.
        ComputeError
            When a row is not finite, or has no noise.
        """
        if (rows is None) == (self.signals == "rows"):
            found = "none" if rows is None else "some"
            rule = "be given for signals 'rows', and only then"
            refuse("rows", rule, f"{found}, and signals '{self.signals}'")
        if rows is not None:
            return self._split_rows(rows)
        from napari_bgremove.learning.signal_pairs import FixedPairs, FreshPairs

        make = _centred(GENERATORS[self.signals]) if self.centred else GENERATORS[self.signals]
        if not self.fresh:
            return FixedPairs(*make(self.seed, self.pairs)).split(self.validation_share, seed=self.seed)

        def make_one(rng: np.random.Generator) -> tuple[Any, Any]:
            signal, measured = make(rng, 1)
            return signal[0], measured[0]

        return (
            FreshPairs(make_one, self.pairs, seed=self.seed),
            FreshPairs(make_one, self._held_samples, seed=self.seed + 1, fixed=True),
        )

    def build_train_options(self, *, precision: str = "float32") -> TrainOptions:
        """Build the options of the training loop."""
        from napari_bgremove.learning.training import TrainOptions

        return TrainOptions(
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate,
            optimizer=self.optimizer, momentum=self.momentum, weight_decay=self.weight_decay, schedule=self.schedule,
            stair_epochs=self.stair_epochs, stairs=self.stairs, lowest_rate=self.lowest_rate,
            clip_norm=self.clip_norm or math.inf, seed=self.seed, precision=precision,
        )  # fmt: skip

    def build_description(self, data: SignalData, **provenance: Any) -> SignalModelDescription:
        """Describe a network trained by this recipe on such data, for its model file."""
        from napari_bgremove.learning.model_file import SignalModelDescription
        from napari_bgremove.learning.signal_scaling import measure_level, measure_noise

        measured = data.batch(0, range(min(len(data), _ENOUGH)))["measured"]
        centred = self.centred or self.signals == "rows"
        return SignalModelDescription(
            network=self.build_spec(),
            batch_size=self.batch_size,
            source=self.signals,
            length=measured.shape[1],
            noise=measure_noise(measured),
            # Crops of centred rows lie anywhere, the rows themselves at 0.
            level=0.0 if centred else measure_level(measured),
            centred=centred,
            loss=self.loss,
            recipe={"name": "denoiser", **self.to_dict()},
            provenance=provenance,
        )

    @property
    def _held_samples(self) -> int:
        return max(round(self.validation_share * self.pairs), 1)

    def _split_rows(self, rows: ArrayLike) -> tuple[SignalData, SignalData]:
        from napari_bgremove.learning.signal_pairs import MeasuredRows
        from napari_bgremove.learning.signal_scaling import standardize_rows

        known = standardize_rows(rows)
        if len(known) == 1:
            training, validation = self._split_row(known)
        else:
            held = min(max(round(self.validation_share * len(known)), 1), len(known) - 1)
            order = np.random.default_rng(self.seed).permutation(len(known))
            training, validation = known[order[held:]], known[order[:held]]
        crop = self.crop or min(training.shape[1], _LONGEST_CROP)
        return (
            MeasuredRows(training, self.pairs, crop=crop, seed=self.seed),
            MeasuredRows(
                validation, self._held_samples, crop=min(crop, validation.shape[1]), seed=self.seed + 1, fixed=True
            ),
        )

    def _split_row(self, row: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Hold out the end of a single row (1, L): on samples it was trained with a network is not judged."""
        length = row.shape[1]
        if length < 2 * SHORTEST_SIGNAL:
            refuse("rows", f"have {2 * SHORTEST_SIGNAL} samples or more where there is one, to hold out some", length)
        held = min(max(round(self.validation_share * length), SHORTEST_SIGNAL), length - SHORTEST_SIGNAL)
        return row[:, : length - held], row[:, length - held :]


def _centred(make: Callable[..., SignalPairs]) -> Callable[..., SignalPairs]:
    """Return a generator of the same pairs, shifted so that the median of what is measured is 0."""

    def make_centred(seed: Any, count: int) -> SignalPairs:
        signal, measured = make(seed, count)
        median = np.median(measured, axis=1, keepdims=True)
        return SignalPairs(signal - median, measured - median)

    return make_centred


def _check(recipe: DenoiserRecipe) -> None:
    check_kinds(recipe)
    check_hidden(recipe.hidden)
    check_numbers(
        recipe, whole=_WHOLE, positive=("learning_rate", "clip_norm"), not_negative=("weight_decay", "lowest_rate"),
        others=("momentum", "validation_share", "firm_gamma"), optional=("crop", "clip_norm"),
    )  # fmt: skip
    check_range("momentum", recipe.momentum, 0, 1)
    for name in ("validation_share", "firm_gamma"):
        if not 0 < getattr(recipe, name) < 1:
            refuse(name, "lie between 0 and 1, both excluded", getattr(recipe, name))
    if recipe.wiener_window % 2 == 0:
        refuse("wiener_window", "be odd, so that it has a middle", recipe.wiener_window)
