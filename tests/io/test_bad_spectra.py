"""Damaged spectra: one sentence each, with the line; never a made-up number, never another exception."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_bgremove.errors import ReadError
from napari_bgremove.io.spectra import Spectrum, read_spectra

ROWS = [f"{546 - 0.2 * i:.1f},{8 + i}" for i in range(9)]
VAMAS = "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4\n"


def read_or_refuse(path: Path) -> tuple[Spectrum, ...] | None:
    """Return the spectra, or None where a ReadError says why not; let anything else through."""
    try:
        return read_spectra(path)
    except ReadError as error:
        text = str(error)
    assert "\n" not in text
    assert "'" in text
    return None


def with_line(number: int, text: str) -> str:
    """Return the rows below two header lines, with line `number` replaced."""
    lines = ["# O 1s", "BE/eV,counts", *ROWS]
    lines[number - 1] = text
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'bad.csv' must hold a spectrum; found an empty file of 0 bytes"),
        ("\n \n\n", "'bad.csv' must hold a spectrum; found 3 empty lines"),
        ("# a\nsome words\n", "found none in 2 lines, line 2 reads 'some words'. Export"),
        ("1\n2\n3\n", "must hold lines of two or more numbers .* line 1 reads '1'"),
        (with_line(5, "545.6,many"), "'bad.csv', line 5, must hold numbers like the line above; found '545.6,many'"),
        (with_line(5, "total,9"), "'bad.csv', line 5, must hold numbers like the line above; found 'total,9'"),
        (with_line(5, "545.6"), "'bad.csv', line 5, must hold numbers like the line above; found '545.6'"),
        (with_line(11, "544"), "'bad.csv', line 11, must hold numbers"),
        (with_line(5, "545.6,1_000"), "'bad.csv', line 5, must hold numbers"),
        (
            with_line(4, "545.8,9,3"),
            "'bad.csv', line 3, must have 3 columns like the widest line of its table; found 2",
        ),
        (with_line(6, "nan,7"), "'bad.csv', line 6, must state a finite energy; found nan"),
        (with_line(6, "inf,7"), "'bad.csv', line 6, must state a finite energy; found inf"),
        (with_line(6, "545.6,7"), "'bad.csv', line 6, must let the axis fall as before; found 545.6 after 545.6. Sort"),
        (with_line(6, "550,7"), "'bad.csv', line 6, must let the axis fall as before; found 550 after 545.6"),
        ("5,1\n5,2\n", "'bad.csv', line 2, must let the axis rise as before; found 5 after 5"),
        ("5,1\n", "'bad.csv' must hold at least 2 samples; found 1"),
        ("a\x00b", "'bad.csv' must be a text file; found a zero byte at position 1"),
        (VAMAS, "'bad.csv' must be a complete VAMAS file; reading it failed with IndexError"),
        (VAMAS + "a\nb\nc\nd\n0\nNORM\nIRREGULAR\n", r"must hold REGULAR scans \(equal steps\); found 'IRREGULAR'"),
        (VAMAS + "a\nb\nc\nd\n0\nNORM\nREGULAR\n1\n", "must be complete; it ends after line 9, inside a block"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ReadError, match=message) as caught:
        read_spectra(tmp_path / "bad.csv")
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"'none.csv' must exist; nothing was found"):
        read_spectra(tmp_path / "none.csv")
    with pytest.raises(ReadError, match="must be a file; found a folder"):
        read_spectra(tmp_path)


def test_a_choice_that_belongs_to_hdf5_is_not_ignored(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2\n2,3\n")
    with pytest.raises(ReadError, match=r"'a.csv' is no HDF5 file and has no dataset to choose; found dataset='x'"):
        read_spectra(tmp_path / "a.csv", dataset="x")
    with pytest.raises(ReadError, match=r"has no axis to choose; found axis=\(0, 1\)"):
        read_spectra(tmp_path / "a.csv", axis=(0, 1))


def test_old_netcdf_is_named_with_the_way_to_convert_it(tmp_path: Path) -> None:
    (tmp_path / "a.nc").write_bytes(b"CDF\x01" + bytes(60))
    with pytest.raises(ReadError, match=r"'a.nc' must be netCDF-4; found the older format netCDF-3. Convert it"):
        read_spectra(tmp_path / "a.nc")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"axis": "energies"}, "must find its axis 'energies' in the same file; found no such dataset"),
        ({"axis": "short"}, r"'short' must be as long as a dimension of 'bad.h5: /map' \(5 x 6\); found 4"),
        ({"axis": (0.0, 0.0)}, "'bad.h5: energy', sample 1, must let the axis rise as before; found 0 after 0"),
        ({"axis": "holed"}, "'bad.h5: holed', sample 2, must state a finite energy; found nan"),
        ({"dataset": "other"}, "'bad.h5' must hold the dataset 'other'; found /map"),
    ],
)
def test_wrong_choices_in_hdf5_are_named(tmp_path: Path, arguments, message: str) -> None:
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file["map"], file["short"] = np.ones((5, 6)), np.arange(4.0)
        file["holed"] = [0, 1, np.nan, 3, 4, 5]
    with pytest.raises(ReadError, match=message):
        read_spectra(tmp_path / "bad.h5", **arguments)


def test_several_flat_datasets_without_a_telling_name_are_not_guessed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file["a"], file["b"] = np.ones(5), np.ones(5)
    with pytest.raises(ReadError, match=r"must hold one dataset with intensities; found /a \(5\), /b \(5\). Name it"):
        read_spectra(tmp_path / "bad.h5")


@pytest.mark.parametrize("name", ["lg4x_0-150W.vms", "pynx_MgFe2O4_small.xy", "pynx_FeO_casa_U3Tougaard_cols.txt"])
def test_cut_and_damaged_files_are_right_or_refused(shared_data: Path, tmp_path: Path, name: str) -> None:
    if name.endswith(".vms"):
        pytest.importorskip("vamas")
    content = (shared_data / "xps" / name).read_bytes()[:60_000]
    rng = np.random.default_rng(7)
    refused = 0
    for _ in range(40):
        damaged = bytearray(content[: int(rng.integers(1, len(content)))])
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = int(rng.integers(256))
        (tmp_path / name).write_bytes(damaged)
        spectra = read_or_refuse(tmp_path / name)
        refused += spectra is None
        for spectrum in spectra or ():
            assert spectrum.axis.shape == spectrum.intensity.shape
            assert np.isfinite(spectrum.axis).all()
    assert refused > 10
