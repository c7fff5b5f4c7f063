"""Bremsstrahlung removal from SAXS images, after Starke & Smid (2023).

"Software: removal of bremsstrahlung background from SAXS signals with deep
neural networks", HZDR, doi:10.14278/rodare.2586. Every number of the text is a
default here, named after what the text calls it. What the text leaves open is
marked "open"; where we differ by default, the docstring says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from napari_bgremove.recipes.record import as_record
from napari_bgremove.recipes.rules import check_saxs_unet, refuse

if TYPE_CHECKING:
    from napari_bgremove.images.patch_set import PatchSet
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


@dataclass(frozen=True)
class SaxsUnetRecipe:
    """The numbers of the method, each with the section of the paper it comes from.

    Attributes
    ----------
    patch : int
        Side of patches and tiles in pixels. Section "Methods": "patches of
        128 x 128 pixels".
    signal_patches, background_patches : int
        Training patches in all. Section "Neural network": "1754 signal
        patches", "4711 noise patches".
    min_intensity : float or None
        Threshold on the integrated intensity of a signal patch, in the unit
        of the image. None: a tenth of an average patch. Section "Data
        preparation"; the value is open.
    amplitude_decades : tuple of float
        Signal amplitudes are multiplied by 10^u, u uniform in this range.
        Section "Data preparation"; the range is open.
    hit_free_share : float
        Share of pairs without background. Ours; 0 in the paper.
    mask_threshold : float or None
        Signal mask: height above the local background in its scatter. None:
        the mask was drawn, or not all shots had the same. Section "Data
        preparation"; the value is open.
    mask_grow : int or None
        Pixels the signal mask is grown by. None: as above. Section "Data
        preparation"; the value is open.
    percentiles : tuple of float
        Bounds of the normalisation. Section "Neural network": "1 and 99.95
        percentiles".
    normalization : {"conserving", "literal"}
        "literal" is as published in section "Neural network"; "conserving"
        is ours and keeps the energy; see images/normalization.py.
    equivariant : bool
        False trains the ordinary UNet over as many channels. Section "Neural
        network".
    preset : {"paper", "medium", "small", "tiny"}
        Width: 32/64/128/256 fields as in section "Neural network", or a
        fraction of it.
    topology : {"D", "A"}
        Two readings of section "Neural network" with 5.71 and 5.88 million
        parameters at paper width. Topology not confirmed.
    guides : tuple of int
        Sizes in pixels of grey openings that the network sees beside the
        image. Ours; none in the paper.
    literal_head : bool
        True takes the gradient of the printed ReLU head, which can die.
        Section "Neural network"; the head with a live gradient is ours.
    rot90 : bool
        Turn each pair by multiples of 90 degrees. Ours, a control
        experiment; section "Data preparation" turns signal patches alone.
    latents : int
        Latent maps. Section "Neural network": "latent feature maps l with 16
        channels".
    hidden : tuple of int
        Units that are left between the two convolutions of each block, the
        encoder's first, of a network from which some were taken. Ours; none
        says that all are there, as many as come out of the block.
    epochs, batch_size, learning_rate, weight_decay
        Section "Neural network": "400 epochs with a batch size of 16 ...
        AdamW ... 10^-4 and no weight decay".
    warmup_steps : int
        Steps of rising learning rate. Ours: guards the head at the start.
    schedule : {"constant", "cosine"}
        How the learning rate goes on. "constant" as in section "Neural
        network".
    sample_mean : {"arithmetic", "geometric"}
        How the samples of a batch are averaged. "arithmetic" as in section
        "Neural network".
    rmse_weight : float
        Weight of the root mean squared error of the signal. Ours; 0 in the
        paper.
    flux_weight : float
        Weight of the error of the integrated signal. Ours; 0 in the paper.
    validation_share : float
        Share of shots held out, by shot and never by patch. Ours; the paper
        does not say.
    offsets : tuple
        Grids of tiles. Section "Application": "[0,0], [96,32], [32,96],
        [64,64]".
    merge : {"weighted", "median", "mean"}
        How the predictions of a pixel become one. "weighted" is section
        "Application": w_i = 1/((|p_i - m|/2) + 2).
    padded : bool
        True mirrors the rim so that every pixel gets four predictions, which
        is ours; False as in section "Application".
    seed : int
        Fixes the initial weights, the order of the samples, their pairing
        and the shots held out: the same seed gives the same training. Ours;
        the paper does not say.
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
    hidden: tuple[int, ...] = ()
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
        check_saxs_unet(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, for a model file or a run."""
        return as_record(self)

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
            refuse("fields", f"be those of a preset ({', '.join(PRESETS)})", spec.fields)
        return {
            "equivariant": spec.family == "c4_unet", "preset": preset, "topology": spec.topology,
            "latents": spec.latents, "guides": tuple(spec.guides), "literal_head": spec.literal_head,
            "hidden": tuple(spec.hidden),
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
            hidden=self.hidden,
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
