"""Clean spectra from uncleaned spectra, after Castorena & Oyen (2021).

"SpectroscopyNet: Learning to pre-process Spectroscopy Signals without clean
data", arXiv:2110.13748. Every number of the text is a default here; what the
text leaves open is marked "open", and where we differ by default the docstring
says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from napari_bgremove._validation import check_choice, check_range
from napari_bgremove.recipes.record import as_record
from napari_bgremove.recipes.rules import check_hidden, check_kinds, check_numbers, refuse
from napari_bgremove.spectra.bands import channels_outside

if TYPE_CHECKING:
    from napari_bgremove.learning.model_file import SpectraModelDescription
    from napari_bgremove.learning.networks import SpectroscopyNet, SpectroscopyNetSpec
    from napari_bgremove.learning.objectives.disentangling import DisentanglingObjective
    from napari_bgremove.learning.training import TrainOptions
    from napari_bgremove.learning.triplets import SpectraTriplets
    from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["SPECTROSCOPY_PRESETS", "SpectroscopyNetRecipe"]

#: Changes to the recipe by name: the paper's network, two for a processor, one that sees broad continua, and one for
#: backgrounds that follow the target, as fluorescence does: a smooth linear filter, chosen on generated Raman spectra.
SPECTROSCOPY_PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "paper": {},
        "medium": {"features": 32},
        "small": {"features": 16},
        "dilated": {"depth": 12, "features": 16, "kernel": 5, "dilated": True},
        "smooth": {
            "depth": 3,
            "features": 8,
            "kernel": 15,
            "linear_background": True,
            "smoothing": 80,
            "same_target": 10.0,
            "sparsity": 3.0,
        },
    }
)
# Whole numbers and their range.
_WHOLE: Mapping[str, tuple[int, int]] = {
    "depth": (3, 64),
    "features": (1, 1024),
    "smoothing": (0, 4096),
    "crop": (1, 2**20),
    "epochs": (1, 10**9),
    "batch_size": (1, 10**6),
    "at_once": (1, 10**6),
    "warmup_steps": (0, 10**9),
    "seed": (0, 2**32 - 1),
}
_POSITIVE = ("learning_rate", "clip_norm")
_NOT_NEGATIVE = ("orthogonality", "alignment", "sparsity", "same_target", "weight_decay")
# What may be left open.
_OPTIONAL = ("crop", "at_once", "clip_norm")


@dataclass(frozen=True)
class SpectroscopyNetRecipe:
    """The numbers of the method, each with the section of the paper it comes from.

    Attributes
    ----------
    depth : int
        Layers of each branch. Section 3: "D = 18 Conv+BN+ReLu layers".
    features, kernel : int
        Feature maps, and channels of a convolution. Open; 64 and 3 as in DnCNN.
    dilated : bool
        Spread the taps, so that the network sees a broad continuum. Ours.
    linear_background : bool
        The background is a learnt linear filter of the spectrum. Ours; not in
        the paper.
    smoothing : int
        Channels over which the background is smoothed. Ours; 0 in the paper.
    pedestals : bool
        A constant of its own for the background of each spectrometer, learnt
        with the rest. Ours; none in the paper.
    hidden : tuple of int
        Channels that are left between two middle layers, those of the signal's
        branch first, of a network from which some were taken. Ours; none says
        that all are there.
    crop : int or None
        Channels of a training crop within one spectrometer. None takes whole
        spectra, as the paper does.
    signal_bands : tuple of (low, high)
        Closed intervals of the axis that are known to be signal, such as lines
        present in every target, which the method would take for background.
        Ours; none in the paper.
    form : {"stable", "literal"}
        "literal" is Eq. (3) as printed, which has no lower bound and is
        stopped when it runs away; "stable" is ours.
    orthogonality, alignment : float
        Weights of the two terms. 1 in Eq. (3); the first is less here, see
        learning/objectives/disentangling.py.
    sparsity : float
        Weight of the signal's size. Ours; 0 in the paper.
    same_target : float
        Weight of a second shot of the same target. Ours; 0 in the paper.
    epochs, batch_size, learning_rate, momentum
        Section 3: "SGD with a learning rate (lr) of 0.1, momentum 0.9 and
        number of epochs 60 ... batch sizes consist each of 512 ... triplets".
    weight_decay : float
        Not in the paper.
    schedule : {"cosine", "constant"}
        How the learning rate goes on. Ours: falls to zero; open in the paper.
    warmup_steps : int
        Steps of rising learning rate. Ours; none.
    clip_norm : float or None
        Largest norm of a gradient. Ours; None leaves it alone.
    at_once : int or None
        Triplets of a batch computed at a time, for the memory at hand. Batch
        normalisation then knows only these. None takes the whole batch, as the
        paper does.
    validation_share : float
        Share of targets held out, if at least 3 are left on both sides;
        otherwise validation draws fixed triplets of all. Ours.
    seed : int
        Fixes the initial weights, the triplets, their order and the targets
        held out. Ours.
    """

    depth: int = 18
    features: int = 64
    kernel: int = 3
    dilated: bool = False
    linear_background: bool = False
    smoothing: int = 0
    pedestals: bool = True
    hidden: tuple[int, ...] = ()
    crop: int | None = None
    signal_bands: tuple[tuple[float, float], ...] = ()
    form: Literal["stable", "literal"] = "stable"
    orthogonality: float = 0.03
    alignment: float = 1.0
    sparsity: float = 0.3
    same_target: float = 0.0
    epochs: int = 60
    batch_size: int = 512
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_steps: int = 0
    clip_norm: float | None = 1.0
    at_once: int | None = 8
    validation_share: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def of_preset(cls, preset: str, **changes: Any) -> SpectroscopyNetRecipe:
        """Return the recipe of a preset: 'paper', 'medium', 'small', 'dilated' or 'smooth'.

        Raises
        ------
        ValueError
            When there is no such preset, or a change breaks a rule.
        """
        check_choice("preset", preset, tuple(SPECTROSCOPY_PRESETS))
        return cls(**{**SPECTROSCOPY_PRESETS[preset], **changes})

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, for a model file or a run."""
        return as_record(self)

    def build_spec(self, spectra: SpectraSet) -> SpectroscopyNetSpec:
        """Name the network for these spectrometers: everything that decides its shape."""
        from napari_bgremove.learning.networks import SpectroscopyNetSpec

        return SpectroscopyNetSpec(
            depth=self.depth,
            features=self.features,
            kernel=self.kernel,  # type: ignore[arg-type]  # checked above
            dilated=self.dilated,
            linear_background=self.linear_background,
            smoothing=self.smoothing,
            pedestals=self.pedestals,
            blocks=tuple(len(block) for block in spectra.blocks),
            hidden=self.hidden,
        )

    def build_network(self, spectra: SpectraSet) -> SpectroscopyNet:
        """Build the network, its initial weights fixed by the seed."""
        from napari_bgremove.learning.networks import build_network

        return build_network(self.build_spec(spectra), seed=self.seed)

    def build_objective(self) -> DisentanglingObjective:
        """Build the objective: fidelity, orthogonality and alignment."""
        from napari_bgremove.learning.objectives.disentangling import DisentanglingObjective

        return DisentanglingObjective(
            form=self.form, orthogonality=self.orthogonality, alignment=self.alignment, sparsity=self.sparsity,
            same_target=self.same_target,
        )  # fmt: skip

    def build_datasets(self, spectra: SpectraSet) -> tuple[SpectraTriplets, SpectraTriplets]:
        """Build training and validation data, split by target.

        Raises
        ------
        ComputeError
            When there are fewer than 3 targets, or a spectrum cannot be used.
        ValueError
            When a crop does not fit, or the signal bands leave a block nothing.
        """
        from napari_bgremove.learning.triplets import SpectraTriplets, measure_block_scales, split_by_target

        training, held = split_by_target(spectra, self.validation_share, seed=self.seed)
        scales = measure_block_scales(spectra)
        marked = ~channels_outside(spectra.axis, self.signal_bands)
        return (
            SpectraTriplets(training, scales, seed=self.seed, crop=self.crop, signal_channels=marked),
            SpectraTriplets(held, scales, seed=self.seed + 1, crop=self.crop, signal_channels=marked, fixed=True),
        )

    def build_train_options(self, *, precision: str = "float32") -> TrainOptions:
        """Build the options of the training loop."""
        from napari_bgremove.learning.training import TrainOptions

        return TrainOptions(
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate, optimizer="sgd",
            momentum=self.momentum, weight_decay=self.weight_decay, schedule=self.schedule,
            warmup_steps=self.warmup_steps, clip_norm=self.clip_norm or math.inf, at_once=self.at_once,
            seed=self.seed, precision=precision,
        )  # fmt: skip

    def build_description(
        self, network: SpectroscopyNet, triplets: SpectraTriplets, **provenance: Any
    ) -> SpectraModelDescription:
        """Describe a network trained by this recipe on these triplets, for its model file."""
        from napari_bgremove.learning.model_description import describe_blocks, describe_channels
        from napari_bgremove.learning.model_file import SpectraModelDescription

        return SpectraModelDescription(
            network=network.spec,
            blocks=describe_blocks(triplets.spectra, triplets.scales),
            axis_unit=triplets.spectra.axis_unit,
            signal_channels=describe_channels(triplets.signal_channels),
            recipe={"name": "spectroscopy_net", **self.to_dict()},
            provenance=provenance,
        )


def _check(recipe: SpectroscopyNetRecipe) -> None:
    check_kinds(recipe)
    check_hidden(recipe.hidden)
    check_numbers(
        recipe, whole=_WHOLE, positive=_POSITIVE, not_negative=_NOT_NEGATIVE, others=("momentum", "validation_share"),
        optional=_OPTIONAL,
    )  # fmt: skip
    check_range("momentum", recipe.momentum, 0, 1)
    if not 0 < recipe.validation_share < 1:
        refuse("validation_share", "lie between 0 and 1, both excluded", recipe.validation_share)
    if recipe.kernel not in range(3, 16, 2):
        refuse("kernel", "be odd, between 3 and 15 channels", recipe.kernel)
    for band in recipe.signal_bands:
        if len(band) != 2 or not all(math.isfinite(end) for end in band) or band[0] > band[1]:
            refuse("signal_bands", "be the lower and then the upper end of each band", band)
