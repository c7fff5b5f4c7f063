"""Laws of `bgremove shirley`: the files hold what the functions say, and nothing where no background exists."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.io.provenance import parse_provenance
from napari_bgremove.io.results import is_result, read_provenance, write_image
from napari_bgremove.io.spectra import read_spectra
from napari_bgremove.io.spectrum_formats import maps
from napari_bgremove.spectra.backgrounds import METHODS, separate_background
from napari_bgremove.spectra.curve import CODES, STATUSES
from napari_bgremove.spectra.ends import Anchor, Endpoint, Window
from napari_bgremove.spectra.shirley import separate_shirley

AXIS = np.round(np.linspace(-40, -20, 201), 1)
ENDS = (Anchor(Window(-39, -36)), Anchor(Window(-24, -21)))
ANCHORS = ["--anchor", -39, -36, "--anchor", -24, -21]
# Round, so that every format brings them back exactly.
PEAK = np.round(400 * np.exp(-np.log(2) * ((AXIS + 30) / 1.2) ** 2) + 50 + 30 / (1 + np.exp(AXIS + 30)))
PEAK = PEAK + np.random.default_rng(0).integers(-3, 4, AXIS.size)
STEP = np.round(50 + 30 / (1 + np.exp(AXIS + 30)), 2)
IMAGE = np.round(PEAK * np.linspace(0.5, 2, 7)[:, None])
TABLE = ["energy", "measured", "background", "net", "sigma"]


def _write(path: Path, measured: np.ndarray = PEAK, axis: np.ndarray = AXIS, *, head: str = "E_kin,counts") -> Path:
    path.write_text(
        head + "\n" + "".join(f"{x!r},{y!r}\n" for x, y in zip(axis.tolist(), measured.tolist(), strict=True))
    )
    return path


def _read(path: Path) -> tuple[dict[str, list[str]], dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    record = parse_provenance("\n".join(line[2:] for line in lines if line.startswith("#")))
    assert record is not None
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)), record


def _numbers(column: list[str]) -> np.ndarray:
    return np.array(column, float)


@pytest.fixture
def spectrum(tmp_path: Path) -> Path:
    """One peak above a step, with energies below zero."""
    return _write(tmp_path / "peak.csv")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Seven rows with a peak each."""
    return write_image(tmp_path / "rows.tif", IMAGE, provenance={"unit": "counts"})


def _figures(path: Path) -> dict[str, Any]:
    (figures,) = json.loads(path.read_text())["spectra"]
    return figures  # type: ignore[no-any-return]


def test_the_table_holds_the_background_and_the_figures_are_said(bgremove: Any, spectrum: Path) -> None:
    out, figures = spectrum.parent / "new" / "net.csv", spectrum.parent / "net.json"
    called = bgremove("shirley", spectrum, *ANCHORS, "--out", out, "--json", figures)
    assert called.code == 0, called.err
    expected = separate_shirley(AXIS, PEAK, ends=ENDS, sigma="scatter")
    table, record = _read(out)
    assert list(table) == TABLE
    curves = [AXIS, expected.measured, expected.background, expected.signal, expected.uncertainty]
    for name, curve in zip(TABLE, curves, strict=True):
        assert_array_equal(_numbers(table[name]), curve)
    assert (record["file"], record["method"], record["sigma"]) == (str(spectrum), "shirley", "scatter")
    said = _figures(figures)
    assert said["status"] == "ok"
    for name in ("net_area", "sigma_area", "kappa", "sigma_kappa"):
        assert said[name] == getattr(expected, name)
    assert [said["level_low"], said["level_high"]] == expected.end_levels.tolist()
    assert said["files"] == {"table": str(out)}
    lines = called.out.splitlines()
    assert lines[0] == f"peak: {expected.sentence}"
    low, high = zip(expected.end_levels, expected.sigma_end_levels, strict=True)
    assert lines[1] == (
        f"  kappa {expected.kappa:.6g} ± {expected.sigma_kappa:.2g}, net area {expected.net_area:.6g} ± "
        f"{expected.sigma_area:.2g}, end levels {low[0]:.6g} ± {low[1]:.2g} and {high[0]:.6g} ± {high[1]:.2g}"
    )
    assert lines[2].split() == ["table", str(out)]


def test_a_falling_axis_has_the_same_area(bgremove: Any, spectrum: Path) -> None:
    falling = _write(spectrum.parent / "falling.csv", PEAK[::-1], AXIS[::-1])
    areas = []
    for file in (spectrum, falling):
        options = ["--out", file.with_suffix(".out.csv"), "--json", file.with_suffix(".json")]
        assert bgremove("shirley", file, *ANCHORS, *options).code == 0
        areas.append(_figures(file.with_suffix(".json"))["net_area"])
    assert areas[0] == areas[1] > 0
    table, _ = _read(falling.with_suffix(".out.csv"))
    assert_array_equal(_numbers(table["energy"]), AXIS[::-1])


