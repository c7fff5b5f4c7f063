"""What a background says of itself as text takes the same background away again."""

from __future__ import annotations

import runpy
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_bgremove.cli import main
from napari_bgremove.engine.spectrum_scripts import background_as_command, background_as_python
from napari_bgremove.spectra.backgrounds import METHODS, separate_background
from napari_bgremove.spectra.ends import Anchor, Endpoint, Window

AXIS = -40 + 0.1 * np.arange(201)
PEAK = 400 * np.exp(-np.log(2) * ((AXIS + 30) / 1.2) ** 2) + 50 + 30 / (1 + np.exp(AXIS + 30))
PEAK = np.round(PEAK + np.random.default_rng(0).normal(0, 3, AXIS.size), 2)
# The edges are samples themselves, so that a lost digit loses a sample.
WINDOWS = Window(AXIS[3], AXIS[33]), Window(AXIS[170], AXIS[197])
ENDS = {
    "anchors": (Anchor(WINDOWS[0]), Anchor(WINDOWS[1])),
    "offsets": (Anchor(WINDOWS[0], -1.25), Anchor(WINDOWS[1], 2, min_points=3)),
    "points": (Endpoint(-37.5), Endpoint(-22.0, 48.125)),
    "both": (Endpoint(-37.5, 81.0), Anchor(WINDOWS[1], min_points=2)),
}
CHOICES: list[tuple[str, dict[str, Any]]] = [
    ("direct", {}),
    ("direct", {"sigma": "poisson"}),
    ("iterate", {"tolerance": 1e-5, "max_sweeps": 40, "sigma": None}),
    ("lorentzian", {"centre": -30.0, "half_width": None, "window": "infinite"}),
    ("snip", {"max_half_window": 30, "decreasing": False}),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a peak.csv"
    path.write_text("".join(f"{x!r},{y!r}\n" for x, y in zip(AXIS.tolist(), PEAK.tolist(), strict=True)))
    return path


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], np.ndarray]:
    """Run a command line and return the table it says it writes."""

    def run(line: str) -> np.ndarray:
        words = shlex.split(line)
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit, match="0"):
            main()
        _, *rows = (row for row in Path(words[-1]).read_text().splitlines() if not row.startswith("#"))
        return np.array([row.split(",") for row in rows])

    return run


def _load(file: Path) -> str:
    reading = f"(spectrum,) = read_spectra({str(file)!r})"
    return (
        f"from napari_bgremove.io.spectra import read_spectra\n{reading}\n"
        "axis, measured = spectrum.axis, spectrum.intensity\n"
    )


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize(("method", "parameters"), CHOICES)
def test_the_command_takes_the_same_background_away(
    run_command: Any, file: Path, method: str, parameters: dict[str, Any], ends: Any
) -> None:
    out = str(file.parent / "net.csv")
    table = run_command(background_as_command(str(file), method=method, ends=ends, parameters=parameters, out=out))
    expected = separate_background(AXIS, PEAK, method=method, ends=ends, **parameters)
    assert_array_equal(table[:, 2].astype(float), expected.background)
    known = np.full(AXIS.size, np.nan) if expected.uncertainty is None else expected.uncertainty
    assert_array_equal(table[:, 4].astype(float), known)


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize(("method", "parameters"), CHOICES)
def test_the_python_takes_the_same_background_away(
    file: Path, method: str, parameters: dict[str, Any], ends: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    script = file.with_suffix(".py")
    script.write_text(background_as_python(_load(file), method=method, ends=ends, parameters=parameters))
    made = runpy.run_path(str(script))
    expected = separate_background(AXIS, PEAK, method=method, ends=ends, **parameters)
    assert_array_equal(made["background"], expected.background)
    assert_array_equal(made["net"], expected.signal)
    assert capsys.readouterr().out


def test_a_method_without_ends_has_none(run_command: Any, file: Path) -> None:
    assert "ends" not in background_as_python("", method="arpls", ends=None)
    table = run_command(background_as_command(str(file), method="arpls", ends=None, out=str(file.parent / "net.csv")))
    assert_array_equal(table[:, 2].astype(float), separate_background(AXIS, PEAK, method="arpls").background)


def test_what_is_the_default_is_left_out() -> None:
    defaults = dict(METHODS["iterate"].parameters)
    line = background_as_command("a.csv", method="iterate", ends=ENDS["points"], parameters=defaults)
    ends = "--endpoint -37.5 --endpoint -22.0=48.125"
    assert line == f"bgremove shirley a.csv {ends} --method iterate --sigma none --out net.csv"
    assert "sigma" not in background_as_python("", method="iterate", ends=ENDS["points"], parameters=defaults)


def test_the_spectra_of_an_image_are_named(run_command: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.stack([[PEAK, 2 * PEAK], [3 * PEAK, 4 * PEAK]]).swapaxes(-1, -2))
    np.save(tmp_path / "usable.npy", np.broadcast_to(AXIS < -20.5, (2, 201)).T)
    source = {"along": "columns", "axis": (-40.0, 0.1), "frame": 1, "dataset": None}
    source["valid_mask"] = str(tmp_path / "usable.npy")
    out = str(tmp_path / "net.csv")
    ends = (Anchor(Window(-39, -36)), Anchor(Window(-24, -21)))
    file = str(tmp_path / "image.npy")
    table = run_command(background_as_command(file, method="direct", ends=ends, source=source, out=out))
    expected = separate_background(AXIS, np.stack([3 * PEAK, 4 * PEAK]), method="direct", ends=ends)
    np.testing.assert_allclose(table[:, 2].astype(float), expected.net_area, rtol=1e-6)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"parameters": {"sigma": np.ones(3)}}, "'sigma' must be the name of a rule to be written as text"),
        ({"ends": (Endpoint(1, 2, 0.5), Endpoint(3))}, "'ends' must have levels without an error"),
        ({"ends": (Endpoint(1), Anchor(Window(3, 4), 1.0))}, "'ends' must be two anchors for an offset"),
        ({"source": {"row": 3}}, "'source' must name options of the command .*; found 'row'"),
    ],
)
def test_what_a_command_cannot_say_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        background_as_command("a.csv", **{"method": "direct", "ends": ENDS["points"], **changes})
