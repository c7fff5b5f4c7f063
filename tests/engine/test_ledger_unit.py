"""The ledger is in keV where the calibration is given, and says counts where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.engine.separate_run import run_separation
from napari_bgremove.io.results import read_provenance, write_image

IMAGE = np.random.default_rng(0).poisson(4, (50, 70)).astype(np.float32)


def _ledger(tmp_path: Path, model_file: Path, *, record: dict[str, Any], **options: Any) -> dict[str, Any]:
    source = write_image(tmp_path / "shot.tif", IMAGE, provenance=record)
    job = SeparateJob(
        inputs=[str(source)], out=str(tmp_path / "out"), model=str(model_file), device="cpu", **options
    )  # fmt: skip
    said: list[str] = []
    (files,) = run_separation(job, emit=lambda event, **v: said.append(v["unit"]) if event == "frame" else None)
    written = read_provenance(files["ledger"])
    assert said == [written["ledger_unit"]]
    return written


@pytest.mark.parametrize(
    ("record", "options", "unit", "kev"),
    [
        ({}, {}, "counts", None),
        ({"unit": "ADU"}, {}, "ADU", None),
        ({"kev_per_unit": 3.6}, {}, "keV", 3.6),  # as one of our own files says
        ({}, {"kev_per_unit": 2.0}, "keV", 2.0),
        ({"kev_per_unit": 3.6}, {"kev_per_unit": 2.0}, "keV", 2.0),  # the person's word counts
    ],
)
def test_the_unit_of_the_ledger(
    tmp_path: Path, model_file: Path, record: dict[str, Any], options: dict[str, Any], unit: str, kev: float | None
) -> None:
    written = _ledger(tmp_path, model_file, record=record, **options)
    assert (written["ledger_unit"], written["provenance"]["kev_per_unit"]) == (unit, kev)
    ledger = written["ledger"]
    assert ledger["measured"] == pytest.approx((kev or 1) * IMAGE.sum(dtype=np.float64))
    assert ledger["measured"] == pytest.approx(ledger["signal"] + ledger["background"] + ledger["residual"])
