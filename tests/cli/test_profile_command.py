"""Laws of `bgremove profile`: the file holds what the functions say, and how it was made."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_bgremove.images.line_profiles import extract_profile
from napari_bgremove.io.provenance import parse_provenance
from napari_bgremove.io.results import write_image
from napari_bgremove.io.spectra_sets import read_spectra_set

RNG = np.random.default_rng(0)
IMAGE = RNG.poisson(200, (40, 60)).astype(np.float32)
LINE = ["--line", 20, 5, 20, 50]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A frame of 40 x 60 pixels."""
    return write_image(tmp_path / "frame.tif", IMAGE, provenance={"unit": "keV"})


def _read(path: Path) -> tuple[list[str], np.ndarray, dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    record = parse_provenance("\n".join(line[2:] for line in lines if line.startswith("#")))
    assert record is not None
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    return header, np.array(rows, float), record


def test_the_file_holds_the_profile_and_how_it_was_made(bgremove: Any, image: Path) -> None:
    out = image.parent / "new" / "line.csv"
    called = bgremove("profile", image, *LINE, "--width", 7, "--reduce", "sum", "--order", 3, "--out", out)
    assert called.code == 0, called.err
    header, table, record = _read(out)
    expected = extract_profile(IMAGE, [(20, 5), (20, 50)], width=7, reduce="sum", order=3)
    assert header == ["position", "value", "sigma", "count"]
    columns = [expected.position, expected.values, expected.sigma, expected.count]
    np.testing.assert_array_equal(table, np.transpose(columns))
    made = {
        "method": "profile",
        "image": str(image),
        "path": [[20, 5], [20, 50]],
        "width": 7,
        "reduce": "sum",
        "order": 3,
    }
    assert {name: record[name] for name in made} == made
    assert record["value_unit"] == "keV"
    assert called.out == f"frame.tif: 46 points, position 0 to 45 px, over a band of 7 px -> {out}\n"


def test_a_line_with_bends_and_pixels_with_a_size(bgremove: Any, image: Path) -> None:
    points = ["--point", 5, 5, "--point", 30.5, 20, "--point", 10, 50]
    called = bgremove("profile", image, *points, "--scale", 2, 0.5, "--samples", 90, "--out", image.parent / "line.csv")
    assert called.code == 0, called.err
    expected = extract_profile(IMAGE, [(5, 5), (30.5, 20), (10, 50)], scale=(2, 0.5), samples=90)
    table = _read(image.parent / "line.csv")[1]
    np.testing.assert_array_equal(table[:, 0], expected.position)
    np.testing.assert_array_equal(table[:, 1], expected.values)
    assert f"position 0 to {expected.position[-1]:g}, over" in called.out  # whose unit only the person knows


def test_places_outside_the_image_are_left_out_and_said(bgremove: Any, image: Path) -> None:
    called = bgremove("profile", image, "--line", -3.5, 10, 30.5, 10, "--out", image.parent / "line.csv")
    assert called.code == 0, called.err
    table = _read(image.parent / "line.csv")[1]
    assert np.isnan(table[:4, 1:3]).all()
    assert (table[:4, 3] == 0).all()
    assert np.isfinite(table[4:, 1]).all()
    assert ", 4 of them without a usable pixel" in called.out


def test_two_known_positions_make_an_energy(bgremove: Any, image: Path) -> None:
    axis = ["--axis-at", 45, -7.5, "--axis-at", 0, -43]
    called = bgremove("profile", image, *LINE, *axis, "--out", image.parent / "line.csv")
    assert called.code == 0, called.err
    header, table, record = _read(image.parent / "line.csv")
    assert header[0] == "energy"
    np.testing.assert_allclose(table[:, 0], -43 + 35.5 / 45 * np.arange(46))
    assert record["axis"] == {"offset": -43, "slope": pytest.approx(35.5 / 45), "name": "energy", "unit": "eV"}
    assert "energy -43 to -7.5 eV" in called.out
    named = ["--axis-name", "wavelength", "--axis-unit", "Å"]
    assert bgremove("profile", image, *LINE, *axis, *named, "--out", image.parent / "line.csv").code == 0
    header, _, record = _read(image.parent / "line.csv")
    assert (header[0], record["axis"]["unit"]) == ("wavelength", "Å")


@pytest.mark.parametrize("kind", ["mask", "gap", "saturation"])
def test_pixels_that_are_not_usable_are_left_out(bgremove: Any, image: Path, kind: str) -> None:
    holed = IMAGE.copy()
    holed[18:22, 30:35] = 5000
    write_image(image, holed, provenance={})
    np.save(image.parent / "usable.npy", holed != 5000)
    options = {
        "mask": ["--valid-mask", image.parent / "usable.npy"],
        "gap": ["--gap", 5000],
        "saturation": ["--saturation", 4000],
    }
    called = bgremove("profile", image, *LINE, "--width", 5, *options[kind], "--out", image.parent / "line.csv")
    assert called.code == 0, called.err
    table = _read(image.parent / "line.csv")[1]
    expected = extract_profile(np.where(holed == 5000, np.nan, holed), [(20, 5), (20, 50)], width=5)
    np.testing.assert_array_equal(table[:, 1], expected.values)
    assert table[:, 3].min() == 1  # four of five


def test_a_frame_of_a_stack_is_chosen(bgremove: Any, image: Path) -> None:
    stack = write_image(image.parent / "stack.tif", np.stack([IMAGE, 2 * IMAGE, 3 * IMAGE]), provenance={})
    out = image.parent / "line.csv"
    called = bgremove("profile", stack, *LINE, "--out", out)
    sentence = "'stack.tif' must be a single image here; found 3 frames. Choose one: --frame 0 to 2."
    assert (called.code, called.err) == (1, f"bgremove: {sentence}\n")
    assert not out.exists()
    assert bgremove("profile", stack, *LINE, "--frame", 2, "--out", out).code == 0
    np.testing.assert_array_equal(_read(out)[1][:, 1], 3 * IMAGE[20, 5:51])
    assert _read(out)[2]["frame"] == 2
    called = bgremove("profile", stack, *LINE, "--frame", 3, "--out", out)
    assert "'stack.tif' must have the frame asked for; found 3, asked for 3. Count from 0." in called.err


def test_the_figures_and_the_picture_are_written_where_asked(bgremove: Any, image: Path) -> None:
    folder = image.parent
    files = ["--out", folder / "line.csv", "--json", folder / "line.json", "--figure", folder / "line.png"]
    called = bgremove("profile", image, *LINE, "--width", 3, *files)
    assert called.code == 0, called.err
    figures = json.loads((folder / "line.json").read_text())
    expected = {"points": 46, "from": 0, "to": 45, "usable_samples": 138, "empty": 0, "width": 3, "samples": None}
    assert {name: figures[name] for name in expected} == expected
    assert (folder / "line.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ([], 2, "Error: Give either --line R0 C0 R1 C1, or --point ROW COLUMN two times or more. Try"),
        ([*LINE, "--point", 1, 1], 2, "Error: Give either --line R0 C0 R1 C1, or --point ROW COLUMN two times"),
        (["--point", 1, 1], 1, "bgremove: 'path' must lead from one (row, column) to another; found 1 ver"),
        (["--line", 3, 3, 3, 3], 1, "bgremove: 'path' must lead from one (row, column) to another; found 2 vertices"),
        (["--line", 3, 3, 3], 2, "Error: Invalid value for '--line': '--out' is not a valid float."),
        ([*LINE, "--width", 0], 2, "Error: Invalid value for '--width': 0.0 is not in the range x>0."),
        ([*LINE, "--order", 6], 2, "Error: Invalid value for '--order': 6 is not in the range 0<=x<=5."),
        ([*LINE, "--scale", 0, 1], 1, "bgremove: 'scale' must be two finite sizes (row, column), none of th"),
        ([*LINE, "--axis-at", 0, 1], 2, "Error: --axis-at must be given twice, for two positions; found it 1 times."),
        (
            [*LINE, "--axis-at", 3, 1, "--axis-at", 3, 2], 1,
            "bgremove: 'points' must have two different, finite positions; found 3.0 and 3.0.",
        ),
        (
            ["--line", 100, 0, 100, 50], 1,
            "bgremove: '--line' must cross usable pixels of 'frame.tif' (40 x 60, counted from 0 0); found none. Check",
        ),
        (["--line", "nan", 0, 100, 50], 1, "bgremove: 'path' must be finite numbers of pixels; found [nan, 0.0]."),
    ],
)  # fmt: skip
def test_what_makes_no_profile_is_one_sentence_and_no_file(
    bgremove: Any, image: Path, options: list[object], code: int, sentence: str
) -> None:
    called = bgremove("profile", image, *options, "--out", image.parent / "line.csv")
    assert (called.code, called.out) == (code, "")
    (said,) = called.err.splitlines()
    assert said.startswith(sentence)
    assert not (image.parent / "line.csv").exists()


