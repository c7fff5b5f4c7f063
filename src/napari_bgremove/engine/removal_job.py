"""The training a model is judged by when units are taken out of it: that of its run, or its recipe on other data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from napari_bgremove.engine.jobs import (
    TrainingJob,
    TrainJob,
    TrainSignalsJob,
    TrainSpectraJob,
    describe_invalid,
    read_job,
)
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.errors import ReadError
from napari_bgremove.recipes.denoiser import GENERATORS, DenoiserRecipe
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.recipes.spectroscopy_net import SpectroscopyNetRecipe

if TYPE_CHECKING:
    from napari_bgremove.engine.layer_models import AnyModel

__all__ = ["change_job_of", "job_of"]

_IN_WORDS = {
    "signal": "signal patches", "background": "background patches", "generator": "generated pairs", "source": "spectra",
}  # fmt: skip
# Which of the ways to judge a model of each subject there are, beside its run.
_WAYS: Mapping[str, tuple[str, ...]] = {
    "images": ("signal", "background"), "spectra": ("source",), "signals": ("generator", "source"),
}  # fmt: skip


def job_of(
    model: AnyModel,
    *,
    run: str | None = None,
    signal: str | None = None,
    background: str | None = None,
    generator: str | None = None,
    source: SpectraSource | Mapping[str, Any] | None = None,
    **where: Any,
) -> TrainingJob:
    """Return the training a model is judged by: that of a run, or its own recipe on data that are named.

    Parameters
    ----------
    model : LoadedModel, LoadedSpectraModel or LoadedSignalModel
    run : str, optional
        Run folder; no other data may then be named.
    signal, background : str, optional
        Patch sets, of a model for images.
    generator : str, optional
        Of `recipes.denoiser.GENERATORS`, of a model for signals.
    source : SpectraSource, optional
        A set of spectra, of a model for spectra or signals (rows).
    **where
        Other fields of the job, such as `device`.

    Raises
    ------
    ValueError
        When the data named do not suit the subject of the model, or do not suffice.
    ReadError
        When there is no training in the folder, or it is of another subject;
        when the recipe in the model file cannot be used.
    """
    named = {"signal": signal, "background": background, "generator": generator, "source": source}
    given = {name: value for name, value in named.items() if value is not None}
    if run is not None:
        _check_alone(given)
        return _job_of_run(RunFolder(Path(run)), model, where)
    subject = model.description.subject
    wrong = [name for name in given if name not in _WAYS[subject]]
    if wrong:
        ways = " and ".join(_IN_WORDS[name] for name in _WAYS[subject])
        what = _IN_WORDS[wrong[0]].capitalize()
        msg = f"{what} cannot judge '{model.path.name}', a model for {subject}: give {ways}, or its run."
        raise ValueError(msg)
    return _JOBS[subject](model, **given, **where)


def _check_alone(given: Mapping[str, Any]) -> None:
    if given:
        msg = f"A run holds its own data: leave out {' and '.join(_IN_WORDS[name] for name in given)}."
        raise ValueError(msg)


def _job_of_run(folder: RunFolder, model: AnyModel, where: Mapping[str, Any]) -> TrainingJob:
    job = read_job(folder.job)
    subject = model.description.subject
    if not isinstance(job, _KINDS[subject]):
        msg = f"'{folder.path}' must hold a training of models for {subject}, as '{model.path.name}'; found {job.kind}."
        raise ReadError(msg)
    there: TrainingJob = change_job_of(job, where, {})
    return there


def _job_of_patches(model: AnyModel, *, signal: str = "", background: str = "", **where: Any) -> TrainJob:
    if not (signal and background):
        msg = "A model for images is judged by signal and background patches, both; found one of them at most."
        raise ValueError(msg)
    described: Any = model.description
    own = SaxsUnetRecipe.network_fields(described.network)
    own |= {"normalization": described.normalization, "percentiles": described.percentiles}
    recipe = replace(_read_recipe(model, SaxsUnetRecipe), **own)
    return TrainJob(recipe=recipe, signal=signal, background=background, **where)


def _job_of_spectra(model: AnyModel, *, source: Any = None, **where: Any) -> TrainSpectraJob:
    if source is None:
        msg = "A model for spectra is judged by spectra; found none."
        raise ValueError(msg)
    of = SpectraSource.model_validate(source)
    described: Any = model.description
    recipe = _read_recipe(model, SpectroscopyNetRecipe)
    recipe = replace(recipe, signal_bands=of.signal_bands, **_shared(recipe, dict(described.network)))
    return TrainSpectraJob(recipe=recipe, source=of, **where)


def _job_of_signals(
    model: AnyModel, *, generator: str | None = None, source: Any = None, **where: Any
) -> TrainSignalsJob:
    """Take rows, or a generator; where none is named that of the model's own training."""
    described: Any = model.description
    recipe = _read_recipe(model, DenoiserRecipe)
    told = {"loss": described.loss, "batch_size": described.batch_size}
    recipe = replace(recipe, **told, **_shared(recipe, vars(described.network)))
    signals = "rows" if source is not None else generator or described.source
    if source is None and signals not in GENERATORS:
        msg = f"'{model.path.name}' was trained on measured rows, which it does not hold: give spectra, or its run."
        raise ValueError(msg)
    return TrainSignalsJob(recipe=replace(recipe, signals=signals), source=source, **where)


_JOBS: Mapping[str, Callable[..., TrainingJob]] = {
    "images": _job_of_patches, "spectra": _job_of_spectra, "signals": _job_of_signals,
}  # fmt: skip
_KINDS: Mapping[str, type[TrainingJob]] = {"images": TrainJob, "spectra": TrainSpectraJob, "signals": TrainSignalsJob}


def _read_recipe(model: AnyModel, kind: type[Any]) -> Any:
    """Return the recipe a model file tells of; what a newer version added has its default, what it dropped is left."""
    stored = model.description.recipe
    known = {field.name for field in fields(kind)}
    try:
        return TypeAdapter(kind).validate_python({name: value for name, value in stored.items() if name in known})
    except ValidationError as error:
        msg = f"'{model.path.name}' tells of a recipe that cannot be used: {describe_invalid(error)} Give its run."
        raise ReadError(msg) from error


def _shared(recipe: Any, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a network that its recipe has as well: what the file says of it decides."""
    return {field.name: spec[field.name] for field in fields(recipe) if field.name in spec}


def change_job_of(job: Any, of_job: Mapping[str, Any], of_recipe: Mapping[str, Any]) -> Any:
    """Return a job with other fields, and other fields of its recipe."""
    old = {name: getattr(job, name) for name in type(job).model_fields}
    return type(job)(**{**old, **of_job, "recipe": replace(job.recipe, **of_recipe)})
