"""Tables come back exactly as they were written, with their record, or were never there."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.io.columns import write_columns
from napari_bgremove.io.provenance import parse_provenance

RNG = np.random.default_rng(5)
AWKWARD = np.array([0.1, 1 / 3, -1e-300, 1.7976931348623157e308, 5e-324, 0.0, -0.0])


def _record(path: Path) -> object:
    lines = [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    return parse_provenance("\n".join(lines))


def _table(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8")
    return list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))


@pytest.mark.parametrize("dtype", ["f8", ">f8", "f4", "f2", "i4", "u2", ">i2"])
def test_numbers_come_back_exactly(tmp_path: Path, dtype: str) -> None:
    values = (RNG.normal(0, 100, 50) if "f" in dtype else RNG.integers(0, 30000, 50)).astype(dtype)
    path = write_columns(tmp_path / "a.csv", {"energy": np.arange(50.0), "value": values}, provenance={})
    read = np.loadtxt(path, delimiter=",", skiprows=len(path.read_text().splitlines()) - 50)
    np.testing.assert_array_equal(read[:, 1].astype(dtype), values)


def test_the_extremes_of_a_double_come_back_exactly(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "a.csv", {"x": AWKWARD}, provenance={})
    read = np.array([float(row[0]) for row in _table(path)[1:]])
    assert read.tobytes() == AWKWARD.tobytes()


def test_what_is_not_measured_stays_nan_and_a_flag_is_a_number(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "a.csv", {"x": [1.0, np.nan], "ok": [True, False]}, provenance={})
    assert _table(path) == [["x", "ok"], ["1.0", "1"], ["nan", "0"]]


def test_names_and_texts_are_quoted_where_they_need_it(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "a.csv", {"E, eV": [1], "status": ['no "root", sorry']}, provenance={})
    assert _table(path) == [["E, eV", "status"], ["1", 'no "root", sorry']]


def test_the_record_stands_above_the_table(tmp_path: Path) -> None:
    record = {"method": "shirley", "inputs": ["Au 4f µ.csv"], "kappa": np.float64(0.3), "bad": np.nan, "n": [1, 2]}
    path = write_columns(tmp_path / "new" / "ä.csv", {"x": [1.0]}, provenance=record)
    assert _record(path) == record | {"kappa": 0.3, "bad": None}
    comments = [line.startswith("#") for line in path.read_text(encoding="utf-8").splitlines()]
    assert comments == sorted(comments, reverse=True)  # none below the names of the columns


def test_a_record_with_line_breaks_cannot_leave_its_comment(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "a.csv", {"x": [1.0]}, provenance={"note": "a\nb\r\nc\u2028d"})
    assert _table(path) == [["x"], ["1.0"]]
    assert _record(path) == {"note": "a\nb\r\nc\u2028d"}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "'columns' must name at least one column; found none."),
        ({"x": [1, 2], "y": [1]}, r"'y' must be as long as 'x' \(2 values\); found 1."),
        ({"x": [[1, 2]]}, r"'x' must be one column of values; found 2 axes \(1 x 2\)."),
        ({"x": 3.0}, r"'x' must be one column of values; found 0 axes \(a single number\)."),
        ({"x": [1j]}, "'x' must hold real numbers or texts; found dtype complex128."),
    ],
)
def test_what_is_no_table_is_refused_and_the_old_file_stays(
    tmp_path: Path, columns: dict[str, object], message: str
) -> None:
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(ValueError, match=message):
        write_columns(tmp_path / "a.csv", columns, provenance={})
    assert (tmp_path / "a.csv").read_text() == "old"
