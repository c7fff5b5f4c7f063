"""Trainings that also remove the background of hidden layers: what they write, and what they leave as it was."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from napari_bgremove.engine.jobs import TrainJob, TrainSignalsJob, TrainSpectraJob, read_job
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.engine.train_plan import create_run
from napari_bgremove.engine.train_run import run_training
from napari_bgremove.errors import ReadError
from napari_bgremove.learning.model_file import read_model, read_signal_model, read_spectra_model
from napari_bgremove.recipes.denoiser import DenoiserRecipe
from napari_bgremove.recipes.spectroscopy_net import SpectroscopyNetRecipe
from napari_bgremove.spectra.layer_background import LayerBackground

TERMS = {"layer_background", "layer_snr", "small_units", "task_loss"}


@pytest.fixture
def job() -> TrainSignalsJob:
    recipe = DenoiserRecipe.of_preset("spectra", width=1, pairs=32, epochs=3)
    return TrainSignalsJob(recipe=recipe, device="cpu", threads=1, layer_background=LayerBackground(strength=0.1))


def _run(path: Path, job: Any, **options: Any) -> RunFolder:
    folder = RunFolder(path)
    if not folder.job.exists():
        create_run(folder, job)
    run_training(folder, job, **options)
    return folder


def test_the_term_is_trained_with_logged_and_told(tmp_path: Path, job: TrainSignalsJob) -> None:
    folder = _run(tmp_path / "run", job)
    assert read_job(folder.job) == job
    term = asdict(job.layer_background)  # type: ignore[arg-type]
    assert json.loads((folder.path / "run.json").read_text())["layer_background"] == term
    assert read_signal_model(folder.best).description.provenance["layer_background"] == term
    rows = list(csv.DictReader(folder.metrics.read_text().splitlines()))
    for row in rows:
        assert all(float(row[f"training_{name}"]) >= 0 for name in TERMS)
        assert "validation_task_loss" not in row  # the loss of validation is that of the task
    shrunk = [float(row["training_layer_background"]) for row in rows]
    assert shrunk[-1] < shrunk[0]
    last = rows[-1]
    expected = float(last["training_task_loss"]) + 0.1 * shrunk[-1]
    assert float(last["training_loss"]) == pytest.approx(expected, rel=1e-4)  # the ramp is over


def test_a_strength_of_zero_measures_and_changes_nothing(tmp_path: Path, job: TrainSignalsJob) -> None:
    plain = _run(tmp_path / "plain", job.model_copy(update={"layer_background": None}))
    measured = _run(tmp_path / "measured", job.model_copy(update={"layer_background": LayerBackground(strength=0)}))
    assert read_signal_model(measured.model).sha256 == read_signal_model(plain.model).sha256
    header = plain.metrics.read_text().splitlines()[0]
    assert "layer" not in header
    assert "layer_background" not in json.loads((plain.path / "run.json").read_text())
    assert "layer_background" not in read_signal_model(plain.best).description.provenance


@pytest.mark.parametrize("gate", ["lorentzian", "shirley"])
def test_a_run_stopped_on_the_ramp_resumes_bit_for_bit(tmp_path: Path, job: TrainSignalsJob, gate: str) -> None:
    term = LayerBackground(strength=0.1, gate=gate, ramp_end=1.0)  # type: ignore[arg-type]
    job = job.model_copy(update={"layer_background": term})
    whole = _run(tmp_path / "whole", job)
    count = iter(range(3))
    parts = _run(tmp_path / "parts", job, should_stop=lambda: next(count, None) is None)
    assert parts.read_events()[0][-1]["event"] == "stopped"
    _run(tmp_path / "parts", job)
    assert read_signal_model(parts.model).sha256 == read_signal_model(whole.model).sha256


def test_images_and_spectra_are_trained_with_it_too(tmp_path: Path, train_job: TrainJob, spectra_file: Path) -> None:
    term = LayerBackground()
    images = train_job.model_copy(
        update={"layer_background": term, "recipe": replace(train_job.recipe, epochs=1), "samples_per_epoch": 4}
    )
    spectra = TrainSpectraJob(
        recipe=SpectroscopyNetRecipe(depth=4, features=2, epochs=1, batch_size=16),
        source=SpectraSource(paths=(str(spectra_file),)), device="cpu", threads=1, layer_background=term,
    )  # fmt: skip
    for name, job, read in (("images", images, read_model), ("spectra", spectra, read_spectra_model)):
        folder = _run(tmp_path / name, job)
        assert read(folder.best).description.provenance["layer_background"] == asdict(term)  # type: ignore[operator]
        (epoch,) = (e for e in folder.read_events()[0] if e["event"] == "epoch")
        assert epoch["training"].keys() >= TERMS
        assert not epoch["validation"].keys() & TERMS


def test_a_network_without_hidden_layers_is_refused_before_a_folder_is_made(tmp_path: Path, spectra_file: Path) -> None:
    job = TrainSpectraJob(
        recipe=SpectroscopyNetRecipe(depth=3, features=2),
        source=SpectraSource(paths=(str(spectra_file),)), device="cpu", layer_background=LayerBackground(),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"'network' must have a hidden layer, .* found none in SpectroscopyNet"):
        create_run(RunFolder(tmp_path / "run"), job)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("term", "sentence"),
    [
        ('{"gate": "hard"}', "'layer_background.gate' must be 'lorentzian', 'gaussian' or 'shirley'; found hard."),
        ('{"strength": -1}', "'strength' must lie between 0 and .*; found -1"),
        ('{"power": 1}', "'layer_background.power' must be left out; there is no such option."),
    ],
)
def test_a_job_whose_term_is_wrong_says_so(tmp_path: Path, term: str, sentence: str) -> None:
    path = tmp_path / "job.json"
    path.write_text(f'{{"kind": "train_signals", "layer_background": {term}}}')
    with pytest.raises(ReadError, match=sentence):
        read_job(path)
