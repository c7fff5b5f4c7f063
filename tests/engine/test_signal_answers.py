"""Letters about noisy signals: what comes back is what the functions give, and torch is only there for networks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.server import _Answers
from napari_bgremove.engine.signal_denoising import DenoisingMethod, denoise
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.learning import model_file
from napari_bgremove.synthetic.signals import make_spectra

MEASURED = make_spectra(0, 5).measured

WITHOUT_TORCH = """
import sys
class Blocked:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("blocked")
sys.meta_path.insert(0, Blocked)
import numpy as np
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.server import _Answers
rows = {"measured": np.random.default_rng(0).normal(size=(3, 64))}
reply = _Answers().answer(Letter(1, "denoise_block", {"how": {"method": "tv"}}, rows))
assert reply.kind == "denoise_block", reply.values
"""


def ask(answers: _Answers, kind: str, how: DenoisingMethod, arrays: dict[str, Any], **values: Any) -> Letter:
    reply = answers.answer(Letter(3, kind, {"how": how.model_dump(mode="json"), **values}, arrays))
    assert reply.kind == kind, reply.values
    return reply


def network(file: Path) -> DenoisingMethod:
    return DenoisingMethod(model=str(file), device="cpu", threads=1)


def test_a_block_is_what_denoise_gives() -> None:
    how = DenoisingMethod(method="gmc", parameters={"gamma": 0.5})
    reply = ask(_Answers(), "denoise_block", how, {"measured": MEASURED})
    expected = denoise(MEASURED, how)
    assert_allclose(reply.arrays["denoised"], expected.signal, rtol=1e-5, atol=1e-6)
    assert_array_equal(reply.arrays["sigma"], estimate_sigma(MEASURED))
    assert reply.values["record"]["found"]["weight"] == expected.provenance["found"]["weight"]


def test_of_a_block_without_anything_usable_every_row_is_nan_and_counted() -> None:
    reply = ask(_Answers(), "denoise_block", DenoisingMethod(), {"measured": np.full((4, 64), np.nan)})
    assert np.isnan(reply.arrays["denoised"]).all()
    assert reply.arrays["sigma"].shape == (4,)
    assert reply.values["record"]["without_result"]["count"] == 4


def test_a_network_answers_in_both_modes_for_signals_of_any_length(denoiser_file: Path) -> None:
    how, few = network(denoiser_file), {"0": MEASURED[0], "1": MEASURED[1, :57]}
    reply = ask(_Answers(), "denoise_signals", how, few, norms=["fixed", "signal"])
    assert set(reply.arrays) == {"0 fixed", "1 fixed", "0 signal", "1 signal"}
    for name, signal in reply.arrays.items():
        place, norm = name.split()
        expected = denoise(few[place], how.model_copy(update={"norm": norm}))
        assert_array_equal(signal, expected.signal)
        assert reply.values["records"][name]["norm"] == norm
        assert reply.values["records"][name]["batch_size"] == 16


def test_a_signal_that_is_too_short_is_refused_beside_one_that_is_not(denoiser_file: Path) -> None:
    few = {"0": MEASURED[0, :9], "1": MEASURED[1]}
    reply = ask(_Answers(), "denoise_signals", network(denoiser_file), few, norms=["fixed"])
    assert set(reply.arrays) == {"1 fixed"}
    assert "16 samples or more" in reply.values["refusals"]["0 fixed"]


def test_a_model_is_read_once_for_each_mode_and_again_when_its_file_has_changed(
    denoiser_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, original = [], model_file.read_signal_model

    def counted(file: str) -> Any:
        read.append(file)
        return original(file)

    monkeypatch.setattr(model_file, "read_signal_model", counted)
    answers, few = _Answers(), {"0": MEASURED[0]}
    for _ in range(3):
        ask(answers, "denoise_signals", network(denoiser_file), few, norms=["fixed", "signal"])
    assert len(read) == 2
    os.utime(denoiser_file, ns=(1, 1))
    ask(answers, "denoise_signals", network(denoiser_file), few, norms=["fixed", "signal"])
    assert len(read) == 4


def test_a_file_that_is_no_such_model_is_a_failure_in_a_sentence(tmp_path: Path) -> None:
    values = {"how": network(tmp_path / "none.safetensors").model_dump(mode="json"), "norms": ["fixed"]}
    reply = _Answers().answer(Letter(1, "denoise_signals", values, {"0": MEASURED[0]}))
    assert reply.kind == "failed"
    assert "none.safetensors' cannot be read" in reply.values["message"]


def test_filters_do_without_torch() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
