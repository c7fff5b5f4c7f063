"""bgremove layers: what inspect and prune print and write, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_bgremove.engine.jobs import TrainSignalsJob, TrainSpectraJob
from napari_bgremove.engine.layer_models import read_any_model
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.engine.train_plan import create_run
from napari_bgremove.engine.train_run import run_training
from napari_bgremove.recipes.denoiser import DenoiserRecipe
from napari_bgremove.recipes.spectroscopy_net import SpectroscopyNetRecipe
from napari_bgremove.synthetic.signals import make_spectra

Call = Callable[..., Any]
WHERE = ["--device", "cpu", "--threads", 1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A denoiser of 30 hidden channels, trained for two short epochs."""
    folder = RunFolder(tmp_path_factory.mktemp("denoiser") / "run")
    recipe = DenoiserRecipe.of_preset("spectra", width=1, pairs=32, epochs=2)
    job = TrainSignalsJob(recipe=recipe, device="cpu", threads=1)
    create_run(folder, job)
    run_training(folder, job)
    return folder.path


def test_inspect_prints_a_row_for_each_layer_and_writes_numbers_and_figure(
    bgremove: Call, run: Path, tmp_path: Path
) -> None:
    figure, numbers = tmp_path / "layers.png", tmp_path / "layers.json"
    called = bgremove("layers", "inspect", run, "--figure", figure, "--json", numbers)
    assert called.code == 0, called.err
    assert called.out.startswith("best.safetensors\n")
    assert "of 30 hidden units are alive" in called.out
    assert figure.read_bytes().startswith(b"\x89PNG")
    (layers,) = json.loads(numbers.read_text())["models"].values()
    assert [layer["name"] for layer in layers][:3] == ["inc", "down1", "down2"]
    for layer in layers:
        assert f"  {layer['name']:<5}  {layer['shape']}" in called.out
        assert f"{layer['into']['snr']:.3g}" in called.out


def test_inspect_takes_two_models_layers_by_name_and_the_bundled_one_by_itself(bgremove: Call, run: Path) -> None:
    called = bgremove("layers", "inspect", run, run / "epochs" / "0000.safetensors", "--layer", "up1")
    assert called.code == 0, called.err
    assert called.out.count("\n  up1  ") == 2
    assert "\n  inc" not in called.out
    assert "0000.safetensors" in called.out
    assert bgremove("layers", "inspect").out == bgremove("layers", "inspect", "bundled").out
    assert "saxs-small.safetensors" in bgremove("layers", "inspect").out


def test_prune_predicts_writes_and_the_smaller_model_denoises(bgremove: Call, run: Path, tmp_path: Path) -> None:
    out, numbers = tmp_path / "small.safetensors", tmp_path / "prune.json"
    called = bgremove("layers", "prune", run, "--keep", 0.5, "--out", out, "--json", numbers, *WHERE)
    assert called.code == 0, called.err
    figures = json.loads(numbers.read_text())
    assert "15 of 30 units (50 %)" in called.out
    predicted = figures["validation"]["predicted"]["loss"]
    assert called.out.index(f"{predicted:>10.5g}") < called.out.index(f"Written to {out}: validation loss")
    assert figures["measured"]["loss"] == pytest.approx(predicted, rel=1e-4)
    assert sum(read_any_model(out).network.spec.hidden) == 15
    noisy = tmp_path / "noisy.csv"
    np.savetxt(noisy, np.column_stack([np.arange(128), make_spectra(1, 1).measured[0]]), delimiter=",")
    assert bgremove("signals", "denoise", noisy, "--model", out, "--out", tmp_path / "out.csv").code == 0