def test_where_no_background_exists_the_reason_is_said_and_no_table_written(bgremove: Any, tmp_path: Path) -> None:
    file = _write(tmp_path / "step.csv", STEP)
    files = ["--out", tmp_path / "a.csv", "--json", tmp_path / "a.json", "--figure", tmp_path / "a.png"]
    called = bgremove("shirley", file, *ANCHORS, *files)
    assert (called.code, called.out) == (3, "")
    assert called.err.startswith("step: No Shirley background exists between -36 and -24, because ")
    said = _figures(tmp_path / "a.json")
    assert (said["status"], said["kappa"], said["net_area"], said["files"]) == ("no_solution", None, None, {})
    assert not (tmp_path / "a.csv").exists()
    assert not (tmp_path / "a.png").exists()


def test_an_iteration_that_does_not_settle_is_no_background(bgremove: Any, spectrum: Path) -> None:
    sweeps = ["--method", "iterate", "--param", "max_sweeps", 1]
    called = bgremove("shirley", spectrum, *ANCHORS, *sweeps, "--out", spectrum.parent / "a.csv")
    assert called.code == 3
    assert "The iteration did not settle: after 1 sweeps" in called.err


PARAMETERS: dict[str, dict[str, Any]] = {
    "iterate": {"tolerance": 1e-6, "max_sweeps": 50},
    "lorentzian": {"centre": -30.0, "half_width": 1.5, "window": "infinite"},
    "pseudo_voigt": {"lorentzian_share": 0.25, "centre": -30.5},
    "tougaard_u2": {"gap": 0.5, "strength": 700.0},
    "snip": {"max_half_window": 30, "decreasing": False},
    "arpls": {"lam": 1e4},
    "modpoly": {"poly_order": 1},
}


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_takes_its_parameters(bgremove: Any, spectrum: Path, method: str) -> None:
    out, given = spectrum.parent / "net.csv", PARAMETERS.get(method, {})
    options = [word for name, value in given.items() for word in ("--param", name, str(value))]
    called = bgremove("shirley", spectrum, *ANCHORS, "--method", method, *options, "--sigma", "none", "--out", out)
    assert called.code == 0, called.err
    expected = separate_background(AXIS, PEAK, method=method, ends=ENDS, **given)
    table, _ = _read(out)
    assert_array_equal(_numbers(table["background"]), expected.background)
    assert np.isnan(_numbers(table["sigma"])).all()
    assert "net area " in called.out
    assert ("end levels " in called.out) == METHODS[method].needs_ends


def test_a_baseline_needs_no_ends(bgremove: Any, spectrum: Path) -> None:
    out = spectrum.parent / "net.csv"
    called = bgremove("shirley", spectrum, "--method", "arpls", "--out", out)
    assert called.code == 0, called.err
    assert_array_equal(_numbers(_read(out)[0]["net"]), separate_background(AXIS, PEAK, method="arpls").signal)


def test_ends_can_be_points_and_have_offsets(bgremove: Any, spectrum: Path) -> None:
    out = spectrum.parent / "net.csv"
    for options, ends in [
        (["--endpoint", -38, "--endpoint", "-22.5=48.25"], (Endpoint(-38), Endpoint(-22.5, 48.25))),
        (["--anchor", -36, -39, "--endpoint", "-22"], (ENDS[0], Endpoint(-22))),
        ([*ANCHORS, "--offset", -1.5, 2], (Anchor(ENDS[0].window, -1.5), Anchor(ENDS[1].window, 2))),
        (
            ["--anchor", -39, -38.9, "--anchor", -21.1, -21, "--min-points", 2],
            (Anchor(Window(-39, -38.9), min_points=2), Anchor(Window(-21.1, -21), min_points=2)),
        ),
    ]:
        called = bgremove("shirley", spectrum, *options, "--out", out)
        assert called.code == 0, called.err
        assert_array_equal(_numbers(_read(out)[0]["background"]), separate_shirley(AXIS, PEAK, ends=ends).background)


@pytest.mark.parametrize("rule", ["poisson", "scatter"])
def test_standard_errors_follow_the_rule(bgremove: Any, spectrum: Path, rule: str) -> None:
    figures = spectrum.parent / "net.json"
    files = ["--out", spectrum.parent / "net.csv", "--json", figures]
    assert bgremove("shirley", spectrum, *ANCHORS, "--sigma", rule, *files).code == 0
    expected = separate_shirley(AXIS, PEAK, ends=ENDS, sigma=rule)  # type: ignore[arg-type]
    assert _figures(figures)["sigma_area"] == expected.sigma_area


