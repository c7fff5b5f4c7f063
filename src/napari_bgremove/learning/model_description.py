"""What the description inside a model file must say, for images, for spectra and for signals.

The description decides how weights are applied, so every field has a type and
a range; a field nobody knows is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, field_validator, model_validator

from napari_bgremove.learning.networks import NetworkSpec, PriorGuidedSpec, SpectroscopyNetSpec
from napari_bgremove.numpy_network.spec import SHORTEST_SIGNAL, NormMode
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = [
    "BlockDescription",
    "Description",
    "ModelDescription",
    "SignalModelDescription",
    "SpectraModelDescription",
    "describe_blocks",
    "describe_channels",
]

Percentile = Annotated[float, Field(ge=0, le=100)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Channel = Annotated[int, Field(ge=0, le=2**20)]
Name = Annotated[str, Field(max_length=200)]


class _Description(BaseModel):
    """What every model file says: `recipe` and `provenance` are for people, `progress` for a resumed training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: What the network takes apart.
    subject: ClassVar[str]

    format: Literal[1] = 1
    recipe: dict[str, Any] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)
    progress: dict[str, Finite] = Field(default_factory=dict)
    tensors_sha256: str = Field(default="", max_length=64)


class ModelDescription(_Description):
    """What the model file of an image network says about itself.

    `normalization`, `percentiles` and `tile` are what the network was trained
    with and are applied with, `merge` and `padded` how its predictions become
    an image. A file that says nothing of `padded` is from before it was
    stored, and means True.
    """

    subject: ClassVar[str] = "images"

    network: NetworkSpec
    normalization: Literal["conserving", "literal"] = "conserving"
    percentiles: tuple[Percentile, Percentile] = (1.0, 99.95)
    tile: int = Field(default=128, ge=8, le=4096, multiple_of=8)
    merge: Literal["weighted", "median", "mean"] = "weighted"
    padded: bool = True

    @field_validator("percentiles")
    @classmethod
    def _check_order(cls, percentiles: tuple[float, float]) -> tuple[float, float]:
        if not percentiles[0] < percentiles[1]:
            msg = f"must rise, found {percentiles[0]} and {percentiles[1]}"
            raise ValueError(msg)
        return percentiles


class BlockDescription(BaseModel):
    """One spectrometer: its part of the axis, and the constant its counts are divided by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    channels: Annotated[int, Field(ge=1, le=2**20)]
    first: Finite
    last: Finite
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SpectraModelDescription(_Description):
    """What the model file of a network for spectra says about itself.

    `blocks` are the spectrometers it was trained on, in the unit `axis_unit`;
    `signal_channels` the runs [start, stop) of channels that were marked as
    signal, across which its background is bridged.
    """

    subject: ClassVar[str] = "spectra"

    network: SpectroscopyNetSpec
    blocks: tuple[BlockDescription, ...] = Field(min_length=1, max_length=64)
    axis_unit: Name = "nm"
    signal_channels: tuple[tuple[Channel, Channel], ...] = Field(default=(), max_length=10_000)

    @model_validator(mode="after")
    def _check_blocks(self) -> SpectraModelDescription:
        channels = tuple(block.channels for block in self.blocks)
        if channels != self.network.blocks:
            msg = f"the blocks have {channels} channels, those of the network {self.network.blocks}"
            raise ValueError(msg)
        if len({block.name for block in self.blocks}) < len(self.blocks):
            msg = f"the blocks must have different names, found {', '.join(block.name for block in self.blocks)}"
            raise ValueError(msg)
        if any(not start < stop <= sum(channels) for start, stop in self.signal_channels):
            msg = f"the signal channels must rise and end before {sum(channels)}"
            raise ValueError(msg)
        return self


def _refuse_unknown(values: Any) -> Any:
    # Of a plain dataclass pydantic lets unknown names pass.
    unknown = set(values) - {field.name for field in fields(PriorGuidedSpec)} if isinstance(values, Mapping) else ()
    if unknown:
        msg = f"'{str(min(map(str, unknown)))[:80]}' is not known"
        raise ValueError(msg)
    return values


class SignalModelDescription(_Description):
    """What the model file of a denoiser says about itself.

    Attributes
    ----------
    network : PriorGuidedSpec
    batch_size : int
        Signals of a training batch. With one, the statistics of each signal
        by itself ("signal") are those it was trained with; with more, the
        running ones ("fixed").
    source : str
        Name of the generator of its pairs, or "rows": measured signals without labels.
    length : int
        Samples of the signals it was trained on; others are taken, too.
    noise : float
        Standard deviation of the noise in what the network was trained on, as
        `filters.signal_noise.estimate_sigma` finds it there: a signal is
        brought to this noise before it is denoised.
    level : float
        Median of the medians of what the network was trained on: a signal is
        brought to this level, too. A file that says nothing of it is from
        before it was stored, and means 0.
    centred : bool
        Each training signal was brought to this level. Then a signal whose
        scale is given is as well.
    loss : str
        What was minimised.
    """

    subject: ClassVar[str] = "signals"

    network: Annotated[PriorGuidedSpec, BeforeValidator(_refuse_unknown), PlainSerializer(PriorGuidedSpec.to_dict)]
    batch_size: Annotated[int, Field(ge=1, le=10**6)]
    source: Name
    length: Annotated[int, Field(ge=SHORTEST_SIGNAL, le=2**20)]
    noise: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    level: Finite = 0.0
    centred: bool = False
    loss: Literal["mse", "smooth_l1"]

    @property
    def fitting_norm(self) -> NormMode:
        """Whose statistics are those it was trained with."""
        return "signal" if self.batch_size == 1 else "fixed"


#: Any description a model file can hold.
Description = ModelDescription | SpectraModelDescription | SignalModelDescription


def describe_blocks(spectra: SpectraSet, scales: Sequence[float]) -> tuple[BlockDescription, ...]:
    """Describe the spectrometers of a set, and the constants their counts are divided by."""
    return tuple(
        BlockDescription(
            name=block.name,
            channels=len(block),
            first=float(spectra.axis[block.start]),
            last=float(spectra.axis[block.stop - 1]),
            scale=scale,
        )
        for block, scale in zip(spectra.blocks, scales, strict=True)
    )


def describe_channels(marked: NDArray[np.bool_] | None) -> tuple[tuple[int, int], ...]:
    """Return the runs [start, stop) of marked channels."""
    if marked is None:
        return ()
    steps = np.diff(np.concatenate([[0], marked.astype(np.int8), [0]]))
    return tuple((int(a), int(b)) for a, b in zip(np.flatnonzero(steps > 0), np.flatnonzero(steps < 0), strict=True))
