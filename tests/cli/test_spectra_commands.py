"""bgremove spectra: what each command writes, prints and refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.io.spectra_sets import read_spectra_set, write_spectra_set
from napari_bgremove.spectra.spectra_set import SpectraSet

Call = Callable[..., Any]
QUICK = ["--depth", 3, "--features", 2, "--batch-size", 16, "--epochs", 2, "--threads", 1, "--device", "cpu"]


def test_inspect_says_what_the_set_holds_and_whether_to_train(
    bgremove: Call, spectra_file: Path, tmp_path: Path
) -> None:
    called = bgremove("spectra", "inspect", spectra_file, "--json", tmp_path / "figures.json")
    assert called.code == 0, called.err
    assert "32 spectra of 8 targets, 96 channels from 300 to 347.5 nm (UV 48, VIS 48)" in called.out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["status"] in ("stationary", "doubtful")
    assert [block["name"] for block in figures["blocks"]] == ["UV", "VIS"]


def test_inspect_of_too_few_targets_ends_with_3(bgremove: Call, spectra_set: SpectraSet, tmp_path: Path) -> None:
    file = write_spectra_set(tmp_path / "two.npz", spectra_set.select(slice(0, 8)))
    called = bgremove("spectra", "inspect", file)
    assert called.code == 3
    assert "at least 3 targets" in called.out


def test_a_trained_network_separates_the_set_it_came_from(
    bgremove: Call, spectra_file: Path, spectra_set: SpectraSet, tmp_path: Path
) -> None:
    called = bgremove("spectra", "train", spectra_file, "--out", tmp_path / "run", *QUICK)
    assert called.code == 0, called.err
    assert "epoch 2/2" in called.out
    model = tmp_path / "run" / "best.safetensors"
    called = bgremove("spectra", "separate", spectra_file, "--model", model, "--out", tmp_path / "parts")
    assert called.code == 0, called.err
    signal, background = (read_spectra_set(tmp_path / "parts" / f"{part}.npz") for part in ("signal", "background"))
    assert_allclose(signal.spectra + background.spectra, spectra_set.spectra, rtol=1e-5)
    assert_array_equal(signal.targets, spectra_set.targets)
    assert signal.composition is not None
    assert signal.provenance["separation"]["method"] == "spectroscopy_net"


def test_a_run_is_resumed_and_says_how(bgremove: Call, spectra_file: Path, tmp_path: Path) -> None:
    bgremove("spectra", "train", spectra_file, "--out", tmp_path / "run", *QUICK)
    called = bgremove("spectra", "train", "--resume", tmp_path / "run", "--epochs", 3)
    assert called.code == 0, called.err
    assert "epoch 3/3" in called.out
    called = bgremove("train", "--resume", tmp_path / "run")
    assert called.code == 2
    assert "is no run of this command" in called.err
    called = bgremove("spectra", "train", "--resume", tmp_path / "run", "--depth", 5)
    assert called.code == 2
    assert "--depth" in called.err


def test_the_literal_objective_is_stopped_in_a_sentence(bgremove: Call, spectra_file: Path, tmp_path: Path) -> None:
    called = bgremove(
        "spectra", "train", spectra_file, "--out", tmp_path / "run", *QUICK[:4], "--form", "literal", "--epochs", 50,
        "--batch-size", 16, "--clip-norm", 1e9, "--threads", 1,
    )  # fmt: skip
    assert called.code == 1
    assert "no lower bound; train with the stable form" in called.err


def test_the_same_lines_are_left_alone_where_a_person_marks_them(
    bgremove: Call, spectra_file: Path, tmp_path: Path
) -> None:
    """Channel 70 (335 nm) is bright in every target: marked, the background goes straight across it."""
    called = bgremove(
        "spectra", "separate", spectra_file, "--method", "snip", "--signal", 330, 340, "--out", tmp_path / "parts"
    )
    assert called.code == 0, called.err
    background = read_spectra_set(tmp_path / "parts" / "background.npz").spectra
    across = background[:, 60:81]
    assert_allclose(np.diff(across, n=2, axis=1), 0, atol=1e-3)


def test_left_out_bands_are_gone_and_a_model_of_other_channels_is_refused(
    bgremove: Call, spectra_file: Path, spectra_model: Path, tmp_path: Path
) -> None:
    options = ["--leave-out", 300, 310, "--out", tmp_path / "parts"]
    called = bgremove("spectra", "separate", spectra_file, "--method", "snip", *options)
    assert called.code == 0, called.err
    assert read_spectra_set(tmp_path / "parts" / "signal.npz").n_channels == 75
    called = bgremove("spectra", "separate", spectra_file, "--model", spectra_model, *options)
    assert called.code == 1
    assert "must have the 96 channels the network was trained on; found 32 x 75" in called.err


def test_calibrate_prints_raw_beside_every_cleaning_and_draws_them(
    bgremove: Call, spectra_file: Path, spectra_model: Path, tmp_path: Path
) -> None:
    called = bgremove(
        "spectra", "calibrate", spectra_file, "--method", "snip", "--model", spectra_model, "--output", "subtract",
        "--output", "synthesis", "--out", tmp_path / "judged", "--json", tmp_path / "judged.json",
    )  # fmt: skip
    assert called.code == 0, called.err
    table = json.loads((tmp_path / "judged.json").read_text())["table"]
    assert table["representation"] == ["raw", "snip", "cleaner, y - z_n", "cleaner, z_x"]
    assert table["rmse_nested"][0] < 0.5, "the line is the value"
    names = {path.name for path in (tmp_path / "judged").iterdir()}
    assert names == {"calibration.csv", "calibration.md", "predictions.png", "errors.png"}


def test_a_network_can_be_trained_anew_without_each_standard(
    bgremove: Call, spectra_file: Path, tmp_path: Path
) -> None:
    bgremove("spectra", "train", spectra_file, "--out", tmp_path / "run", *QUICK)
    model = tmp_path / "run" / "model.safetensors"
    errors = []
    for more in ([], ["--refit-per-fold"]):
        called = bgremove("spectra", "calibrate", spectra_file, "--model", model, "--json", tmp_path / "j.json", *more)
        assert called.code == 0, called.err
        errors.append(json.loads((tmp_path / "j.json").read_text())["table"]["rmse_best"])
    assert called.out.count("trained without standard") == 8
    assert errors[0][0] == errors[1][0], "raw is raw"
    assert errors[0][1] != errors[1][1]


def test_the_papers_head_agrees_with_ridge(bgremove: Call, spectra_file: Path, tmp_path: Path) -> None:
    errors = []
    for head in ("ridge", "sgd"):
        called = bgremove("spectra", "calibrate", spectra_file, "--head", head, "--json", tmp_path / "judged.json")
        assert called.code == 0, called.err
        errors.append(json.loads((tmp_path / "judged.json").read_text())["table"]["rmse_best"][0])
    assert errors[1] < 4 * errors[0] + 0.5


def test_the_report_has_the_papers_four_kinds_of_figure(bgremove: Call, spectra_file: Path, tmp_path: Path) -> None:
    called = bgremove("spectra", "report", spectra_file, "--method", "snip", "--out", tmp_path / "report")
    assert called.code == 0, called.err
    page = (tmp_path / "report" / "report.md").read_text()
    for figure in ("patches", "spectrum", "predictions", "errors"):
        assert f"({figure}.png)" in page
        assert (tmp_path / "report" / f"{figure}.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["separate", "FILE", "--out", "OUT"], "Give either --model or --method"),
        (["separate", "FILE", "--method", "snip", "--param", "weight", "3", "--out", "OUT"], "parameter of snip"),
        (["report", "FILE", "--out", "OUT"], "Give at least one --method or --model"),
        (["report", "FILE", "--method", "snip", "--show", "gold", "--out", "OUT"], "target to draw"),
        (["train", "FILE"], "A new run needs files and --out"),
        (["inspect", "nowhere.npz"], "nowhere.npz"),
        (["calibrate", "FILE", "--leave-out", "0", "1000"], "must leave some of the 96 channels"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    bgremove: Call, spectra_file: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    places = {"FILE": str(spectra_file), "OUT": str(tmp_path / "out")}
    called = bgremove("spectra", *(places.get(word, word) for word in arguments))
    assert called.code in (1, 2)
    assert sentence in called.err
    assert called.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_real_chemcam_shots_leave_the_papers_channels(bgremove: Call, shared_data: Path, tmp_path: Path) -> None:
    (file,) = (shared_data / "libs" / "chemcam").glob("CL5*.csv")
    called = bgremove("spectra", "separate", file, "--chemcam-bands", "--method", "snip", "--out", tmp_path / "parts")
    assert called.code == 0, called.err
    assert "30 spectra of 1 target, 5485 channels" in called.out
    assert read_spectra_set(tmp_path / "parts" / "signal.npz").n_channels == 5485


def test_what_the_header_of_chemcam_states_is_taken_and_said(bgremove: Call, shared_data: Path, tmp_path: Path) -> None:
    (file,) = (shared_data / "libs" / "chemcam").glob("CL5*.csv")
    options = ["--method", "chemcam", "--param", "sigmas", 2.5, "--json", tmp_path / "record.json"]
    called = bgremove("spectra", "separate", file, *options, "--out", tmp_path / "parts")
    assert called.code == 0, called.err
    assert (
        "ChemCam's steps with the parameters of the header: DNOISEITER 10, CONTINUUMUVMIN 6, CONTINUUMVISMIN 6, "
        "CONTINUUMVNIRMIN 5." in called.out
    )
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["parameters"]["clips"], record["parameters"]["sigmas"]) == (10, 2.5)
    assert record["parameters"]["lowest_levels"] == {"UV": 6, "VIO": 6, "VNIR": 5}
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["background.npz", "signal.npz"]
    kept = read_spectra_set(tmp_path / "parts" / "signal.npz").provenance["separation"]
    assert kept["stated_in_header"]["continuumvnirmin"] == 5


def test_what_did_not_settle_is_said(bgremove: Call, spectra_file: Path, tmp_path: Path) -> None:
    options = ["--method", "arpls", "--param", "max_iter", 1, "--out", tmp_path / "parts"]
    called = bgremove("spectra", "separate", spectra_file, *options)
    assert called.code == 0, called.err
    assert "32 of 32 spectra did not reach the tolerance of the method ('tol') in its rounds" in called.out
    called = bgremove("spectra", "calibrate", spectra_file, "--method", "airpls", "--method", "snip")
    assert called.code == 0, called.err
    said = r"airpls \.\.\.\n  \d+ of 32 spectra did not reach the tolerance[^\n]*\nsnip \.\.\.\n"
    assert re.search(said, called.out)