def test_a_smaller_model_is_trained_further_at_once_or_later(bgremove: Call, run: Path, tmp_path: Path) -> None:
    out, numbers = tmp_path / "small.safetensors", tmp_path / "prune.json"
    called = bgremove("layers", "prune", run, "--keep", 0.5, "--out", out, "--fine-tune", 1, "--json", numbers, *WHERE)
    assert called.code == 0, called.err
    best = tmp_path / "small-fine-tuned" / "best.safetensors"
    assert f"Finished: {best} has a validation loss of" in called.out
    assert json.loads(numbers.read_text())["fine_tuned"]["path"] == str(best)
    options = ["--width", 1, "--pairs", 32, "--epochs", 1, "--start-from", out, "--out", tmp_path / "later", *WHERE]
    called = bgremove("signals", "train", "--on", "spectra", *options)
    assert called.code == 0, called.err
    later = read_any_model(tmp_path / "later" / "best.safetensors")
    assert later.network.spec == read_any_model(out).network.spec
    again = bgremove("layers", "prune", run, "--keep", 0.5, "--out", tmp_path / "small.bin", "--fine-tune", 1, *WHERE)
    assert again.code == 2
    assert "exists already, where the fine-tuning would go" in again.err


def test_nothing_is_written_dry_or_when_the_loss_would_be_too_large(bgremove: Call, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.safetensors"
    called = bgremove("layers", "prune", run, "--keep", 0.5, "--out", out, "--dry-run", *WHERE)
    assert (called.code, out.exists()) == (0, False)
    called = bgremove("layers", "prune", run, "--keep", 0.5, "--out", out, "--largest-loss", 1e-6, *WHERE)
    assert (called.code, out.exists()) == (3, False)
    assert "Nothing is written: the validation loss would be" in called.out


def test_a_model_for_spectra_is_judged_by_files_read_as_for_its_training(
    bgremove: Call, spectra_file: Path, tmp_path: Path
) -> None:
    recipe = SpectroscopyNetRecipe(depth=4, features=3, epochs=1, batch_size=16)
    source = SpectraSource(paths=(str(spectra_file),), leave_out=((345.0, 350.0),))
    folder = RunFolder(tmp_path / "spectra")
    job = TrainSpectraJob(recipe=recipe, source=source, device="cpu", threads=1)
    create_run(folder, job)
    run_training(folder, job)
    model = tmp_path / "elsewhere.safetensors"
    model.write_bytes(folder.best.read_bytes())
    pruned = ["layers", "prune", model, spectra_file, "--keep", 0.5, "--dry-run", *WHERE]
    called = bgremove(*pruned, "--leave-out", 345, 350)
    assert called.code == 0, called.err
    assert "hidden units" in called.out
    assert bgremove(*pruned).code == 1  # other channels than it was trained on


def test_what_is_refused_is_one_sentence(bgremove: Call, run: Path, model_file: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.safetensors"
    there.write_text("mine")
    (tmp_path / "empty").mkdir()
    prune = ["layers", "prune"]
    wrong = {
        "Give --out for the smaller model, or --dry-run.": [*prune, run, "--keep", 0.5],
        "0.0 is not in the range 0<x<=1.": [*prune, run, "--keep", 0, "--dry-run"],
        "exists already; a model without some of its units": [*prune, run, "--keep", 0.5, "--out", there],
        "'model.safetensors' lies in no run that it could be judged by: give --signal and --background, or --run.": [
            *prune, model_file, "--keep", 0.5, "--dry-run",
        ],
        "Generated pairs cannot judge 'model.safetensors', a model for images": [
            *prune, model_file, "--keep", 0.5, "--dry-run", "--on", "spikes",
        ],
        "A run holds its own data: leave out generated pairs.": [
            *prune, run, "--keep", 0.5, "--dry-run", "--on", "spikes", "--run", run,
        ],
        "--chemcam-bands say how FILES are read: give FILES with them.": [
            *prune, run, "--keep", 0.5, "--dry-run", "--leave-out", 1, 2,
        ],
        "'nowhere' does not exist; give a model file, a run folder, or": ["layers", "inspect", "nowhere"],
        "One model or two can be shown; found 3.": ["layers", "inspect", run, run, run],
        "--layer must be one of inc, down1": ["layers", "inspect", run, "--layer", "down9"],
        "found no model in it.": ["layers", "inspect", tmp_path / "empty"],
    }  # fmt: skip
    for sentence, arguments in wrong.items():
        called = bgremove(*arguments)
        assert called.code in (1, 2)
        assert sentence in called.err
        assert len(called.err.splitlines()) == 1
    assert there.read_text() == "mine"
