"""Units taken out of models: predicted, written as a new file that computes what was predicted, trained further."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_bgremove.engine.jobs import TrainSignalsJob
from napari_bgremove.engine.layer_models import read_any_model
from napari_bgremove.engine.layer_removal import (
    PredictedRemoval,
    fine_tuning_folder,
    predict_removal,
    remove_units_of,
)
from napari_bgremove.engine.removal_job import job_of
from napari_bgremove.engine.removal_judge import RemovalJudge
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.train_plan import create_run
from napari_bgremove.engine.train_run import run_training
from napari_bgremove.errors import ComputeError, ReadError
from napari_bgremove.learning import model_file
from napari_bgremove.learning.networks import NetworkSpec, build_network
from napari_bgremove.learning.unit_removal import choose_units, mask_units
from napari_bgremove.recipes.denoiser import DenoiserRecipe
from napari_bgremove.recipes.spectroscopy_net import SpectroscopyNetRecipe
from napari_bgremove.spectra.layer_background import LayerBackground
from napari_bgremove.spectra.spectra_set import SpectraSet

if TYPE_CHECKING:
    from napari_bgremove.engine.layer_models import AnyModel

WHERE = {"device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A denoiser trained for two short epochs, with the term."""
    folder = RunFolder(tmp_path_factory.mktemp("denoiser") / "run")
    recipe = DenoiserRecipe.of_preset("spectra", width=2, pairs=32, epochs=2)
    job = TrainSignalsJob(recipe=recipe, layer_background=LayerBackground(), device="cpu", threads=1)
    create_run(folder, job)
    run_training(folder, job)
    return folder


@pytest.fixture
def model(run: RunFolder) -> AnyModel:
    return read_any_model(run.best)


@pytest.fixture
def judge(run: RunFolder, model: AnyModel) -> RemovalJudge:
    return RemovalJudge(job_of(model, run=str(run.path), **WHERE), model)


def _state(model: AnyModel) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def test_the_whole_network_is_judged_as_its_training_judged_it(model: AnyModel, judge: RemovalJudge) -> None:
    loss = model.description.provenance["validation_loss"]
    assert judge.whole["loss"] == pytest.approx(loss, rel=1e-5)  # as it is written there: six digits
    assert judge.data == "10 signals held out: 32 pairs of generated spectra, new ones in every epoch"


def test_a_prediction_changes_nothing_and_is_that_of_the_masked_network(model: AnyModel, judge: RemovalJudge) -> None:
    before = _state(model)
    predicted = predict_removal(model, share=0.5, judge=judge)
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert not model.network.training
    kept = choose_units(model.network, 0.5)
    for name, keep in predicted.kept.items():
        np.testing.assert_array_equal(keep, kept[name])
    assert predicted.masked == judge.measure(mask_units(model.network, kept))
    assert predicted.masked["loss"] != predicted.whole["loss"]
    assert predicted.share == 0.5
    assert predicted.parameters[1] < predicted.parameters[0]
    record = json.loads(json.dumps(predicted.as_record()))
    assert sum(stay for stay, _ in record["units"].values()) == 30
    assert all(len(gone) + record["units"][name][0] == len(kept[name]) for name, gone in record["removed"].items())


def test_all_units_kept_is_the_whole_network(model: AnyModel, judge: RemovalJudge) -> None:
    predicted = predict_removal(model, share=1.0, judge=judge)
    assert predicted.masked == predicted.whole == judge.whole
    assert predicted.parameters[0] == predicted.parameters[1]
    assert predicted.sizes[0] == predicted.sizes[1]


def test_units_can_be_named_and_sizes_need_no_judge(model: AnyModel) -> None:
    kept = {layer.name: np.arange(layer.units) > 0 for layer in model.network.hidden_layers()}
    predicted = predict_removal(model, kept=kept)
    assert (predicted.rule, predicted.whole, predicted.masked) == ("chosen", {}, {})
    assert all(gone == [0] for gone in predicted.as_record()["removed"].values())


