from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from napari_bgremove.cli import demo_command, main
from napari_bgremove.io.bundled import BUNDLED_MODEL, BUNDLED_MODELS
from napari_bgremove.io.images import read_image
from napari_bgremove.learning.model_file import read_model


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["bgremove", "demo", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code if isinstance(exit_.value.code, int) else 0


def test_the_demo_leaves_a_whole_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_command, "TRAINING_STEPS", 2)
    monkeypatch.setattr(demo_command, "SHOTS", 2)
    out = tmp_path / "report"
    assert _run(monkeypatch, "--out", out, "--no-viewer", "--json", tmp_path / "figures.json") == 0
    page = (out / "index.html").read_text()
    for name in ("before-after.png", "learning-curve.png"):
        assert name in page
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    ledger = {
        line["part"]: float(line["keV"]) for line in csv.DictReader((out / "ledger.csv").read_text().splitlines())
    }
    parts = ledger["signal"] + ledger["background"] + ledger["residual"]
    assert parts == pytest.approx(ledger["measured"], rel=1e-4)  # six digits in the table
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["psnr_db"] > figures["psnr_measured_db"]
    assert abs(figures["flux_bias"]) < abs(figures["flux_bias_measured"])
    assert read_model(out / BUNDLED_MODEL.name).sha256 == read_model(BUNDLED_MODEL).sha256
    assert read_image(out / "separated" / "full-0-signal.tif").shape == (512, 1024)
    assert (out / "training" / "model.safetensors").exists()


def test_a_folder_with_other_files_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("two years")
    assert _run(monkeypatch, "--out", tmp_path, "--no-viewer") == 1
    assert "must be a new or empty folder" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "two years"


def test_only_what_a_demo_made_is_replaced(tmp_path: Path) -> None:
    """Also after an interruption, before there was a page."""
    out = tmp_path / "report"
    demo_command._clear(out)
    (out / "shots").mkdir()
    (out / "shots" / "full-0.tif").write_bytes(b"old")
    (out / "notes.txt").write_text("mine")
    demo_command._clear(out)
    assert not (out / "shots").exists()
    assert (out / "notes.txt").read_text() == "mine"


def test_a_page_of_somebody_else_is_no_demo_report(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("my site")
    with pytest.raises(ValueError, match="must be a new or empty folder, or an old demo report"):
        demo_command._clear(tmp_path)
    assert (tmp_path / "index.html").read_text() == "my site"


@pytest.mark.parametrize(("variable", "there"), [("CI", False), ("DISPLAY", True)])
def test_a_viewer_opens_only_when_a_person_is_there(
    variable: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv(variable, ":0")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert demo_command._person_is_there() is there


def test_nobody_is_there_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert not demo_command._person_is_there()


def test_the_bundled_models_are_small_and_pass_their_self_tests() -> None:
    for file in BUNDLED_MODELS.values():
        assert file.stat().st_size <= 3 * 2**20
        assert read_model(file).description.network.family == "c4_unet"