SIGMAS = np.round(np.sqrt(PEAK) * np.linspace(0.5, 2, PEAK.size), 3)


def _write_with_errors(path: Path, sigmas: np.ndarray, *, name: str = "sigma") -> Path:
    rows = zip(AXIS.tolist(), PEAK.tolist(), sigmas.tolist(), (2 * PEAK).tolist(), strict=True)
    path.write_text(f"E_kin,counts,{name},other\n" + "".join(f"{x!r},{y!r},{s!r},{z!r}\n" for x, y, s, z in rows))
    return path


@pytest.mark.parametrize(
    ("options", "sigma"),
    [
        ([], SIGMAS),
        (["--sigma", "column"], SIGMAS),
        (["--sigma", "scatter"], "scatter"),
        (["--sigma", "none"], None),
        (["--sigma", "poisson"], "poisson"),
    ],
)
@pytest.mark.parametrize("method", ["direct", "iterate"])
def test_a_column_of_standard_errors_is_used_unless_it_is_declined(
    bgremove: Any, tmp_path: Path, method: str, options: list[object], sigma: Any
) -> None:
    file = _write_with_errors(tmp_path / "peak.csv", SIGMAS)
    files = ["--out", tmp_path / "net.csv", "--json", tmp_path / "net.json"]
    called = bgremove("shirley", file, *ANCHORS, "--method", method, *options, *files)
    assert called.code == 0, called.err
    expected = separate_shirley(AXIS, PEAK, ends=ENDS, sigma=sigma, method=method)  # type: ignore[arg-type]
    if sigma is None:
        assert _figures(tmp_path / "net.json")["sigma_area"] is None
    else:
        assert _figures(tmp_path / "net.json")["sigma_area"] == expected.sigma_area
    table, record = _read(tmp_path / "net.csv")
    curve = expected.uncertainty if sigma is not None else np.full(AXIS.size, np.nan)
    assert_array_equal(_numbers(table["sigma"]), curve)
    assert record["sigma"] == ("given" if sigma is SIGMAS else sigma or "none")
    assert ("the column 'sigma'; to ignore it: --sigma scatter" in called.out) == (options == [])


def test_errors_of_something_else_are_not_taken_for_those_of_the_samples(bgremove: Any, tmp_path: Path) -> None:
    """Those of a background in a table that was written here, of another column, or known in part."""
    scatter = separate_shirley(AXIS, PEAK, ends=ENDS, sigma="scatter").sigma_area
    file = _write_with_errors(tmp_path / "peak.csv", SIGMAS)
    files = ["--out", tmp_path / "net.csv", "--json", tmp_path / "net.json"]
    assert bgremove("shirley", file, *ANCHORS, "--column", "other", *files).code == 0
    assert _figures(tmp_path / "net.json")["sigma_area"] == pytest.approx(2 * scatter)
    assert bgremove("shirley", file, *ANCHORS, *files).code == 0
    again = ["--out", tmp_path / "again.csv", "--json", tmp_path / "again.json"]
    assert bgremove("shirley", tmp_path / "net.csv", *ANCHORS, *again).code == 0
    assert _figures(tmp_path / "again.json")["sigma_area"] == scatter
    part = _write_with_errors(tmp_path / "part.csv", np.where(AXIS < -25, SIGMAS, np.nan))
    called = bgremove("shirley", part, *ANCHORS, *again)
    assert "  the column 'sigma' is left aside: it is not known at 51 samples" in called.out.splitlines()
    assert _figures(tmp_path / "again.json")["sigma_area"] == scatter
    called = bgremove("shirley", part, *ANCHORS, "--sigma", "column", *again)
    assert called.code == 1
    assert "bgremove: 'sigma' must be finite and zero or above at every usable sample; found nan." in called.err


def test_points_with_a_column_of_errors_have_them_too(bgremove: Any, tmp_path: Path) -> None:
    file = _write_with_errors(tmp_path / "peak.csv", SIGMAS)
    files = ["--out", tmp_path / "net.csv", "--json", tmp_path / "net.json"]
    assert bgremove("shirley", file, "--endpoint", -38, "--endpoint", -22, *files).code == 0
    expected = separate_shirley(AXIS, PEAK, ends=(Endpoint(-38), Endpoint(-22)), sigma=SIGMAS)
    assert _figures(tmp_path / "net.json")["sigma_area"] == expected.sigma_area


def test_another_column_can_be_taken(bgremove: Any, tmp_path: Path) -> None:
    rows = "".join(f"{x!r},{y!r},{2 * y!r}\n" for x, y in zip(AXIS.tolist(), PEAK.tolist(), strict=True))
    (tmp_path / "two.csv").write_text("E_kin,first,second\n" + rows)
    called = bgremove("shirley", tmp_path / "two.csv", *ANCHORS, "--column", "second", "--out", tmp_path / "net.csv")
    assert called.code == 0, called.err
    assert_array_equal(_numbers(_read(tmp_path / "net.csv")[0]["measured"]), 2 * PEAK)


