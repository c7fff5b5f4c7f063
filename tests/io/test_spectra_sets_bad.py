"""Damaged files of spectra sets: one sentence each, with the line; never a made-up number, never another exception."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectra_sets import read_composition, read_spectra_set, write_spectra_set
from napari_bgremove.spectra.spectra_set import make_spectra_set

CCS = "# SOFTWARE_NAME = CCOPS , , ,\n# wave, shot1, shot2, median, mean\n" + "".join(
    f"{240 + 0.5 * i}, {i}.5, {i + 1}.25, 1.0e+1, 2.0\n" for i in range(6)
)
JSC = (
    "Data from x\n>>>>>Begin Spectral Data<<<<<\n\t\t224.1\t224.2\t224.3\n09:14:34.6\t1447\t1.5\t2\t3\n"
    "09:14:35.6\t1448\t4\t-5\t6\n"
)
COLUMNS = "wavelength,BHVO-2,GSR-3\n240,1,2\n241,3,4\n242,5,6\n"
ROWS = "target,shot,SiO2,240,241,242\nBHVO-2,0,49.9,1,2,3\nBHVO-2,1,49.9,4,5,6\n"
EDR = "".join(f'"header {i}"\n' for i in range(29)) + "".join(f"{600 + i % 7},{601 + i % 5}\n" for i in range(6444))
TEXTS = {"ccs": CCS, "jsc": JSC, "columns": COLUMNS, "rows": ROWS}


def write(folder: Path, text: str, name: str = "bad.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def with_line(text: str, number: int, line: str) -> str:
    lines = text.splitlines()
    lines[number - 1] = line
    return "\n".join(lines) + "\n"


def read_or_refuse(path: Path, *, explained: bool = False) -> None:
    """Read a set, or get a ReadError of one line that names a file; let anything else through."""
    try:
        found = read_spectra_set(path)
    except ReadError as error:
        text = str(error)
        assert "\n" not in text
        assert "'" in text
        assert explained is False or "reading it failed with" not in text
        return
    assert np.isfinite(found.axis).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'bad.csv' must hold a spectrum; found 0 empty lines"),
        ("just words\nand more\n", "'bad.csv' must hold lines of two or more numbers"),
        ("a\x00b", "'bad.csv' must be a text file; found a zero byte at position 1"),
        # ChemCam
        (with_line(CCS, 5, "241.0, 2.5, x, 1, 2"), "'bad.csv', line 5, must hold a number in column 3; found 'x'"),
        (with_line(CCS, 5, "241.0, 2.5, , 1, 2"), "line 5, must hold a number in column 3; found an empty cell"),
        (with_line(CCS, 5, "241.0, 2.5, 1_0, 1, 2"), "line 5, must hold a number in column 3; found '1_0'"),
        (with_line(CCS, 5, "241.0, 2.5"), "'bad.csv', line 5, must have 5 cells like the first line .* found 2"),
        (with_line(CCS, 2, "# wave, shot1, shot2"), "'bad.csv', line 3, must have 3 cells, .* line 2 names; found 5"),
        (with_line(CCS, 5, "240.5, 1, 2, 3, 4"), "line 5, must lie above the channel before it; found 240.5 after"),
        (with_line(CCS, 5, "nan, 1, 2, 3, 4"), "line 5, must state a finite position on the axis; found nan"),
        ("# wave, shot1, shot2, median, mean\n", "must hold spectra below line 1; it ends there"),
        # The testbed
        (with_line(JSC, 4, "09:14\t1\t2\t3"), "'bad.csv', line 4, must have 5 cells .* found 4"),
        (with_line(JSC, 4, "09:14\t1\t2\t3\tx"), "'bad.csv', line 4, must hold a number in column 5; found 'x'"),
        (with_line(JSC, 3, "\t\t224.1\t224.1\t2"), "line 3, column 4, must lie above the channel before it"),
        (
            "\n".join(JSC.splitlines()[:3]),
            "must hold a line of wavelengths and at least one shot below line 2; found 1",
        ),
        # Plain text
        (with_line(COLUMNS, 3, "241,,4"), "'bad.csv', line 3, must hold a number in column 2; found an empty cell"),
        (with_line(COLUMNS, 3, "241,x,4"), "'bad.csv', line 3, must hold numbers like the line above"),
        (COLUMNS + "\n\n# again\n1,2,3\n", "'bad.csv' must hold one table; found 2, the second from line 8 on"),
        (with_line(COLUMNS, 3, "240,1,4"), "line 3, must lie above the channel before it; found 240 after 240"),
        (with_line(ROWS, 3, "BHVO-2,1,49.9,4,x,6"), "'bad.csv', line 3, must hold a number in column 5; found 'x'"),
        (with_line(ROWS, 3, "BHVO-2,1,49.9,4,5"), "'bad.csv', line 3, must have 6 cells .* found 5"),
        (with_line(ROWS, 3, "BHVO-2,one,49.9,4,5,6"), "line 3, must hold a whole number for 'shot'; found 'one'"),
        (with_line(ROWS, 3, "BHVO-2,1,<1,4,5,6"), "line 3, must hold a number for 'SiO2'; found '<1'"),
        (
            with_line(ROWS, 3, "BHVO-2,1,50,4,5,6"),
            r"line 3, must give 'BHVO-2' the value of line 2 for 'SiO2' \(49.9\)",
        ),
        (with_line(ROWS, 1, "target,shot,SiO2,240,241,241"), "line 1, channel 3, must lie above the channel before"),
        (ROWS.splitlines()[0], "'bad.csv' must hold spectra below line 1; it ends there"),
    ],
)
def test_the_line_to_correct_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read_spectra_set(write(tmp_path, text))


def test_raw_shots_need_an_axis(tmp_path: Path) -> None:
    path = write(tmp_path, EDR)
    with pytest.raises(
        ReadError, match=r"'bad.csv' holds raw ChemCam shots, which come without wavelengths; give them"
    ):
        read_spectra_set(path)
    with pytest.raises(ReadError, match=r"'axis' of 'bad.csv' must have 3 x 2048 = 6144 channels; found 6"):
        read_spectra_set(path, axis=np.arange(6))
    assert read_spectra_set(path, axis=np.arange(6144)).n_spectra == 2
    with pytest.raises(ReadError, match="line 100, must hold a number in column 2; found 'x'"):
        read_spectra_set(write(tmp_path, with_line(EDR, 100, "600,x")), axis=np.arange(6144))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("target,SiO2\n", "'c.csv' must hold a line of names .* found 1 lines"),
        ("target,SiO2\nx,50\ny,high\n", "'c.csv', line 3, must hold a number for 'SiO2'; found 'high'"),
        ("target,SiO2\nx,50\ny\n", "'c.csv', line 3, must have 2 cells"),
        ("target,SiO2\nx,50\nx,51\n", r"line 3, must give 'x' the value of line 2 for 'SiO2' \(50\); found 51"),
        ("target,rock\nx,basalt\n", "line 2, must hold numbers behind the name of its target; found 'x,basalt'"),
    ],
)
def test_a_table_of_compositions_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read_composition(write(tmp_path, text, "c.csv"))


def test_a_composition_of_other_targets_is_refused(tmp_path: Path) -> None:
    table = write(tmp_path, "target,SiO2\nx,50\n", "c.csv")
    with pytest.raises(ReadError, match=r"'c.csv' must name a target of the spectra \(BHVO-2, GSR-3\); found x. Use"):
        read_spectra_set(write(tmp_path, COLUMNS), composition=table)


def test_spectrometers_with_different_shots_are_no_recording(tmp_path: Path) -> None:
    write(tmp_path, JSC, "Basalt_UV_01.txt")
    write(tmp_path, "\n".join(JSC.replace("224.", "384.").splitlines()[:4]), "Basalt_VIS_01.txt")
    with pytest.raises(ReadError, match=r"'Basalt_VIS_01.txt' must hold as many shots as 'Basalt_UV_01.txt' .*\(2\)"):
        read_spectra_set(tmp_path)


def test_files_on_different_axes_are_not_joined(tmp_path: Path) -> None:
    write(tmp_path, CCS, "a.csv")
    write(tmp_path, CCS.replace("240.0,", "239.5,"), "b.csv")
    with pytest.raises(ReadError, match=r"'b.csv' must have the axis of 'a.csv' \(6 channels from 240 .* found 6"):
        read_spectra_set(tmp_path)


def test_files_in_different_units_are_not_joined(tmp_path: Path) -> None:
    write(tmp_path, CCS, "a.csv")
    write(tmp_path, "wavelength,x\n" + "".join(f"{240 + 0.5 * i},1\n" for i in range(6)), "b.csv")
    with pytest.raises(ReadError, match="'value_unit' of set 2 must be that of the first"):
        read_spectra_set(tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"'none.csv' must exist; nothing was found"):
        read_spectra_set(tmp_path / "none.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match=r"'empty' must hold files with spectra \(.csv, .*\); found none"):
        read_spectra_set(tmp_path / "empty")
    with pytest.raises(ReadError, match="The list of files must hold files with spectra"):
        read_spectra_set([])
    with pytest.raises(ReadError, match=r"'none.csv' must exist"):
        read_composition(tmp_path / "none.csv")


def test_the_older_netcdf_is_refused_with_the_way_to_convert_it(tmp_path: Path) -> None:
    path = tmp_path / "map.nc"
    path.write_bytes(b"CDF\x01" + bytes(40))
    with pytest.raises(
        ReadError, match=r"'map.nc' must be netCDF-4; found the older format netCDF-3. Convert it: nccopy"
    ):
        read_spectra_set(path)


def test_a_map_without_an_axis_is_refused(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["map"] = np.ones((3, 4, 5))
    with pytest.raises(ReadError, match=r"'m.h5' must name its axis; found an array without one"):
        read_spectra_set(tmp_path / "m.h5")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones((2, 3)), "b": np.ones((2, 3))}, r"must hold one table .* called 'spectra'; found a \(2 x 3\)"),
        ({"spectra": np.ones((2, 3))}, r"must hold an axis of 3 values, called 'axis' or 'wavelength'; found spectra"),
        ({"spectra": np.ones((2, 3)), "x": np.ones(3), "y": np.ones(3)}, "must hold an axis of 3 values"),
        ({"spectra": np.ones((2, 3)), "axis": np.array([1, 1, 2])}, "channel 1, must lie above the channel before it"),
        ({"spectra": np.ones((2, 3), complex), "axis": np.arange(3)}, "must hold real numbers; found complex128"),
        ({"spectra": np.array([[{}]]), "axis": np.arange(1)}, "must hold real numbers; found object"),
    ],
)
def test_arrays_that_are_no_set_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ReadError, match=message):
        read_spectra_set(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["spectra", "targets", "shots", "axis"])
def test_a_set_of_ours_that_was_altered_is_refused(tmp_path: Path, name: str) -> None:
    path = write_spectra_set(tmp_path / "s.npz", make_spectra_set([1, 2], [[3, 4], [5, 6]], targets=["a", "b"]))
    with np.load(path) as file:
        arrays = {**file, name: file[name][:1]}
    np.savez(path, **arrays)
    with pytest.raises(ReadError, match=r"'s.npz' must hold a whole set of spectra; found it altered"):
        read_spectra_set(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_damaged_text_is_read_or_refused(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    text = TEXTS[kind]
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 30)))
    inserted = data.draw(st.text(st.sampled_from('0123456789.,;\t\n\r #"-+eEnaif\x0c>:µ'), max_size=12))
    path = tmp_path / "damaged.txt"
    path.write_text(text[:start] + inserted + text[stop:])
    read_or_refuse(path, explained=True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
@example(b"CDF\x05")
@example(b"PK\x03\x04")
@example(b"\xff\xfe1\x002")
@example(b"\x89HDF\r\n\x1a\n")
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    read_or_refuse(path)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_set_of_ours_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = tmp_path / "whole.npz"
    if not whole.exists():
        write_spectra_set(whole, make_spectra_set([1, 2, 3], np.eye(3), targets=["a", "b", "c"]))
    content = io.BytesIO(whole.read_bytes()).getvalue()
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, len(content)))
    path = tmp_path / "damaged.npz"
    path.write_bytes(content[:start] + data.draw(st.binary(max_size=8)) + content[stop:])
    read_or_refuse(path)
