"""bgremove signals train: from generated pairs, or from a person's own rows, which the run keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_bgremove.cli.signal_rows import explain_few, explain_loss
from napari_bgremove.io.results import write_image
from napari_bgremove.io.spectra_sets import read_spectra_set
from napari_bgremove.spectra.spectra_set import make_spectra_set
from napari_bgremove.synthetic.signals import make_spectra

Call = Callable[..., Any]
MEASURED = make_spectra(1, 6).measured
QUICK = ["--width", 1, "--pairs", 32, "--batch-size", 8, "--epochs", 2, "--threads", 1, "--device", "cpu"]


@pytest.fixture
def spectrum(tmp_path: Path) -> Path:
    """One noisy spectrum; other.csv beside it is another."""
    for name, row in (("noisy", 0), ("other", 1)):
        np.savetxt(tmp_path / f"{name}.csv", np.column_stack([np.arange(128), MEASURED[row]]), delimiter=",")
    return tmp_path / "noisy.csv"


def test_a_denoiser_trained_on_generated_pairs_denoises(bgremove: Call, spectrum: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    called = bgremove("signals", "train", "--on", "spectra", "--out", run, *QUICK, "--json", tmp_path / "run.json")
    assert called.code == 0, called.err
    assert "epoch 2/2" in called.out
    recipe = json.loads((run / "run.json").read_text())["recipe"]
    assert (recipe["signals"], recipe["width"], recipe["optimizer"]) == ("spectra", 1, "adamw")
    assert len(json.loads((tmp_path / "run.json").read_text())["epochs"]) == 2
    model = run / "best.safetensors"
    called = bgremove("signals", "denoise", spectrum, "--model", model, "--out", tmp_path / "out.csv")
    assert called.code == 0, called.err
    assert "trained with batches of 8, fixed statistics" in called.out


def test_the_preset_of_the_paper_can_be_trained_on_either_generator(bgremove: Call, tmp_path: Path) -> None:
    for signals in ("spikes", "spectra"):
        options = ["--on", signals, "--preset", "paper", "--pairs", 10, "--epochs", 1, "--device", "cpu"]
        called = bgremove("signals", "train", *options, "--out", tmp_path / signals)
        assert called.code == 0, called.err
        recipe = json.loads((tmp_path / signals / "run.json").read_text())["recipe"]
        assert (recipe["signals"], recipe["optimizer"], recipe["batch_size"]) == (signals, "sgd", 1)


def test_a_denoiser_learns_from_the_rows_of_an_image_that_can_be_learnt_from(bgremove: Call, tmp_path: Path) -> None:
    rows = MEASURED.copy()
    rows[1, 60], rows[4] = np.nan, 7
    write_image(tmp_path / "frames.tif", np.stack([rows, rows + 100]), provenance={})
    run = tmp_path / "run"
    called = bgremove("signals", "train", tmp_path / "frames.tif", "--out", run, *QUICK)
    assert called.code == 0, called.err
    assert "\n1,024 samples are few: below some 20,000 a network learns their noise by heart" in called.out
    assert "  frames.tif: 4 of 12 rows are left out, 2 with samples that are not usable, 2 without noise" in called.out
    (kept,) = run.glob("frames-rows-*.npz")
    good = rows[[0, 2, 3, 5]]
    assert_array_equal(read_spectra_set(kept).spectra, np.concatenate([good, good + 100]).astype(np.float32))
    assert json.loads((run / "run.json").read_text())["recipe"]["signals"] == "rows"
    (tmp_path / "frames.tif").unlink()
    called = bgremove("signals", "train", "--resume", run, "--epochs", 3)
    assert called.code == 0, called.err
    assert "epoch 3/3" in called.out


def test_rows_that_training_refuses_are_left_out_before(bgremove: Call, tmp_path: Path) -> None:
    """A line interpolated in single precision has rounding, and no noise one could scale by."""
    rows = MEASURED.astype(np.float32)
    rows[2] = np.interp(np.arange(128), [0, 127], [900.1, 1300.7])
    write_image(tmp_path / "frames.tif", rows, provenance={})
    called = bgremove("signals", "train", tmp_path / "frames.tif", "--out", tmp_path / "run", *QUICK, "--epochs", 1)
    assert called.code == 0, called.err
    assert "1 of 6 rows are left out, 0 with samples that are not usable, 1 without noise" in called.out


def test_who_has_few_samples_is_told_that_a_filter_does_better() -> None:
    few, enough = (make_spectra_set(np.arange(128), np.ones((n, 128)), targets=["a"] * n) for n in (156, 157))
    assert explain_few(few) == (
        "19,968 samples are few: below some 20,000 a network learns their noise by heart, and a filter (--method tv) "
        "does better."
    )
    assert explain_few(enough) is None


@pytest.mark.parametrize(("loss", "kind"), [(0.89, "mse"), (0.38, "smooth_l1")])
def test_a_loss_below_that_of_independent_noise_is_suspicious(loss: float, kind: str) -> None:
    assert f"The best validation loss, {loss}, is below the" in str(explain_loss(loss, kind))
    assert explain_loss(loss + 0.02, kind) is None


def test_a_training_whose_loss_is_too_good_says_so(bgremove: Call, tmp_path: Path) -> None:
    """Odd and even columns of two amplifiers: the neighbours tell what was hidden; of white noise they do not."""
    white = np.random.default_rng(0).normal(size=(40, 128))
    for name, rows, said in (("white", white, False), ("two", 9 * (-1.0) ** np.arange(128) + white, True)):
        write_image(tmp_path / f"{name}.tif", rows, provenance={})
        called = bgremove("signals", "train", tmp_path / f"{name}.tif", "--out", tmp_path / name, *QUICK)
        assert called.code == 0, called.err
        assert ("\nThe best validation loss, " in called.out) == said, called.out


def test_spectra_maps_and_sets_are_rows_too(bgremove: Call, spectrum: Path, spectra_file: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "map.h5", "w") as file:
        file["counts"], file["other"] = MEASURED.reshape(2, 3, 128), np.zeros((9, 9, 9))
    words = {2: [spectrum, spectrum.with_name("other.csv")], 6: [tmp_path / "map.h5", "--dataset", "counts"]}
    for count, files in {**words, 32: [spectra_file]}.items():
        called = bgremove("signals", "train", *files, "--out", tmp_path / f"run {count}", *QUICK, "--epochs", 1)
        assert called.code == 0, called.err
        assert f"\n{count} rows of " in f"\n{called.out}"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "A new run needs --out, and either files or --on; an old one --resume."),
        (["--out", "new"], "A new run needs --out, and either files or --on"),
        (["--on", "spectra"], "A new run needs --out, and either files or --on"),
        (["noisy.csv", "--on", "spectra", "--out", "new"], "A new run needs --out, and either files or --on"),
        (["--on", "spectra", "--out", "new", "--width", "0"], "'width' must lie between 1 and"),
        (["noisy.csv", "short.csv", "--out", "new"], "'short.csv' must have signals of 128 samples, as 'noisy.csv'"),
        (["flat.csv", "--out", "new"], "'rows' must have noise and only usable samples; found none that have."),
        (["noisy.csv", "--out", "new", "--crop", "500"], "'crop' must lie between 16 and 90 samples; found 500"),
        (["noisy.csv", "--out", "new", "--start-from", "noisy.csv"], "'noisy.csv'"),
        (["--resume", "run", "--width", "4"], "--width"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence_and_leaves_no_folder(
    bgremove: Call, spectrum: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(spectrum.parent)
    Path("short.csv").write_text("1,2\n2,3\n3,5\n4,2\n")
    Path("flat.csv").write_text("".join(f"{x},3\n" for x in range(128)))
    Path("run").mkdir()
    called = bgremove("signals", "train", *arguments)
    assert called.code in (1, 2)
    assert sentence in called.err
    assert called.err.count("\n") == 1
    assert not Path("new").exists()


def test_a_run_that_is_there_is_not_touched(bgremove: Call, spectrum: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert bgremove("signals", "train", spectrum, "--out", run, *QUICK).code == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for file in (spectrum, spectrum.with_name("other.csv")):
        called = bgremove("signals", "train", file, "--out", run, *QUICK)
        assert called.code == 1
        assert f"already holds a run; resume it (bgremove signals train --resume {run})" in called.err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