def test_a_profile_of_an_image_is_a_spectrum(bgremove: Any, image: Path) -> None:
    """What `bgremove profile` writes is read here: the row of an image, by way of a line along it."""
    line, axis = image.parent / "line.csv", ["--axis-at", 0, -40, "--axis-at", 200, -20]
    assert bgremove("profile", image, "--line", 3, 0, 3, 200, *axis, "--out", line).code == 0
    called = bgremove("shirley", line, *ANCHORS, "--out", image.parent / "net.csv", "--json", image.parent / "net.json")
    assert called.code == 0, called.err
    expected = separate_shirley(AXIS, IMAGE[3], ends=ENDS)
    assert_allclose(_figures(image.parent / "net.json")["net_area"], expected.net_area, rtol=1e-9)


@pytest.mark.parametrize("along", ["rows", "columns"])
def test_every_row_or_column_of_an_image_is_a_spectrum(bgremove: Any, tmp_path: Path, along: str) -> None:
    values = IMAGE.copy()
    values[2] = np.round(STEP)
    placed = values.T if along == "columns" else values
    write_image(tmp_path / "image.tif", placed, provenance={"unit": "counts"})
    out = tmp_path / "net.csv"
    options = ["--axis", -40, 0.1, *([] if along == "rows" else ["--along", along])]
    called = bgremove("shirley", tmp_path / "image.tif", *ANCHORS, *options, "--out", out)
    assert called.code == 0, called.err
    expected = separate_shirley(-40 + 0.1 * np.arange(201), values, ends=ENDS, sigma="scatter")
    table, record = _read(out)
    assert_array_equal(_numbers(table["row" if along == "rows" else "column"]), np.arange(7))
    assert table["status"] == list(expected.status)
    assert table["status"].count("no_solution") == 1
    for name in ("net_area", "sigma_area", "kappa"):
        assert_array_equal(_numbers(table[name]), getattr(expected, name))
    assert (record["axis"]["first"], record["axis"]["unit"], record["unit"]) == (-40, "eV", "counts")
    for name in ("signal", "background", "uncertainty"):
        written = tifffile.imread(tmp_path / f"net-{name}.tif")
        curves = getattr(expected, name).astype(np.float32)
        assert_array_equal(written, curves.T if along == "columns" else curves)
        assert is_result(tmp_path / f"net-{name}.tif")
    status = tifffile.imread(tmp_path / "net-status.tif")
    assert (status.shape, status.dtype) == (placed.shape, np.uint8)
    assert_array_equal((status.T if along == "columns" else status)[:, 0], expected.status_code)
    assert read_provenance(tmp_path / "net-status.tif")["codes"] == CODES == dict(zip(STATUSES, range(7), strict=True))
    assert "Of 7 spectra: 6 solved; 1 without a Shirley background" in called.out


def test_an_image_without_a_background_is_exit_code_three(bgremove: Any, tmp_path: Path) -> None:
    write_image(tmp_path / "steps.tif", np.tile(STEP, (3, 1)), provenance={})
    options = ["--axis", -40, 0.1, "--out", tmp_path / "net.csv", "--json", tmp_path / "net.json"]
    called = bgremove("shirley", tmp_path / "steps.tif", *ANCHORS, *options)
    assert (called.code, called.out) == (3, "")
    assert "steps: Of 3 spectra: 3 without a Shirley background" in called.err
    assert _figures(tmp_path / "net.json")["counts"] == {"no_solution": 3}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "steps.tif"]


def test_pixels_that_are_not_usable_are_left_out(bgremove: Any, image: Path) -> None:
    usable = np.ones(IMAGE.shape, bool)
    usable[3, 100:110] = False
    np.save(image.parent / "usable.npy", usable)
    options = ["--axis", -40, 0.1, "--valid-mask", image.parent / "usable.npy", "--out", image.parent / "net.csv"]
    called = bgremove("shirley", image, *ANCHORS, *options)
    assert called.code == 0, called.err
    expected = separate_shirley(-40 + 0.1 * np.arange(201), IMAGE, ends=ENDS, valid_mask=usable)
    assert_array_equal(_numbers(_read(image.parent / "net.csv")[0]["net_area"]), expected.net_area)
    assert np.isnan(tifffile.imread(image.parent / "net-signal.tif")[3, 100:110]).all()


