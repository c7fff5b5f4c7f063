"""What a line profile says of itself as text reads the same profile again."""

from __future__ import annotations

import runpy
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_bgremove.cli import main
from napari_bgremove.engine.line_profile_scripts import (
    PROFILE_DEFAULTS,
    line_profile_as_command,
    line_profile_as_python,
    rectangle_profile_as_python,
)
from napari_bgremove.images.axis_calibration import LinearAxis
from napari_bgremove.images.line_profiles import extract_profile, extract_rectangle_profile

IMAGE = np.random.default_rng(0).poisson(50, (30, 40)).astype(np.float32)
HOW: dict[str, Any] = {"width": 4.5, "reduce": "sum", "order": 3, "scale": np.array([2.0, 0.5]), "samples": 33}
DEFAULTS = {name: value for name, value in PROFILE_DEFAULTS.items() if name != "side"}
AXIS = LinearAxis(-43.0, 0.05, "kinetic energy", "eV")
FINE = LinearAxis(8979.0, 1e-5, "photon energy", "")
LINES = [[(3.25, 4.125), (20, 35)], [(3, 4), (25.5, 20), (10.0, 35.75)], np.array([(1, 2), (3, 30)], np.float32)]
CORNERS = [(2.5, 3.5), (2.5, 33.5), (12.5, 33.5), (12.5, 3.5)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.save(tmp_path / "a stack.npy", np.stack([IMAGE, 2 * IMAGE]))
    return tmp_path / "a stack.npy"


def _load(file: Path) -> str:
    return f"from napari_bgremove import read_image\nimage = read_image({str(file)!r}, frame=1)"


@pytest.fixture
def run_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], np.ndarray]:
    """Run a script and return the numbers it prints."""

    def run(code: str) -> np.ndarray:
        (tmp_path / "script.py").write_text(code)
        runpy.run_path(str(tmp_path / "script.py"))
        return np.array([line.split() for line in capsys.readouterr().out.splitlines()], float)

    return run


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, np.ndarray]]:
    """Run a command line and return the names and the numbers of the file it says it writes."""

    def run(line: str) -> tuple[str, np.ndarray]:
        words = shlex.split(line)
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit, match="0"):
            main()
        header, *rows = (row for row in Path(words[-1]).read_text().splitlines() if not row.startswith("#"))
        return header, np.array([row.split(",") for row in rows], float)

    return run


@pytest.mark.parametrize("path", LINES)
@pytest.mark.parametrize(("how", "axis"), [(HOW, AXIS), (DEFAULTS, None), ({"order": None}, FINE)])
def test_the_command_reads_the_same_profile(
    run_command: Any, file: Path, path: Any, how: dict[str, Any], axis: LinearAxis | None
) -> None:
    out = str(file.parent / "p.csv")
    header, table = run_command(line_profile_as_command(str(file), path, how, axis=axis, frame=1, out=out))
    expected = extract_profile(2 * IMAGE, path, **how)
    np.testing.assert_allclose(table[:, 0], (axis or LinearAxis()).to_values(expected.position), rtol=1e-14)
    np.testing.assert_allclose(table[:, 1], expected.values)
    assert header.startswith("position," if axis is None else axis.name)


def test_a_mask_is_in_the_command(run_command: Any, file: Path) -> None:
    np.save(file.parent / "usable.npy", IMAGE > 45)
    mask, out = str(file.parent / "usable.npy"), str(file.parent / "p.csv")
    _, table = run_command(
        line_profile_as_command(str(file), LINES[0], {"width": 9}, frame=0, valid_mask=mask, out=out)
    )
    expected = extract_profile(IMAGE, LINES[0], width=9, valid_mask=IMAGE > 45)
    np.testing.assert_array_equal(table[:, 3], expected.count)
    assert expected.count.max() < 9


@pytest.mark.parametrize("path", LINES)
@pytest.mark.parametrize(("how", "axis"), [(HOW, AXIS), ({}, None)])
def test_the_python_of_a_line_reads_the_same_profile(
    run_python: Any, file: Path, path: Any, how: dict[str, Any], axis: Any
) -> None:
    table = run_python(line_profile_as_python(_load(file), path, how, axis=axis))
    expected = extract_profile(2 * IMAGE, path, **how)
    columns = [(axis or LinearAxis()).to_values(expected.position), expected.values, expected.sigma]
    np.testing.assert_array_equal(table, np.transpose(columns))


def test_the_python_of_a_rectangle_reads_the_same_profile(run_python: Any, file: Path) -> None:
    table = run_python(rectangle_profile_as_python(_load(file), CORNERS, {"side": 1, "reduce": "sum"}))
    expected = extract_rectangle_profile(2 * IMAGE, CORNERS, side=1, reduce="sum")
    np.testing.assert_array_equal(table, np.transpose([expected.position, expected.values, expected.sigma]))


def test_a_rectangle_is_a_line_of_its_width() -> None:
    """As the command has no rectangle: from the first to the last point of the profile."""
    rectangle = extract_rectangle_profile(IMAGE, CORNERS)
    line = extract_profile(IMAGE, rectangle.points[[0, -1]], width=10, samples=len(rectangle.position))
    np.testing.assert_allclose(line.values, rectangle.values)
    np.testing.assert_allclose(line.position + 0.5, rectangle.position)
