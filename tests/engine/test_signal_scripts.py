"""What a denoising says of itself as text denoises the same again."""

from __future__ import annotations

import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_bgremove.cli import main
from napari_bgremove.engine.signal_denoising import DenoisingMethod, denoise
from napari_bgremove.engine.signal_scripts import denoising_as_command, denoising_as_python
from napari_bgremove.synthetic.signals import make_spectra

MEASURED = make_spectra(0, 1).measured[0]
CHOICES: list[dict[str, Any]] = [
    {"method": "tv"},
    {"method": "tv", "parameters": {"weight": 0.1 + 0.2}},
    {"method": "gmc", "parameters": {"domain": "direct", "gamma": 0.8, "weight": None}},
    {"method": "wiener", "parameters": {"window": 7, "sigma": 1.25, "pad": "zero"}},
    {"model": "denoiser.safetensors", "device": "cpu"},
    {"model": "denoiser.safetensors", "norm": "signal", "device": "cpu", "threads": 1},
]


@pytest.fixture
def how(request: pytest.FixtureRequest, denoiser_file: Path, monkeypatch: pytest.MonkeyPatch) -> DenoisingMethod:
    monkeypatch.chdir(denoiser_file.parent)
    np.savetxt("a spectrum.csv", np.column_stack([np.arange(MEASURED.size), MEASURED]), fmt="%.17g", delimiter=",")
    return DenoisingMethod(**request.param)


@pytest.mark.parametrize("how", CHOICES, indirect=True)
def test_the_command_denoises_the_same(how: DenoisingMethod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", shlex.split(denoising_as_command("a spectrum.csv", how, out="out.csv")))
    with pytest.raises(SystemExit, match="0"):
        main()
    _, *rows = (row for row in Path("out.csv").read_text().splitlines() if not row.startswith("#"))
    denoised = np.array([row.split(",")[2] for row in rows], float)
    assert_array_equal(denoised, denoise(MEASURED, how).signal)


@pytest.mark.parametrize("how", CHOICES, indirect=True)
def test_the_script_denoises_the_same(how: DenoisingMethod) -> None:
    load = "import numpy as np\nmeasured = np.loadtxt('a spectrum.csv', delimiter=',')[:, 1]\n"
    Path("script.py").write_text(denoising_as_python(load, how))
    made = runpy.run_path("script.py")
    expected = denoise(MEASURED, how)
    assert_array_equal(made["denoised"], expected.signal)
    assert_array_equal(made["noise"], expected.background)


def test_defaults_are_left_out_and_the_place_in_a_file_is_named() -> None:
    how = DenoisingMethod(method="gmc", parameters={"domain": "fourier", "weight": None, "gamma": 0.5})
    line = denoising_as_command("map.h5", how, source={"dataset": "counts", "axis": (80.0, 0.1), "frame": None})
    assert line == (
        "bgremove signals denoise map.h5 --dataset counts --axis 80.0 0.1 --method gmc --param gamma 0.5 "
        "--out denoised.csv"
    )
    with pytest.raises(ValueError, match="'source' must name options of the command"):
        denoising_as_command("map.h5", how, source={"colour": 3})