@pytest.mark.parametrize("marks", [["--gap", 60000], ["--saturation", 50000]])
def test_marked_pixels_are_left_out(bgremove: Any, image: Path, marks: list[object]) -> None:
    values = IMAGE.copy()
    values[3, 95:105] = 60000
    write_image(image, values, provenance={})
    called = bgremove("shirley", image, *ANCHORS, "--axis", -40, 0.1, *marks, "--out", image.parent / "net.csv")
    assert called.code == 0, called.err
    values[3, 95:105] = np.nan
    expected = separate_shirley(-40 + 0.1 * np.arange(201), values, ends=ENDS)
    assert_array_equal(_numbers(_read(image.parent / "net.csv")[0]["net_area"]), expected.net_area)


def test_the_axis_can_be_named(bgremove: Any, spectrum: Path, image: Path) -> None:
    names = ["--axis-name", "photon energy", "--axis-unit", "keV", "--out", image.parent / "net.csv"]
    assert bgremove("shirley", spectrum, *ANCHORS, *names).code == 0
    (written,) = read_spectra(image.parent / "net.csv")
    assert (written.axis_name, written.axis_unit) == ("photon energy", "keV")
    assert bgremove("shirley", image, *ANCHORS, "--axis", -40, 0.1, *names).code == 0
    axis = _read(image.parent / "net.csv")[1]["axis"]
    assert (axis["name"], axis["unit"]) == ("photon energy", "keV")


def test_an_image_without_energies_is_counted_in_samples(bgremove: Any, image: Path) -> None:
    out = image.parent / "net.csv"
    called = bgremove("shirley", image, "--anchor", 10, 40, "--anchor", 160, 190, "--out", out)
    assert called.code == 0, called.err
    expected = separate_shirley(np.arange(201), IMAGE, ends=(Anchor(Window(10, 40)), Anchor(Window(160, 190))))
    table, record = _read(out)
    assert_array_equal(_numbers(table["net_area"]), expected.net_area)
    assert record["axis"] == {"name": "pixel", "unit": "px", "first": 0, "last": 200, "samples": 201}


def test_a_frame_of_a_stack_is_chosen_or_all_are_taken(bgremove: Any, image: Path) -> None:
    stack = write_image(image.parent / "stack.tif", np.stack([IMAGE, 2 * IMAGE]), provenance={})
    out = image.parent / "net.csv"
    axis = ["--axis", -40, 0.1, "--sigma", "none", "--out", out]
    expected = separate_shirley(-40 + 0.1 * np.arange(201), np.stack([IMAGE, 2 * IMAGE]), ends=ENDS)
    assert bgremove("shirley", stack, *ANCHORS, *axis).code == 0
    table, _ = _read(out)
    assert table["frame"] == ["0"] * 7 + ["1"] * 7
    assert_allclose(_numbers(table["net_area"]), expected.net_area.ravel(), rtol=1e-12)
    assert tifffile.imread(image.parent / "net-status.tif").shape == (2, 7)
    assert tifffile.imread(image.parent / "net-signal.tif").shape == (2, 7, 201)
    assert bgremove("shirley", stack, *ANCHORS, *axis, "--frame", 1).code == 0
    assert_allclose(_numbers(_read(out)[0]["net_area"]), expected.net_area[1], rtol=1e-12)
    called = bgremove("shirley", stack, *ANCHORS, *axis, "--frame", 2)
    assert called.code == 1
    assert "'stack.tif' must have the frame asked for; found 2 frames, asked for 2." in called.err


