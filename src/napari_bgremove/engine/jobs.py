"""Job descriptions: what to do, as plain validated values in one JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.errors import ReadError
from napari_bgremove.recipes.denoiser import DenoiserRecipe
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.recipes.spectroscopy_net import SpectroscopyNetRecipe
from napari_bgremove.spectra.layer_background import LayerBackground

__all__ = [
    "TRAINING_KINDS",
    "Job",
    "SeparateJob",
    "TrainJob",
    "TrainSignalsJob",
    "TrainSpectraJob",
    "TrainingJob",
    "describe_invalid",
    "read_job",
]


class _Training(BaseModel):
    """Where every training starts, where it computes, and what it keeps.

    Attributes
    ----------
    start_from : str or None
        Model file whose weights are the initial ones, to fit it to other
        data; its network has to be that of the recipe.
    device, precision, threads
        Where and how to compute.
    keep_every : int
        Every so many epochs the weights are kept for good; the last ten are
        kept anyway.
    layer_background : LayerBackground or None
        The term that shrinks what of the hidden layers is background, against
        the loss of the recipe; None leaves the layers alone.
    command, samples : str
        The command that starts and resumes it, and what it learns from; of
        the class, not of the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    command: ClassVar[str]
    samples: ClassVar[str]

    start_from: str | None = None
    device: str = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: int | None = Field(default=None, ge=1)
    keep_every: int = Field(default=10, ge=1)
    layer_background: LayerBackground | None = None


class TrainJob(_Training):
    """Train a network on two patch sets.

    Attributes
    ----------
    recipe : SaxsUnetRecipe
        Fields left out of the job keep the recipe's defaults.
    signal, background : str
        Patch set files.
    samples_per_epoch : int or None
        None: one sample per signal patch.
    validation_samples : int
    """

    command: ClassVar[str] = "bgremove train"
    samples: ClassVar[str] = "patches"
    kind: Literal["train"] = "train"
    recipe: SaxsUnetRecipe = Field(default_factory=SaxsUnetRecipe)
    signal: str
    background: str
    samples_per_epoch: int | None = Field(default=None, ge=1)
    validation_samples: int = Field(default=256, ge=1)


class TrainSpectraJob(_Training):
    """Train a network on uncleaned spectra.

    Attributes
    ----------
    recipe : SpectroscopyNetRecipe
        Fields left out of the job keep the recipe's defaults.
    source : SpectraSource
        The set; bands that hold signal are the recipe's.
    """

    command: ClassVar[str] = "bgremove spectra train"
    samples: ClassVar[str] = "triplets"
    kind: Literal["train_spectra"] = "train_spectra"
    recipe: SpectroscopyNetRecipe = Field(default_factory=SpectroscopyNetRecipe)
    source: SpectraSource


class TrainSignalsJob(_Training):
    """Train a denoiser, on generated pairs or on measured rows without labels.

    Attributes
    ----------
    recipe : DenoiserRecipe
        Fields left out of the job keep the recipe's defaults.
    source : SpectraSource or None
        The rows, where the recipe's `signals` is "rows", and only then.
    """

    command: ClassVar[str] = "bgremove signals train"
    samples: ClassVar[str] = "signals"
    kind: Literal["train_signals"] = "train_signals"
    recipe: DenoiserRecipe = Field(default_factory=DenoiserRecipe)
    source: SpectraSource | None = None


class SeparateJob(BaseModel):
    """Separate images with a model.

    Attributes
    ----------
    inputs : list of str
        Image files.
    out : str
        Folder of the results.
    model : str or None
        None: the bundled model.
    dataset : str or None
        HDF5 dataset; None guesses and says so.
    valid_mask : str or None
        Mask file, True where a pixel is usable.
    padded : bool or None
        Four predictions everywhere; None does as the model was made for.
    kev_per_unit : float or None
        Energy of one unit of the image; None takes the file's word, if any.
    cluster : str or None
        Address of a dask scheduler.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["separate"] = "separate"
    inputs: list[str]
    out: str
    model: str | None = None
    dataset: str | None = None
    valid_mask: str | None = None
    gap_values: tuple[float, ...] | None = None
    saturation: float | None = None
    kev_per_unit: Annotated[float, Field(gt=0)] | None = None
    device: str = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=8, ge=1)
    normalization: Literal["conserving", "literal"] | None = None
    merge: Literal["weighted", "median", "mean"] | None = None
    padded: bool | None = None
    residual: bool = False
    format: Literal["tiff", "hdf5"] = "tiff"
    cluster: str | None = None


TrainingJob = TrainJob | TrainSpectraJob | TrainSignalsJob
#: What a training of each sort is called in its file.
TRAINING_KINDS: tuple[str, ...] = ("train", "train_spectra", "train_signals")
Job = Annotated[TrainJob | TrainSpectraJob | TrainSignalsJob | SeparateJob, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[TrainingJob | SeparateJob] = TypeAdapter(Job)


def read_job(path: Path) -> TrainingJob | SeparateJob:
    """Read and validate a job file.

    Raises
    ------
    ReadError
        When the file is missing or is no valid job.
    """
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except OSError as error:
        msg = f"'{path}' cannot be read: {error.strerror}. Is this a run folder?"
        raise ReadError(msg) from error
    except ValidationError as error:
        msg = f"'{path}' is not a valid job: {describe_invalid(error)}"
        raise ReadError(msg) from error


def describe_invalid(error: ValidationError) -> str:
    """Say the first thing a pydantic model refuses as one sentence of ours: subject, rule, value found."""
    first = error.errors()[0]
    rule, context = first["msg"], first.get("ctx", {})
    if first["type"] == "value_error":  # a check of our own, already a sentence
        return str(context["error"])
    if first["type"] == "json_invalid":
        return f"it must be JSON; found {context['error']}."
    # The kind of a job is part of where pydantic looked, but not of what a person wrote.
    where = [str(part) for part in first["loc"] if part not in (*TRAINING_KINDS, "separate")]
    subject = ".".join(where) or str(context.get("discriminator", "job")).strip("'")
    if first["type"] in ("missing", "union_tag_not_found"):
        return f"'{subject}' must be given; it is missing."
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"'{subject}' must be left out; there is no such option."
    if first["type"] == "union_tag_invalid":
        return f"'{subject}' must be one of {context['expected_tags']}; found {context['tag']}."
    return f"'{subject}' must {rule.removeprefix('Input should ')}; found {str(first['input'])[:80]}."