def test_an_input_is_never_overwritten(bgremove: Any, image: Path) -> None:
    before = image.read_bytes()
    called = bgremove("profile", image, *LINE, "--out", image)
    assert called.code == 1
    assert "would overwrite the input 'frame.tif'" in called.err
    called = bgremove("profile", image, *LINE, "--out", image.parent / "a.csv", "--json", image.parent / "a.csv")
    assert "would both be written as 'a.csv'" in called.err
    assert image.read_bytes() == before


def test_a_file_that_is_no_image_is_one_sentence(bgremove: Any, tmp_path: Path) -> None:
    called = bgremove("profile", tmp_path / "missing.tif", *LINE, "--out", tmp_path / "a.csv")
    assert called.code == 1
    assert "missing.tif" in called.err
    assert len(called.err.splitlines()) == 1


def test_the_frames_of_a_stack_become_repeats_of_one_target(bgremove: Any, tmp_path: Path) -> None:
    """Read from high to low energies, they are stored rising, as a set has them."""
    stack = np.random.default_rng(0).poisson(50, (4, 20, 30)).astype(np.float32)
    np.save(tmp_path / "stack.npy", stack)
    known = ["--axis-at", 0, 300, "--axis-at", 29, 242, "--axis-name", "wavelength"]
    called = bgremove(
        "profile", tmp_path / "stack.npy", "--line", 10, 0, 10, 29, "--width", 3, *known, "--target", "steel",
        "--out", tmp_path / "shots.npz",
    )  # fmt: skip
    assert called.code == 0, called.err
    assert "4 spectra of 1 target, 30 channels from 242 to 300 nm" in called.out
    spectra = read_spectra_set(tmp_path / "shots.npz")
    assert spectra.distinct_targets == ("steel",)
    np.testing.assert_allclose(spectra.spectra[:, ::-1], stack[:, 9:12].mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(spectra.axis, 242 + 2 * np.arange(30))


def test_the_table_of_a_profile_is_one_spectrum_of_a_set(bgremove: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.random.default_rng(0).poisson(50, (20, 30)).astype(np.float32))
    bgremove("profile", tmp_path / "image.npy", "--line", 10, 0, 10, 29, "--width", 3, "--out", tmp_path / "line.csv")
    spectra = read_spectra_set(tmp_path / "line.csv")
    assert spectra.spectra.shape == (1, 30), "its standard error and count are no spectra"
