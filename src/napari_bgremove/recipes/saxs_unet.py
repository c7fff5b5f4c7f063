"""Bremsstrahlung removal from SAXS images, after Starke & Smid (2023).

"Software: removal of bremsstrahlung background from SAXS signals with deep
neural networks", HZDR, doi:10.14278/rodare.2586. Every number of the text is a
default here, named after what the text calls it. What the text leaves open is
marked "open"; where we differ by default, the docstring says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from napari_bgremove._validation import check_choice, check_positive, check_range

if TYPE_CHECKING:
    from napari_bgremove.images.patches import PatchSet
    from napari_bgremove.learning.datasets import SyntheticSums
    from napari_bgremove.learning.inference import ApplyOptions
    from napari_bgremove.learning.model_file import ModelDescription
    from napari_bgremove.learning.networks import AdditiveNetwork, NetworkSpec
    from napari_bgremove.learning.objectives.additive import AdditiveObjective
    from napari_bgremove.learning.training import TrainOptions

__all__ = ["NETWORK_PRESETS", "SaxsUnetRecipe"]

# A form, a command and the check below read the choices from these.
Preset = Literal["paper", "medium", "small", "tiny"]
Topology = Literal["D", "A"]
Normalization = Literal["conserving", "literal"]
Schedule = Literal["constant", "cosine"]
SampleMean = Literal["arithmetic", "geometric"]
Merge = Literal["weighted", "median", "mean"]

# Widths by name, "paper" is the published one; listed here without torch.
NETWORK_PRESETS: tuple[str, ...] = get_args(Preset)

# Whole numbers and their range. A side is limited as in a model file, a seed as in numpy and torch.
_WHOLE: Mapping[str, tuple[int, int]] = {
    "patch": (8, 4096),
    "signal_patches": (1, 10**9),
    "background_patches": (1, 10**9),
    "mask_grow": (-4096, 4096),
    "latents": (1, 256),
    "epochs": (1, 10**9),
    "batch_size": (1, 10**6),
    "warmup_steps": (0, 10**9),
    "seed": (0, 2**32 - 1),
}
_POSITIVE = ("mask_threshold", "learning_rate")
_NOT_NEGATIVE = ("weight_decay", "rmse_weight", "flux_weight")
# Beyond, a float32 image overflows when it is scaled.
_MOST_DECADES = 12


@dataclass(frozen=True)
class SaxsUnetRecipe:
    """The numbers of the method.

    Attributes
    ----------
    patch : int
        Side of patches and tiles in pixels ("patches of 128 x 128 pixels").
    signal_patches, background_patches : int
        Training patches in all ("1754 signal patches", "4711 noise patches").
    min_intensity : float or None
        Threshold on the integrated intensity of a signal patch, in the unit
        of the image; open. None: a tenth of an average patch.
    amplitude_decades : tuple of float
        Signal amplitudes are multiplied by 10^u, u uniform in this range
        (range open).
    hit_free_share : float
        Share of pairs without background (ours; 0 in the paper).
    mask_threshold : float or None
        Signal mask: height above the local background in its scatter (open).
        None: the mask was drawn, or not all shots had the same.
    mask_grow : int or None
        Pixels the signal mask is grown by (open). None: as above.
    percentiles : tuple of float
        Bounds of the normalisation ("1 and 99.95 percentiles").
    normalization : {"conserving", "literal"}
        "literal" is as published; see images/normalization.py.
    equivariant : bool
        False trains the ordinary UNet over as many channels.
    preset : {"paper", "medium", "small", "tiny"}
        Width: 32/64/128/256 fields as published, or a fraction of it.
    topology : {"D", "A"}
        Two readings of the text with 5.71 and 5.88 million parameters at
        paper width. Topology not confirmed.
    guides : tuple of int
        Sizes in pixels of grey openings that the network sees beside the
        image (ours; none in the paper).
    literal_head : bool
        True takes the gradient of the printed ReLU head, which can die.
    rot90 : bool
        Turn each pair by multiples of 90 degrees (control experiment).
    latents : int
        Latent maps ("latent feature maps l with 16 channels").
    epochs, batch_size, learning_rate, weight_decay
        "400 epochs with a batch size of 16 ... AdamW ... 10^-4 and no weight
        decay".
    warmup_steps : int
        Steps of rising learning rate (ours): guards the head at the start.
    schedule : {"constant", "cosine"}
        "constant" as published.
    sample_mean : {"arithmetic", "geometric"}
        How the samples of a batch are averaged; "arithmetic" as published.
    rmse_weight : float
        Weight of the root mean squared error of the signal (ours; 0 as
        published).
    flux_weight : float
        Weight of the error of the integrated signal (ours; 0 as published).
    validation_share : float
        Share of shots held out; split by shot, never by patch.
    offsets : tuple
        Grids of tiles ("[0,0], [96,32], [32,96], [64,64]").
    merge : {"weighted", "median", "mean"}
        "weighted" is w_i = 1/((|p_i - m|/2) + 2).
    padded : bool
        True mirrors the rim so that every pixel gets four predictions; False
        as published.
    seed : int
    """

    patch: int = 128
    signal_patches: int = 1754
    background_patches: int = 4711
    min_intensity: float | None = None
    amplitude_decades: tuple[float, float] = (-1.0, 1.0)
    hit_free_share: float = 0.1
    mask_threshold: float | None = 4.0
    mask_grow: int | None = 8
    percentiles: tuple[float, float] = (1.0, 99.95)
    normalization: Normalization = "conserving"
    equivariant: bool = True
    preset: Preset = "paper"
    topology: Topology = "D"
    guides: tuple[int, ...] = ()
    literal_head: bool = False
    rot90: bool = False
    latents: int = 16
    epochs: int = 400
    batch_size: int = 16
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    warmup_steps: int = 200
    schedule: Schedule = "constant"
    sample_mean: SampleMean = "arithmetic"
    rmse_weight: float = 0.0
    flux_weight: float = 0.0
    validation_share: float = 0.15
    offsets: tuple[tuple[int, int], ...] = ((0, 0), (96, 32), (32, 96), (64, 64))
    merge: Merge = "weighted"
    padded: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            if get_origin(hint) is Literal:
                check_choice(name, getattr(self, name), get_args(hint))
            elif hint is bool and not isinstance(getattr(self, name), bool):
                _refuse(name, "be true or false", getattr(self, name))
        optional = {name for name in ("min_intensity", "mask_threshold", "mask_grow") if getattr(self, name) is None}
        for name in sorted(_WHOLE.keys() - optional):
            _check_whole(name, getattr(self, name), *_WHOLE[name])
        for name in sorted(
            {"min_intensity", "hit_free_share", "validation_share", *_POSITIVE, *_NOT_NEGATIVE} - optional
        ):
            _check_number(name, getattr(self, name))
        for name in sorted(set(_POSITIVE) - optional):
            check_positive(name, getattr(self, name))
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                _refuse(name, "not be negative", getattr(self, name))
        if self.patch % 8:
            _refuse("patch", "be a multiple of 8 pixels", self.patch)
        check_range("hit_free_share", self.hit_free_share, 0, 1)
        if not 0 < self.validation_share < 1:
            _refuse("validation_share", "lie between 0 and 1, both excluded", self.validation_share)
        self._check_pairs()

    def _check_pairs(self) -> None:
        for name in ("amplitude_decades", "percentiles"):
            if len(getattr(self, name)) != 2:
                _refuse(name, "be two numbers", getattr(self, name))
            for value in getattr(self, name):
                _check_number(name, value)
        for value in self.amplitude_decades:
            check_range("amplitude_decades", value, -_MOST_DECADES, _MOST_DECADES)
        if self.amplitude_decades[0] > self.amplitude_decades[1]:
            _refuse("amplitude_decades", "be the lower and then the upper end", self.amplitude_decades)
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            _refuse("percentiles", "rise, between 0 and 100", self.percentiles)
        if len(self.guides) > 8 or not all(
            isinstance(size, Integral) and size in range(3, 34, 2) for size in self.guides
        ):
            _refuse("guides", "be at most 8 odd sizes between 3 and 33 pixels", self.guides)
        whole = all(isinstance(n, Integral) and n >= 0 for pair in self.offsets for n in pair)
        if not self.offsets or {len(pair) for pair in self.offsets} != {2} or not whole:
            _refuse("offsets", "be pairs of rows and columns, whole and not negative", self.offsets)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, for a model file or a run."""
        return asdict(self)

    @staticmethod
    def network_fields(spec: NetworkSpec) -> dict[str, Any]:
        """Return the fields of a recipe that builds such a network; the reverse of `build_spec`.

        Raises
        ------
        ValueError
            When the width is none of the presets.
        """
        from napari_bgremove.learning.networks import PRESETS

        preset = next((name for name, fields in PRESETS.items() if fields == spec.fields), None)
        if preset is None:
            _refuse("fields", f"be those of a preset ({', '.join(PRESETS)})", spec.fields)
        return {
            "equivariant": spec.family == "c4_unet", "preset": preset, "topology": spec.topology,
            "latents": spec.latents, "guides": tuple(spec.guides), "literal_head": spec.literal_head,
        }  # fmt: skip

    def build_spec(self) -> NetworkSpec:
        """Name the network: everything that decides its shape."""
        from napari_bgremove.learning.networks import PRESETS, NetworkSpec

        return NetworkSpec(
            family="c4_unet" if self.equivariant else "plain_unet",
            topology=self.topology,
            fields=PRESETS[self.preset],
            latents=self.latents,
            guides=self.guides,  # type: ignore[arg-type]  # validated above
            literal_head=self.literal_head,
        )

    def build_network(self) -> AdditiveNetwork:
        """Build the network, its initial weights fixed by the seed."""
        from napari_bgremove.learning.networks import build_network

        return build_network(self.build_spec(), seed=self.seed)

    def build_objective(self) -> AdditiveObjective:
        """Build the objective: mean absolute error on both parts."""
        from napari_bgremove.learning.objectives.additive import AdditiveObjective

        return AdditiveObjective(mean=self.sample_mean, rmse_weight=self.rmse_weight, flux_weight=self.flux_weight)

    def build_datasets(self, signal: PatchSet, background: PatchSet) -> tuple[SyntheticSums, SyntheticSums]:
        """Build training and validation data, split by shot."""
        from napari_bgremove.learning.datasets import SyntheticSums

        signal_train, signal_held = signal.split_by_shot(self.validation_share, seed=self.seed)
        background_train, background_held = background.split_by_shot(self.validation_share, seed=self.seed)
        common = {
            "amplitude_decades": self.amplitude_decades,
            "hit_free_share": self.hit_free_share,
            "percentiles": self.percentiles,
            "normalization": self.normalization,
        }
        training = SyntheticSums(signal_train, background_train, seed=self.seed, rot90=self.rot90, **common)  # type: ignore[arg-type]
        held = SyntheticSums(signal_held, background_held, seed=self.seed + 1, fixed=True, **common)  # type: ignore[arg-type]
        return training, held

    def build_train_options(self, *, precision: str = "float32") -> TrainOptions:
        """Build the options of the training loop."""
        from napari_bgremove.learning.training import TrainOptions

        return TrainOptions(
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate,
            weight_decay=self.weight_decay, warmup_steps=self.warmup_steps, schedule=self.schedule,
            seed=self.seed, precision=precision,
        )  # fmt: skip

    def build_apply_options(self) -> ApplyOptions:
        """Build the options of the application to images."""
        from napari_bgremove.learning.inference import ApplyOptions

        return ApplyOptions(
            normalization=self.normalization, percentiles=self.percentiles, tile=self.patch,
            offsets=self.offsets, merge=self.merge, padded=self.padded,
        )  # fmt: skip

    def build_description(self, network: AdditiveNetwork, **provenance: Any) -> ModelDescription:
        """Describe a network trained by this recipe, for its model file."""
        from napari_bgremove.learning.model_file import ModelDescription

        return ModelDescription(
            network=network.spec,
            normalization=self.normalization,
            percentiles=self.percentiles,
            tile=self.patch,
            merge=self.merge,
            padded=self.padded,
            recipe={"name": "saxs_unet", **self.to_dict()},
            provenance=provenance,
        )


def _refuse(name: str, rule: str, found: Any) -> NoReturn:
    text = " ".join(str(value) for value in found) if isinstance(found, tuple) else str(found)
    msg = f"'{name}' must {rule}; found {text or 'none'}."
    raise ValueError(msg)


def _check_number(name: str, value: Any) -> None:
    if not isinstance(value, Real) or not math.isfinite(value):
        _refuse(name, "be a finite number", value)


def _check_whole(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, Integral):
        _refuse(name, "be a whole number", value)
    check_range(name, int(value), low, high)