def test_the_new_file_computes_what_was_predicted_and_tells_where_it_comes_from(
    run: RunFolder, model: AnyModel, judge: RemovalJudge, tmp_path: Path
) -> None:
    content = run.best.read_bytes()
    predicted = predict_removal(model, share=0.5, rule="relative", judge=judge)
    out = tmp_path / "small.safetensors"
    removal = remove_units_of(model, predicted, out, judge=judge)
    assert run.best.read_bytes() == content
    smaller = read_any_model(out)
    assert predicted.sizes[0] > predicted.sizes[1]
    assert out.stat().st_size > predicted.sizes[1]  # with the record of what was taken
    for name, value in predicted.masked.items():
        assert removal.measured[name] == pytest.approx(value, rel=1e-4)
    assert judge.measure(smaller.network) == removal.measured
    told = smaller.description.provenance
    (record,) = told["units_removed"]
    assert record["sha256"] == model.sha256
    assert record["rule"] == "relative"
    assert record["validation"]["measured"] == removal.measured
    assert record["validation"]["data"] == judge.data
    assert told["validation_loss"] == pytest.approx(removal.measured["loss"], rel=1e-5)
    assert told["trained_on"] == model.description.provenance["trained_on"]
    assert smaller.description.recipe["hidden"] == list(smaller.network.spec.hidden)
    assert all(seconds > 0 for seconds in removal.seconds)


def test_a_smaller_model_is_made_smaller_again_and_remembers_both(
    model: AnyModel, judge: RemovalJudge, run: RunFolder, tmp_path: Path
) -> None:
    remove_units_of(model, predict_removal(model, share=0.8, judge=judge), tmp_path / "a.safetensors", judge=judge)
    second = read_any_model(tmp_path / "a.safetensors")
    again = RemovalJudge(job_of(second, run=str(run.path), **WHERE), second)
    removed = predict_removal(second, share=0.5, judge=again)
    remove_units_of(second, removed, tmp_path / "b.safetensors", judge=again)
    third = read_any_model(tmp_path / "b.safetensors")
    assert sum(third.network.spec.hidden) == 24
    assert [one["sha256"] for one in third.description.provenance["units_removed"]] == [model.sha256, second.sha256]


def test_a_smaller_model_is_trained_further_on_the_same_data(
    model: AnyModel, judge: RemovalJudge, tmp_path: Path
) -> None:
    out = tmp_path / "small.safetensors"
    remove_units_of(model, predict_removal(model, share=0.5, judge=judge), out, judge=judge)
    content, folder = out.read_bytes(), fine_tuning_folder(out)
    job = judge.job_of(read_any_model(out), epochs=1)
    create_run(folder, job)
    assert run_training(folder, job) == "finished"
    tuned = read_any_model(folder.best)
    assert folder.path == tmp_path / "small-fine-tuned"
    assert tuned.network.spec == read_any_model(out).network.spec
    assert tuned.description.provenance["started_from"] == "small.safetensors"
    assert "layer_background" not in tuned.description.provenance
    assert out.read_bytes() == content


def test_a_file_is_never_overwritten(model: AnyModel, judge: RemovalJudge, tmp_path: Path) -> None:
    out = tmp_path / "there.safetensors"
    out.write_text("mine")
    predicted = predict_removal(model, share=0.5, judge=judge)
    with pytest.raises(ReadError, match="exists already; a model without some of its units is a new file"):
        remove_units_of(model, predicted, out, judge=judge)
    assert out.read_text() == "mine"


