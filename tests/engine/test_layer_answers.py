"""Letters about hidden layers: what comes back is what the functions give, and data are read once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from napari_bgremove.engine import layer_answers
from napari_bgremove.engine.layer_models import read_any_model
from napari_bgremove.engine.layer_removal import predict_removal
from napari_bgremove.engine.layer_report import describe_layers, inspect_layers
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.removal_job import job_of
from napari_bgremove.engine.removal_judge import RemovalJudge
from napari_bgremove.engine.server import _Answers
from napari_bgremove.io.bundled import BUNDLED_MODEL

JUDGE = {"generator": "spikes"}


def _ask(answers: _Answers, kind: str, **values: Any) -> Any:
    reply = answers.answer(Letter(7, kind, values))
    assert reply.number == 7
    return json.loads(json.dumps(reply.values)) | {"kind": reply.kind}


def test_layers_are_told_as_the_function_tells_of_them(denoiser_file: Path) -> None:
    answers = _Answers()
    for model, file in ((str(denoiser_file), denoiser_file), (None, BUNDLED_MODEL)):
        reply = _ask(answers, "inspect_layers", model=model)
        assert reply["layers"] == describe_layers(inspect_layers(file))


def test_a_removal_is_predicted_and_then_written(
    denoiser_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read_any_model(denoiser_file)
    judge = RemovalJudge(job_of(model, **JUDGE), model)
    expected = predict_removal(model, share=0.5, rule="energy", judge=judge).as_record()
    made = []
    monkeypatch.setattr(layer_answers, "RemovalJudge", lambda *given: made.append(given) or judge)
    answers, question = _Answers(), {"model": str(denoiser_file), "rule": "energy", "judge": JUDGE}
    for share in (0.5, 0.9):
        reply = _ask(answers, "predict_removal", share=share, **question)
        assert reply["kind"] == "predict_removal"
        assert (reply == {**expected, "kind": "predict_removal"}) == (share == 0.5)
    out = tmp_path / "small.safetensors"
    reply = _ask(answers, "remove_units", share=0.5, out=str(out), **question)
    assert reply["path"] == str(out)
    assert reply["measured"]["loss"] == pytest.approx(expected["validation"]["predicted"]["loss"], rel=1e-4)
    assert len(reply["seconds"]) == 2
    assert sum(read_any_model(out).network.spec.hidden) == sum(stay for stay, _ in expected["units"].values())
    assert len(made) == 1  # its data are read once for all three


def test_sizes_alone_need_no_data_but_a_file_is_not_written_without(denoiser_file: Path, tmp_path: Path) -> None:
    answers, question = _Answers(), {"model": str(denoiser_file), "share": 0.5, "rule": "relative", "judge": None}
    reply = _ask(answers, "predict_removal", **question)
    assert reply["validation"] == {"whole": {}, "predicted": {}, "data": ""}
    assert reply["bytes"][1] < reply["bytes"][0]
    out = tmp_path / "small.safetensors"
    reply = _ask(answers, "remove_units", out=str(out), **question)
    assert reply["kind"] == "failed"
    assert "'judge' must say what the error of the smaller model is measured on" in reply["message"]
    reply = _ask(answers, "remove_units", out=str(denoiser_file), **question)
    assert "exists already" in reply["message"]
    assert not out.exists()


def test_a_model_that_was_written_anew_is_read_anew(denoiser_file: Path, tmp_path: Path) -> None:
    answers, file = _Answers(), tmp_path / "copy.safetensors"
    file.write_bytes(denoiser_file.read_bytes())
    question = {"model": str(file), "share": 0.5, "rule": "energy", "judge": None}
    assert "units" in _ask(answers, "predict_removal", **question)
    file.write_text("no model any more")
    reply = _ask(answers, "predict_removal", **question)
    assert (reply["kind"], reply["error"]) == ("failed", "ModelFileError")