def test_a_map_becomes_images_and_a_table(bgremove: Any, tmp_path: Path) -> None:
    cube = np.stack([IMAGE, IMAGE + 5, 3 * IMAGE])
    with h5py.File(tmp_path / "map.h5", "w") as file:
        file["energy"] = AXIS
        file["counts"] = np.moveaxis(cube, -1, 0)
        file["energy"].attrs["units"] = "eV"
        file["counts"].dims[0].attach_scale(file["energy"])
        file["other"] = np.zeros((4, 4))
    files = ["--out", tmp_path / "net.csv", "--format", "hdf5", "--json", tmp_path / "net.json"]
    called = bgremove("shirley", tmp_path / "map.h5", *ANCHORS, *files, "--figure", tmp_path / "net.png")
    assert called.code == 0, called.err
    assert "the dataset '/counts' (201 x 3 x 7) was chosen" in called.out
    expected = separate_shirley(AXIS, cube, ends=ENDS, sigma="scatter")
    table, _ = _read(tmp_path / "net.csv")
    assert_array_equal(_numbers(table["y"]), np.repeat(np.arange(3), 7))
    assert_array_equal(_numbers(table["x"]), np.tile(np.arange(7), 3))
    assert_allclose(_numbers(table["net_area"]), expected.net_area.ravel(), rtol=1e-12)
    with h5py.File(tmp_path / "net-signal.h5") as file:
        assert_allclose(file["entry/data/data"][()], expected.signal.astype(np.float32), rtol=1e-5, atol=1e-5)
    with h5py.File(tmp_path / "net-status.h5") as file:
        assert_array_equal(file["entry/data/data"][()], expected.status_code)
    figures = _figures(tmp_path / "net.json")
    assert figures["counts"] == {"ok": 21}
    assert figures["median_net_area"] == pytest.approx(np.median(expected.net_area), rel=1e-12)
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")
    with h5py.File(tmp_path / "bare.h5", "w") as file:
        file["counts"], file["axes/e"] = IMAGE, AXIS
    for axis in (["--axis-dataset", "axes/e"], ["--axis", -40, 0.1], ["--along", "rows", "--axis", -40, 0.1]):
        called = bgremove("shirley", tmp_path / "bare.h5", *ANCHORS, *axis, "--out", tmp_path / "bare.csv")
        assert called.code == 0, called.err
        areas = separate_shirley(AXIS, IMAGE, ends=ENDS).net_area
        assert_allclose(_numbers(_read(tmp_path / "bare.csv")[0]["net_area"]), areas, rtol=1e-9)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many numbers each reading of an HDF5 dataset asked for, with blocks of two rows of a small map."""
    sizes: list[int] = []
    read = h5py.Dataset.__getitem__

    def count(self: h5py.Dataset, place: Any, **keywords: Any) -> Any:
        found = read(self, place, **keywords)
        sizes.append(np.size(found))
        return found

    monkeypatch.setattr(h5py.Dataset, "__getitem__", count)
    monkeypatch.setattr(maps, "_BLOCK_BYTES", 2 * 7 * 201 * 8)
    return sizes


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_map_is_never_asked_for_as_a_whole(bgremove: Any, tmp_path: Path, asked: list[int], place: int) -> None:
    cube = IMAGE * np.linspace(0.5, 2, 5)[:, None, None]
    cube[3, 2] = np.round(STEP)
    with h5py.File(tmp_path / "map.h5", "w") as file:
        file["energy"] = AXIS
        file["counts"] = np.moveaxis(cube, -1, place)
    files = ["--out", tmp_path / "net.csv", "--json", tmp_path / "net.json"]
    called = bgremove("shirley", tmp_path / "map.h5", *ANCHORS, "--axis-dataset", "energy", *files)
    assert called.code == 0, called.err
    assert max(asked) <= 2 * 7 * 201
    assert cube.size <= sum(asked) <= 1.1 * cube.size + 10 * AXIS.size  # each number once; the axis more often
    expected = separate_shirley(AXIS, cube, ends=ENDS, sigma="scatter")
    table, record = _read(tmp_path / "net.csv")
    assert table["status"] == expected.status.ravel().tolist()
    for name in ("net_area", "sigma_area"):
        assert_allclose(_numbers(table[name]), getattr(expected, name).ravel(), rtol=1e-9)
    assert record["axis"]["samples"] == 201
    for name in ("signal", "background", "uncertainty"):
        image = tifffile.imread(tmp_path / f"net-{name}.tif")
        assert_allclose(image, getattr(expected, name), rtol=1e-6, atol=1e-4)
        assert read_provenance(tmp_path / f"net-{name}.tif")["field"] == name
    assert_array_equal(tifffile.imread(tmp_path / "net-status.tif"), expected.status_code)
    assert _figures(tmp_path / "net.json")["counts"] == {"no_solution": 1, "ok": 34}
    assert f"map: {expected.sentence}" in called.out


def test_a_map_without_any_background_leaves_no_file(bgremove: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "map.h5", "w") as file:
        file["counts"] = np.round(STEP) * np.ones((3, 2, 1))
    called = bgremove("shirley", tmp_path / "map.h5", *ANCHORS, "--axis", -40, 0.1, "--out", tmp_path / "net.csv")
    assert called.code == 3
    assert "Of 6 spectra: 6 without a Shirley background" in called.err
    assert [path.name for path in tmp_path.iterdir()] == ["map.h5"]


def test_a_map_that_does_not_fit_the_anchors_is_one_sentence_and_no_file(bgremove: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "map.h5", "w") as file:
        file["counts"] = np.stack([IMAGE, IMAGE])
    called = bgremove("shirley", tmp_path / "map.h5", *ANCHORS, "--out", tmp_path / "net.csv")
    assert called.code == 1
    assert called.err.splitlines()[-1].startswith("bgremove: 'window' must lie on the axis, 0 to 200; found -39 to -36")
    assert [path.name for path in tmp_path.iterdir()] == ["map.h5"]


def test_another_method_on_an_image_says_how_many(bgremove: Any, image: Path) -> None:
    values = IMAGE.copy()
    values[4] = np.nan
    write_image(image, values, provenance={})
    options = ["--axis", -40, 0.1, "--method", "linear", "--out", image.parent / "net.csv"]
    called = bgremove("shirley", image, *ANCHORS, *options, "--figure", image.parent / "net.png")
    assert called.code == 0, called.err
    table, _ = _read(image.parent / "net.csv")
    assert table["status"] == ["ok"] * 4 + ["no_solution"] + ["ok"] * 2
    assert "Of 7 spectra: 6 have a Linear background; the others have none, the first because: " in called.out
    status = tifffile.imread(image.parent / "net-status.tif")
    assert_array_equal(status[:, 0], np.where(np.arange(7) == 4, CODES["no_solution"], CODES["ok"]))


def test_the_picture_is_drawn_where_asked(bgremove: Any, spectrum: Path) -> None:
    files = ["--out", spectrum.parent / "net.csv", "--figure", spectrum.parent / "net.png"]
    assert bgremove("shirley", spectrum, *ANCHORS, *files).code == 0
    assert (spectrum.parent / "net.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ([], 2, "Error: The background needs two ends; found 0. Give --anchor LO HI two times (or --endpoint). Try"),
        ([*ANCHORS, "--anchor", 1, 2], 2, "Error: The background needs two ends; found 3."),
        (["--anchor", -39, -36, "--anchor", 4, 5], 1, "bgremove: 'window' must lie on the axis, -40 to -20; found 4"),
        (["--anchor", -39, -30, "--anchor", -31, -22], 1, "bgremove: 'ends' must not overlap"),
        (["--anchor", -39, -38.9, "--anchor", -24, -21], 1, "bgremove: 'window' -39 to -38.9 must hold at least 5"),
        (["--anchor", "nan", -36, "--anchor", -24, -21], 1, "bgremove: 'window' must be two finite positions"),
        (["--endpoint", "a"], 2, "Error: Invalid value for '--endpoint': 'a' must be a position, or position=level"),
        (["--endpoint", "1=2=3"], 2, "Error: Invalid value for '--endpoint': '1=2=3' must be a position, or"),
        (["--endpoint", -39, "--endpoint", -21, "--offset", 1, 1], 2, "Error: --offset is for two anchors; found 0."),
        ([*ANCHORS, "--param", "lam", 1], 2, "Error: --param: the method direct has no parameters; found 'lam'."),
        (
            [*ANCHORS, "--method", "snip", "--param", "max_half_window", "wide"], 2,
            "Error: --param max_half_window must be a number; found 'wide'.",
        ),
        (
            [*ANCHORS, "--method", "iterate", "--param", "max_sweeps", 1.5], 2,
            "Error: --param max_sweeps must be a whole number; found '1.5'.",
        ),
        ([*ANCHORS, "--method", "lorentzian", "--param", "window", "x"], 1, "bgremove: 'window' must be one of "),
        ([*ANCHORS, "--method", "lorentzian", "--sigma", "poisson"], 2, "Error: --sigma poisson is for the methods"),
        (
            [*ANCHORS, "--sigma", "column"], 1,
            "bgremove: 'peak' must have the column 'sigma' for --sigma column; found no others. Name the column so",
        ),
        ([*ANCHORS, "--method", "linear", "--sigma", "column"], 2, "Error: --sigma column is for the methods direct"),
        (["--endpoint", -39, "--endpoint", -21, "--sigma", "scatter"], 1, "bgremove: 'sigma' can be 'scatter' only"),
        ([*ANCHORS, "--axis", 0, 1], 1, "bgremove: 'peak.csv' is no HDF5 file and has no axis to choose"),
        ([*ANCHORS, "--frame", 0], 2, "Error: --frame is for images; 'peak.csv' is read as spectra"),
        ([*ANCHORS, "--gap", 0], 2, "Error: --gap is for images; 'peak.csv' is read as spectra"),
        ([*ANCHORS, "--spectrum", "Fe 2p"], 1, "bgremove: 'peak.csv' must hold the spectrum 'Fe 2p'; found 'peak'."),
        ([*ANCHORS, "--column", "x"], 1, "bgremove: 'peak.csv' must have the column 'x' beside 'counts'; found no o"),
    ],
)  # fmt: skip
def test_what_makes_no_background_is_one_sentence_and_no_file(
    bgremove: Any, spectrum: Path, options: list[object], code: int, sentence: str
) -> None:
    called = bgremove("shirley", spectrum, *options, "--out", spectrum.parent / "net.csv")
    assert (called.code, called.out) == (code, "")
    (said,) = called.err.splitlines()
    assert said.startswith(sentence)
    assert not (spectrum.parent / "net.csv").exists()


def test_what_is_for_spectra_is_refused_for_images(bgremove: Any, image: Path) -> None:
    called = bgremove("shirley", image, *ANCHORS, "--spectrum", "a", "--out", image.parent / "net.csv")
    assert called.code == 2
    assert "--spectrum is for spectra; 'rows.tif' is read as an image" in called.err


def test_files_that_cannot_be_read_are_one_sentence(bgremove: Any, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("1,2\n2,3\n3,many\n4,5\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    for name in ("missing.csv", "words.csv", "picture.png", "missing.tif"):
        called = bgremove("shirley", tmp_path / name, *ANCHORS, "--out", tmp_path / "net.csv")
        assert (called.code, called.out) == (1, "")
        (said,) = called.err.splitlines()
        assert said.startswith(f"bgremove: '{name}'")


def test_an_input_is_never_overwritten(bgremove: Any, spectrum: Path, image: Path) -> None:
    before = spectrum.read_bytes()
    assert "would overwrite the input 'peak.csv'" in bgremove("shirley", spectrum, *ANCHORS, "--out", spectrum).err
    assert spectrum.read_bytes() == before
    net = image.rename(image.with_name("net-signal.tif"))
    called = bgremove("shirley", net, *ANCHORS, "--axis", -40, 0.1, "--out", image.parent / "net.csv")
    assert "would overwrite the input 'net-signal.tif'" in called.err


# Real data.


@pytest.mark.parametrize(
    "anchors", [["--anchor", -19.5, -19, "--anchor", -15, -14.5], ["--anchor", -36, -35, "--anchor", -28, -27]]
)
def test_every_row_of_the_adress_image_has_a_background(
    bgremove: Any, shared_data: Path, tmp_path: Path, anchors: list[object]
) -> None:
    file = shared_data / "xps" / "arpescape_011_XPS_sAl_350.h5"
    called = bgremove("shirley", file, *anchors, "--out", tmp_path / "net.csv", "--json", tmp_path / "net.json")
    assert called.code == 0, called.err
    assert "Of 391 spectra: 391 solved." in called.out
    assert _figures(tmp_path / "net.json")["counts"] == {"ok": 391}
    assert tifffile.imread(tmp_path / "net-background.tif").shape == (391, 721)


def test_the_wide_oxygen_window_has_no_background_and_the_narrow_one_has(
    bgremove: Any, shared_data: Path, tmp_path: Path
) -> None:
    file = shared_data / "xps" / "lg4x_111216_0459_O1s.csv"
    out = ["--out", tmp_path / "net.csv"]
    called = bgremove("shirley", file, "--anchor", 521, 522, "--anchor", 545, 546, *out)
    assert (called.code, called.out) == (3, "")
    assert "No Shirley background exists between 522 and 545, because" in called.err
    assert list(tmp_path.iterdir()) == []
    called = bgremove("shirley", file, "--anchor", 526.5, 527.5, "--anchor", 536, 537, *out)
    assert called.code == 0, called.err
    assert (tmp_path / "net.csv").exists()


def test_a_table_of_gold_is_read_back_as_it_was_written(bgremove: Any, shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "xps" / "lmfitxps_clean_Au_4f.csv"
    called = bgremove("shirley", file, "--anchor", 84, 85.5, "--anchor", 95, 96, "--out", tmp_path / "net.csv")
    assert called.code == 0, called.err
    (before,), (after,) = read_spectra(file), read_spectra(tmp_path / "net.csv")
    assert (after.label, after.axis_name, after.axis_unit) == (before.label, "kinetic energy", "eV")
    assert_array_equal(after.axis, before.axis)
    assert_allclose(after.columns["background"] + after.columns["net"], before.intensity)


def test_every_block_of_a_vamas_file_becomes_a_table_or_says_why_not(
    bgremove: Any, shared_data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("vamas")
    file = shared_data / "xps" / "lg4x_0-150W.vms"
    anchors = ["--anchor", 1190, 1192, "--anchor", 1214, 1216]  # inside C 1s and the survey
    called = bgremove("shirley", file, *anchors, "--out", tmp_path / "net.csv", "--json", tmp_path / "net.json")
    assert called.code == 0, called.err
    spectra = {one["spectrum"]: one for one in json.loads((tmp_path / "net.json").read_text())["spectra"]}
    assert set(spectra) == {one.label for one in read_spectra(file)}
    assert spectra["Ni-W - O 1s"]["status"] == "refused"
    assert "Ni-W - O 1s: 'window' must lie on the axis" in called.err
    assert Path(spectra["Ni-W - C 1s"]["files"]["table"]).name == "net-Ni-W_-_C_1s.csv"
    assert {path.name for path in tmp_path.glob("*.csv")} == {
        Path(one["files"]["table"]).name for one in spectra.values() if one["files"]
    }
    single = ["--spectrum", "Ni-W - C 1s", "--out", tmp_path / "one.csv"]
    assert bgremove("shirley", file, *anchors, *single).code == 0
    one, many = (_read(tmp_path / name)[0] for name in ("one.csv", "net-Ni-W_-_C_1s.csv"))
    assert one == many