def test_a_network_that_does_not_compute_what_was_predicted_is_not_written(
    model: AnyModel, judge: RemovalJudge, tmp_path: Path
) -> None:
    right = predict_removal(model, share=0.5, judge=judge)
    wrong = PredictedRemoval(**{**vars(right), "masked": {"loss": right.masked["loss"] * 1.001}})
    out = tmp_path / "small.safetensors"
    with pytest.raises(ComputeError, match=r"has a validation loss of .*, the masked one of .*; nothing is written"):
        remove_units_of(model, wrong, out, judge=judge)
    unjudged = predict_removal(model, share=0.5)
    with pytest.raises(ValueError, match="'predicted' must come with a judgement"):
        remove_units_of(model, unjudged, out, judge=judge)
    assert not out.exists()


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({}, "'share' or 'kept' must say what stays, and only one of them; found none"),
        ({"share": 0.5, "kept": {}}, "and only one of them; found both"),
        ({"share": 0.0}, "'share' must be above 0 and at most 1; found 0"),
        ({"share": 0.5, "rule": "magnitude"}, "'rule' must be"),
        ({"kept": {"inc": [True]}}, "'kept' must say what stays of each of inc, down1"),
    ],
)
def test_what_cannot_be_chosen_is_refused(model: AnyModel, how: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        predict_removal(model, **how)


def test_models_for_images_are_judged_by_patches(patch_files: dict[str, str], tmp_path: Path) -> None:
    network = build_network(NetworkSpec(fields=(4, 8, 16, 32), latents=2), seed=3)
    path = tmp_path / "images.safetensors"
    model_file.write_model(path, network, model_file.ModelDescription(network=network.spec, tile=32))
    model = read_any_model(path)
    judge = RemovalJudge(job_of(model, **patch_files, **WHERE, validation_samples=4), model)
    predicted = predict_removal(model, share=0.25, judge=judge)
    out = tmp_path / "small.safetensors"
    removal = remove_units_of(model, predicted, out, judge=judge)
    assert removal.measured["loss"] == pytest.approx(predicted.masked["loss"], rel=1e-4)
    assert sum(read_any_model(out).network.spec.hidden) == 37
    assert judge.data.startswith("4 patches held out: ")


def test_models_for_spectra_are_judged_by_a_set(spectra_set: SpectraSet, spectra_file: Path, tmp_path: Path) -> None:
    recipe = SpectroscopyNetRecipe(depth=4, features=4)
    network = recipe.build_network(spectra_set)
    path = tmp_path / "cleaner.safetensors"
    model_file.write_model(path, network, recipe.build_description(network, recipe.build_datasets(spectra_set)[0]))
    model = read_any_model(path)
    judge = RemovalJudge(job_of(model, source={"paths": [str(spectra_file)]}, **WHERE), model)
    predicted = predict_removal(model, share=0.5, judge=judge)
    removal = remove_units_of(model, predicted, tmp_path / "small.safetensors", judge=judge)
    assert removal.measured["loss"] == pytest.approx(predicted.masked["loss"], rel=1e-4)


def test_a_judge_that_does_not_suit_is_refused_in_a_sentence(
    run: RunFolder, model: AnyModel, model_file: Path, denoiser_file: Path, spectra_file: Path, tmp_path: Path
) -> None:
    images, other = read_any_model(model_file), read_any_model(denoiser_file)
    with pytest.raises(ReadError, match=r"must hold a training of models for images, .*; found train_signals\."):
        job_of(images, run=str(run.path))
    with pytest.raises(ValueError, match=r"Generated pairs cannot judge 'model\.safetensors', a model for images"):
        job_of(images, generator="spikes")
    with pytest.raises(ValueError, match="A run holds its own data: leave out generated pairs"):
        job_of(model, run=str(run.path), generator="spikes")
    with pytest.raises(ValueError, match="is judged by signal and background patches, both"):
        job_of(images, signal="signal.npz")
    with pytest.raises(ComputeError, match="holds another network than the training it is to be judged by"):
        RemovalJudge(job_of(other, run=str(run.path), **WHERE), other)
    with pytest.raises(ReadError, match="cannot be read"):
        job_of(model, run=str(tmp_path))
    assert job_of(other).recipe.signals == "spectra"  # as its file says
    assert job_of(other, source={"paths": [str(spectra_file)]}).recipe.signals == "rows"


def test_a_recipe_that_cannot_be_used_is_refused_in_a_sentence(model: AnyModel, tmp_path: Path) -> None:
    changed = model.description.model_copy(update={"recipe": {"name": "denoiser", "epochs": "many", "older": 1}})
    model_file.write_model(tmp_path / "old.safetensors", model.network, changed)
    with pytest.raises(ReadError, match=r"'old\.safetensors' tells of a recipe that cannot be used: 'epochs' must"):
        job_of(read_any_model(tmp_path / "old.safetensors"))
