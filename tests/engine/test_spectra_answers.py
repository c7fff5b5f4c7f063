"""Letters about sets of spectra: what comes back is what the functions give, and torch is only there for networks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.server import _Answers
from napari_bgremove.engine.spectra_calibration import RAW, calibrate_cleaned, clean_set
from napari_bgremove.engine.spectra_separation import SpectraMethod, separate_set
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.evaluation.calibration_tables import tabulate_calibrations
from napari_bgremove.learning import model_file
from napari_bgremove.spectra.spectra_set import SpectraSet

MARK = (333.0, 337.0)

WITHOUT_TORCH = """
import sys
class Blocked:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("blocked")
sys.meta_path.insert(0, Blocked)
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.server import _Answers
values = {"source": {"paths": [sys.argv[1]]}, "how": {"method": "snip"}, "out": sys.argv[2], "rows": [0, 9]}
reply = _Answers().answer(Letter(1, "separate_spectra", values))
assert reply.kind == "separate_spectra", reply.values
"""


@pytest.fixture
def source(spectra_file: Path) -> SpectraSource:
    return SpectraSource(paths=(str(spectra_file),), signal_bands=(MARK,))


def ask(answers: _Answers, kind: str, source: SpectraSource, **values: Any) -> Letter:
    reply = answers.answer(Letter(3, kind, {"source": source.model_dump(mode="json"), "read_at": 1.0, **values}))
    assert reply.kind == kind, reply.values
    return reply


def test_the_parts_of_a_set_are_those_of_separate_set(
    source: SpectraSource, spectra_set: SpectraSet, tmp_path: Path
) -> None:
    how = SpectraMethod(method="arpls", parameters={"lam": 1e4})
    reply = ask(_Answers(), "separate_spectra", source, how=how.model_dump(), out=str(tmp_path), rows=[0, 32])
    marked = source.find_signal_channels(spectra_set)
    assert marked.any()
    expected = separate_set(spectra_set, how, signal_channels=marked)
    for name in ("signal", "background"):
        assert_array_equal(np.load(reply.values["files"][name]), getattr(expected, name))
    assert reply.values["record"]["method"] == "arpls"


def test_blocks_of_rows_are_the_whole_and_others_have_their_turn_between(
    source: SpectraSource, spectra_set: SpectraSet, spectra_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []
    load = model_file.read_spectra_model
    monkeypatch.setattr(model_file, "read_spectra_model", lambda path: (loads.append(path), load(path))[1])
    answers, how = _Answers(), SpectraMethod(model=str(spectra_model), device="cpu")
    for first, stop in ((0, 3), (3, 20), (20, 64)):
        reply = ask(answers, "separate_spectra", source, how=how.model_dump(), out=str(tmp_path), rows=[first, stop])
        assert reply.values["count"] == 32
        ask(answers, "devices", source)
    assert len(loads) == 1, "a model is read once for all blocks"
    expected = separate_set(spectra_set, how, signal_channels=source.find_signal_channels(spectra_set))
    for name in ("signal", "background"):
        assert_allclose(np.load(reply.values["files"][name]), getattr(expected, name), rtol=1e-4, atol=1e-4)
    ask(answers, "separate_spectra", source, how=how.model_dump(), out=str(tmp_path), rows=[0, 1])
    assert len(loads) == 3, "separate_set read it, and so does another cleaning: it may have been trained on"


def test_rows_whose_folder_is_gone_are_a_sentence(source: SpectraSource, tmp_path: Path) -> None:
    values = {"source": source.model_dump(), "how": {"method": "snip"}, "out": str(tmp_path / "gone"), "rows": [2, 4]}
    reply = _Answers().answer(Letter(1, "separate_spectra", values))
    assert (reply.kind, reply.values["error"]) == ("failed", "FileNotFoundError")


def test_a_network_is_one_of_the_methods(
    source: SpectraSource, spectra_set: SpectraSet, spectra_model: Path, tmp_path: Path
) -> None:
    how = SpectraMethod(model=str(spectra_model), output="synthesis", device="cpu")
    reply = ask(_Answers(), "separate_spectra", source, how=how.model_dump(), out=str(tmp_path), rows=[0, 32])
    expected = separate_set(spectra_set, how, signal_channels=source.find_signal_channels(spectra_set))
    assert_allclose(np.load(reply.values["files"]["signal"]), expected.signal, rtol=1e-5)


def test_the_calibration_is_that_of_the_same_representations(
    source: SpectraSource, spectra_set: SpectraSet, tmp_path: Path
) -> None:
    snip, arpls = SpectraMethod(method="snip"), SpectraMethod(method="arpls")
    marked = source.find_signal_channels(spectra_set)
    signal = tmp_path / "signal.npy"
    np.save(signal, np.asarray(clean_set(spectra_set, snip, signal_channels=marked).spectra))
    cleanings = {"snip": {"how": snip.model_dump(), "signal": str(signal)}, "arpls": {"how": arpls.model_dump()}}
    reply = ask(_Answers(), "calibrate_spectra", source, cleanings=cleanings)
    sets = {name: clean_set(spectra_set, how, signal_channels=marked) for name, how in
            (("snip", snip), ("arpls", arpls))}  # fmt: skip
    found = calibrate_cleaned({RAW: spectra_set, **sets})
    table = tabulate_calibrations(found, reference=RAW)
    assert reply.values["table"]["representation"] == [RAW, "snip", "arpls"]
    assert_allclose(reply.values["table"]["rmse_nested"], table["rmse_nested"])
    for row, name in enumerate((RAW, "snip", "arpls")):
        assert_allclose(reply.arrays[f"points {row}"], np.stack(found[name].points(0)))


def test_a_set_is_read_once_until_the_viewer_has_read_it_anew(
    source: SpectraSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    read = SpectraSource.read
    monkeypatch.setattr(SpectraSource, "read", lambda self: (reads.append(self), read(self))[1])
    answers, how = _Answers(), SpectraMethod(method="snip").model_dump()
    for change in ({}, {"signal_bands": ()}):
        ask(answers, "separate_spectra", source.model_copy(update=change), how=how, out=str(tmp_path), rows=[0, 32])
    assert len(reads) == 1
    ask(answers, "separate_spectra", source, how=how, out=str(tmp_path), rows=[0, 32], read_at=2.0)
    ask(answers, "separate_spectra", source.model_copy(update={"leave_out": ((300, 305),)}), how=how,
        out=str(tmp_path), rows=[0, 32], read_at=2.0)  # fmt: skip
    assert len(reads) == 3


def test_a_set_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    values = {"source": {"paths": [str(tmp_path / "none.npz")]}, "how": {}, "out": str(tmp_path), "rows": [0, 9]}
    reply = _Answers().answer(Letter(1, "separate_spectra", values))
    assert reply.kind == "failed"
    assert "none.npz" in reply.values["message"]


def test_classical_cleaning_needs_no_torch(spectra_file: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH, str(spectra_file), str(tmp_path)], check=True, timeout=120)
    assert (tmp_path / "signal.npy").exists()
