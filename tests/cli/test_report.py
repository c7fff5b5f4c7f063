from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from napari_bgremove.cli import main
from napari_bgremove.learning.model_file import ModelDescription, write_model
from napari_bgremove.learning.networks import NetworkSpec, build_network


def test_the_card_is_a_page_tables_and_pictures_that_agree(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An untrained network on the real set: bad figures, but the same ones everywhere."""
    network = build_network(NetworkSpec(fields=(1, 1, 1, 1), latents=2), seed=3)
    write_model(tmp_path / "model.safetensors", network, ModelDescription(network=network.spec))
    arguments = ["report", "--data", shared_data, "--model", tmp_path / "model.safetensors", "--out", tmp_path / "card"]
    arguments += ["--hits", "sr90", "--level", 10, "--no-harm", "--variants", "--json", tmp_path / "card.json"]
    monkeypatch.setattr(sys, "argv", ["bgremove", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0
    document = json.loads((tmp_path / "card.json").read_text())
    (card,) = document["cards"]
    ours = next(level for level in card["levels"] if level["method"].endswith("/model"))
    page = (tmp_path / "card" / "report-card.md").read_text()
    assert f"| {ours['psnr_db']:.1f} | {ours['gain_db']:+.2f} |" in page
    lines = list(csv.DictReader((tmp_path / "card" / "report-card-sr90.csv").read_text().splitlines()))
    assert len(lines) == len(card["patches"])
    assert {line["source"] for line in lines} == {"gimap", "sasview", "nipa", "lunus", "galaxi", "cspad"}
    for name in ("examples", "gains"):
        assert (tmp_path / "card" / f"report-card-{name}.png").read_bytes().startswith(b"\x89PNG")
    varied = {level["method"]: level for level in document["variants"]["levels"] if level["level_kev"] == 10}
    assert set(varied) == {"literal", "median merge", "mean merge", "one grid", "bfloat16"}
    assert f"| literal | {varied['literal']['psnr_db']:.2f} |" in page
    assert "Conserving against literal normalisation, the same weights:" in page
