"""Spectra in text, HDF5 and VAMAS: any dialect comes back as written, real files as they were meant."""

from __future__ import annotations

import builtins
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.errors import ReadError
from napari_bgremove.io.results import parse_provenance
from napari_bgremove.io.spectra import Spectrum, read_spectra, write_spectrum_csv
from napari_bgremove.separation import Separation

# Separator and decimal sign, as programs and countries combine them.
DIALECTS = [
    ("\t", "."),
    (";", "."),
    (",", "."),
    (" ", "."),
    ("  ", "."),
    (", ", "."),
    ("\t", ","),
    (";", ","),
    (" ", ","),
]
HEADERS = ["", "Sample 7\n", "# measured at BL11\n# hv = 180\n", "energy{s}counts{s}fit\n", "\n\nSample 7\n\n"]


def read_one(path: Path) -> Spectrum:
    (spectrum,) = read_spectra(path)
    return spectrum


def write(path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for all examples."""
    return tmp_path_factory.mktemp("spectra") / "spectrum.txt"


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(DIALECTS), st.sampled_from(HEADERS), st.booleans(), st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]), st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_every_dialect_is_read_back(scratch, dialect, header, descending, newline, encoding, tail, seed) -> None:
    separator, decimal = dialect
    rng = np.random.default_rng(seed)
    axis = np.round(280 + np.cumsum(rng.uniform(0.05, 0.5, 12)), 4)[:: -1 if descending else 1]
    table = np.column_stack([axis, rng.normal(1e4, 300, 12), rng.normal(0, 1e-3, 12)])
    ending = separator.strip(" ") * 2 if tail else ""
    rows = [separator.join(repr(float(x)).replace(".", decimal) for x in row) + ending for row in table]
    text = (header.format(s=separator) + "\n".join(rows) + "\n").replace("\n", newline)
    spectrum = read_one(write(scratch, text, encoding=encoding))
    assert_array_equal(spectrum.axis, table[:, 0])
    assert_array_equal(spectrum.intensity, table[:, 1])
    (fit,) = spectrum.columns.values()
    assert_array_equal(fit, table[:, 2])
    assert spectrum.label == ("Sample 7" if "Sample" in header else "spectrum")
    assert spectrum.notes == ()


@pytest.mark.parametrize(
    ("header", "name", "unit"),
    [
        ("BE/eV,counts", "binding energy", "eV"),
        ("Binding Energy (eV),counts", "binding energy", "eV"),
        ("B.E.,CPS", "binding energy", "eV"),
        ("K.E.,CPS", "kinetic energy", "eV"),
        ("E_kin [keV],CPS", "kinetic energy", "keV"),
        ("Wavelength (nm),counts", "wavelength", "nm"),
        ("Raman shift (cm-1),counts", "Raman shift", "1/cm"),
        ("energy,counts", "energy", ""),
        ("x,counts", "energy", ""),
        ("# to be measured again", "energy", ""),
    ],
)
def test_an_axis_is_called_as_its_column_says(tmp_path: Path, header: str, name: str, unit: str) -> None:
    spectrum = read_one(write(tmp_path / "a.csv", f"{header}\n1,5\n2,6\n"))
    assert (spectrum.axis_name, spectrum.axis_unit) == (name, unit)


def test_quoted_names_may_hold_the_separator(tmp_path: Path) -> None:
    spectrum = read_one(write(tmp_path / "a.csv", 'energy,"counts, raw","counts, raw"\n1,5,6\n2,6,7\n'))
    assert spectrum.intensity_name == "counts, raw"
    assert list(spectrum.columns) == ["counts, raw (2)"]


def test_a_column_can_take_the_place_of_the_intensity(tmp_path: Path) -> None:
    spectrum = read_one(write(tmp_path / "a.csv", "energy,shot 1,shot 2\n1,5,8\n2,6,9\n"))
    other = spectrum.take_column("shot 2")
    assert_array_equal(other.intensity, [8, 9])
    assert other.intensity_name == "shot 2"
    assert_array_equal(other.columns["shot 1"], [5, 6])
    with pytest.raises(ValueError, match="'name' must be one of shot 2; found 'shot 3'"):
        spectrum.take_column("shot 3")


def test_empty_cells_are_nan_and_said(tmp_path: Path) -> None:
    spectrum = read_one(write(tmp_path / "a.csv", "energy,counts,fit\n1,5,1\n2,,2\n3,7,\n"))
    assert_array_equal(spectrum.intensity, [5, np.nan, 7])
    assert spectrum.notes == (
        "'counts' has 1 empty cells, the first in line 3; they are NaN.",
        "'fit' has 1 empty cells, the first in line 4; they are NaN.",
    )


def test_every_table_of_a_file_is_a_spectrum(tmp_path: Path) -> None:
    text = "# Region: C 1s\n1 5\n2 6\n\n3 7\n# Region: O 1s\n1 50\n2 60\n# Region: O 1s\n1 51\n2 61\n"
    spectra = read_spectra(write(tmp_path / "a.xy", text))
    assert [spectrum.label for spectrum in spectra] == ["C 1s", "O 1s", "O 1s (2)"]
    # An empty line alone does not end a table.
    assert_array_equal(spectra[0].axis, [1, 2, 3])
    assert_array_equal(spectra[2].intensity, [51, 61])


def make_separation() -> tuple[np.ndarray, Separation]:
    rng = np.random.default_rng(5)
    axis, background = 300 - 0.1 * np.arange(20), rng.normal(100, 3, 20)
    measured = background + rng.gamma(2, 30, 20)
    background[:2] = np.nan
    return axis, Separation(measured - background, background, measured, provenance={"method": "direct", "kappa": 0.1})


def test_what_was_written_is_read_back_exactly(tmp_path: Path) -> None:
    axis, separation = make_separation()
    path = tmp_path / "new" / "o1s.csv"
    names = {"label": "O 1s", "axis_name": "binding energy", "axis_unit": "eV"}
    assert write_spectrum_csv(path, axis, separation, sigma=np.sqrt(separation.measured), **names) == path
    spectrum = read_one(path)
    assert_array_equal(spectrum.axis, axis)
    assert_array_equal(spectrum.intensity, separation.measured)
    assert spectrum.intensity_name == "measured"
    assert list(spectrum.columns) == ["background", "net", "sigma"]
    assert_array_equal(spectrum.columns["background"], separation.background)
    assert_array_equal(spectrum.columns["net"], separation.signal)
    assert_array_equal(spectrum.columns["sigma"], np.sqrt(separation.measured))
    assert {key: getattr(spectrum, key) for key in names} == names
    assert spectrum.metadata["napari_bgremove"]["kappa"] == 0.1
    assert spectrum.notes == ()
    lines = path.read_text().splitlines()
    assert "energy,measured,background,net,sigma" in lines
    record = "\n".join(line[2:] for line in lines if line.startswith("#"))
    assert parse_provenance(record)["method"] == "direct"


def test_without_a_known_sigma_its_column_is_nan(tmp_path: Path) -> None:
    axis, separation = make_separation()
    spectrum = read_one(write_spectrum_csv(tmp_path / "a.csv", axis, separation))
    assert np.isnan(spectrum.columns["sigma"]).all()
    assert len(spectrum.columns["sigma"]) == 20


@pytest.mark.parametrize(
    ("shape", "axis", "message"),
    [
        ((3, 20), 20, "'separation' must hold one spectrum; found 3 x 20"),
        ((20,), 19, r"'axis' must have the shape of 'separation' \(20\); found 19"),
    ],
)
def test_what_is_no_spectrum_is_not_written(tmp_path: Path, shape, axis: int, message: str) -> None:
    ones = np.ones(shape)
    with pytest.raises(ValueError, match=message):
        write_spectrum_csv(tmp_path / "a.csv", np.arange(axis), Separation(ones, ones, 2 * ones))
    assert not (tmp_path / "a.csv").exists()


# Values below are those that stand in the files; the program or instrument that wrote them is the other implementation.
@pytest.mark.parametrize(
    ("name", "label", "axis", "name_unit", "first", "last"),
    [
        ("lg4x_111216_0459_O1s.csv", None, (546, 521), ("binding energy", "eV"), 8.30239, 5.485799),
        ("lg4x_C1s_sample.csv", None, (301.5, 266.5), ("binding energy", "eV"), 1709, 393),
        ("lg4xv2_Highres_Au4f_hv_180.csv", None, (85, 95.9746), ("energy", ""), 1590, 562),
        ("lmfitxps_clean_Au_4f.csv", None, (84, 95.9984), ("kinetic energy", "eV"), 9616, None),
        ("xpsdl_Co2p_CoO.txt", "Co2p CoO", (840, 770), ("energy", ""), 19311.63, 8573.833),
        ("xpsdl_Cu2p_CuO.txt", "Cu2p CuO", (971.95, 920), ("energy", ""), 229.533, 110.148),
    ],
)
def test_two_columns_of_real_programs(shared_data: Path, name, label, axis, name_unit, first, last) -> None:
    spectrum = read_one(shared_data / "xps" / name)
    assert spectrum.label == (label or Path(name).stem)
    assert tuple(spectrum.axis[[0, -1]]) == axis
    assert (spectrum.axis_name, spectrum.axis_unit) == name_unit
    assert spectrum.intensity[0] == first
    assert last is None or spectrum.intensity[-1] == last
    assert len(spectrum) == len(spectrum.intensity)


def test_specs_prodigy_gives_each_region_with_its_settings(shared_data: Path) -> None:
    survey, iron = read_spectra(shared_data / "xps" / "pynx_MgFe2O4_small.xy")
    assert (survey.label, iron.label) == ("Survey", "Fe2p")
    assert (survey.axis_name, survey.axis_unit, survey.intensity_name) == ("binding energy", "eV", "counts/s")
    assert len(survey) == 1351  # "Values/Curve"
    assert_array_equal(survey.intensity[:2], [15598.679, 15867.872])
    assert survey.metadata["stated"]["Excitation Energy"] == "1486.61"
    assert iron.metadata["stated"]["Energy Axis"] == "Binding Energy"
    assert iron.intensity[-1] == 4013.8297


def test_casaxps_columns_give_counts_and_cps_with_all_components(shared_data: Path) -> None:
    counts, cps = read_spectra(shared_data / "xps" / "pynx_FeO_casa_U3Tougaard_cols.txt")
    assert counts.label == "Cycle 0:FeO:Fe2p"
    assert (counts.axis_name, cps.axis_name) == ("kinetic energy", "binding energy")
    names = ["Fe 2p", "Fe 2p (2)", "Fe 2p (3)", "Fe 2p (4)"]
    assert list(counts.columns) == [*names, "Background", "Envelope"]
    assert list(cps.columns) == [*names, "Background CPS", "Envelope CPS"]
    # Photon energy and dwell time of the header connect both tables: 1486.61 eV and 2 s.
    assert_allclose(counts.axis + cps.axis, 1486.61, atol=1e-9)
    assert_allclose(counts.intensity, 2 * cps.intensity, rtol=1e-5)
    assert counts.metadata["stated"]["Characteristic Energy eV"] == "1.486610e+003"
    second = counts.metadata["components"][1]
    assert second == {"name": "Fe 2p", "position": "716.00", "fwhm": "8.00", "area": "35837.06", "lineshape": "SGL(30)"}
    # The envelope is the background plus the components, as CasaXPS draws them on it.
    peaks = sum(counts.columns[name] - counts.columns["Background"] for name in names)
    assert_allclose(counts.columns["Envelope"] - counts.columns["Background"], peaks, atol=0.05)


def test_casaxps_ascii_gives_background_and_components(shared_data: Path) -> None:
    gold = read_one(shared_data / "xps" / "pycasaxps_ascii_Au4f.txt")
    assert gold.label == "Cycle 0:180524 Ni-BZY Cell 1:Au_4f_Sect"
    assert (gold.axis_name, gold.intensity_name, len(gold)) == ("binding energy", "CPS", 121)
    assert list(gold.columns)[-2:] == ["Background", "Envelope"]
    assert [one["position"] for one in gold.metadata["components"]] == ["83.74", "87.65", "89.08"]


def test_columns_of_three_programs_keep_their_names(shared_data: Path) -> None:
    spectrum = read_one(shared_data / "xps" / "peer_shirley" / "Au4f_KE_lg4xv2.csv")
    assert spectrum.intensity_name == "counts_with_ends_set_to_5pt_mean"
    assert [name.split("_")[1] for name in spectrum.columns] == ["lmfitxps", "fityk", "pyarpes"]
    assert spectrum.columns["shirley_lmfitxps_4.2.0"][1] == 1699.36072


def test_vamas_gives_every_block_also_behind_empty_lines(shared_data: Path) -> None:
    pytest.importorskip("vamas")
    spectra = read_spectra(shared_data / "xps" / "lg4x_0-150W.vms")
    assert [spectrum.label for spectrum in spectra][:3] == ["Ni-W - wide", "Ni-W - Ni 2p", "Ni-W - O 1s"]
    wide = spectra[0]
    assert (wide.axis_name, wide.axis_unit, wide.intensity_name) == ("kinetic energy", "eV", "Intensity")
    assert wide.axis[0] == 286.69
    assert_allclose(wide.axis[-1], 1491.69)
    # The block states the smallest and largest intensity: 5 and 6050.
    assert (wide.intensity.min(), wide.intensity.max()) == (5, 6050)
    assert wide.columns["Transmission"].shape == wide.intensity.shape
    assert wide.metadata["photon_energy_ev"] == 1486.69
    assert wide.metadata["work_function_ev"] == -4.5


def test_vamas_of_casaxps_gives_fourteen_named_blocks(shared_data: Path) -> None:
    pytest.importorskip("vamas")
    spectra = read_spectra(shared_data / "xps" / "xpsdl_Cu111_oxidation.vms")
    assert len({spectrum.label for spectrum in spectra}) == 14
    copper = spectra[0]
    assert copper.label == "1. Cu metal, Vacuum, room temp. - Cu2p"
    assert_array_equal(copper.intensity[:3], [359.381, 361.632, 358.01])
    assert copper.metadata["species"] == "Cu 2p"


def test_a_missing_vamas_library_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name == "vamas":
            raise ImportError(name)
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    path = write(
        tmp_path / "a.vms", "\r\n\r\nVAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4\n"
    )
    with pytest.raises(ReadError, match=r"'a.vms' is a VAMAS file, .* pip install \"napari-bgremove\[xps\]\""):
        read_spectra(path)


def test_the_adress_image_has_its_energies_from_the_igor_wave(shared_data: Path) -> None:
    image = read_one(shared_data / "xps" / "arpescape_011_XPS_sAl_350.h5")
    assert image.intensity.shape == (391, 721)
    assert_allclose(image.axis, -43 + 0.05 * np.arange(721), atol=1e-9)  # MANIFEST
    assert (image.axis_name, image.axis_unit, image.intensity_name) == ("energy", "eV", "Matrix")
    assert "'/Matrix' (391 x 721) was chosen because it is the largest" in image.notes[0]


MAP = np.random.default_rng(1).random((5, 6, 8))
ENERGIES = 280 + 0.5 * np.arange(8)


def write_map(path: Path, kind: str) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("entry")
        if kind == "netCDF-4":
            data = group.create_dataset("spectra", data=np.moveaxis(MAP, -1, 0))
            scale = group.create_dataset("eV", data=ENERGIES)
            scale.make_scale("eV")
            data.dims[0].attach_scale(scale)
        elif kind == "NeXus":
            group.attrs.update({"signal": "spectra", "axes": ["y", "x", "energy"]})
            group["spectra"], group["energy"], group["y"], group["x"] = MAP, ENERGIES, np.arange(5), np.arange(6)
            group["energy"].attrs["units"] = "eV"
        elif kind == "neighbour":
            group["spectra"], group["kinetic_energy"] = np.moveaxis(MAP, -1, 1), ENERGIES
        else:
            group["spectra"], group["positions"] = MAP, ENERGIES
    return path


@pytest.mark.parametrize(("kind", "name"), [("netCDF-4", "eV"), ("NeXus", "energy"), ("neighbour", "kinetic energy")])
def test_a_map_has_its_energies_last_wherever_they_are_stated(tmp_path: Path, kind: str, name: str) -> None:
    found = read_one(write_map(tmp_path / "map.h5", kind))
    assert_array_equal(found.intensity, MAP)
    assert_array_equal(found.axis, ENERGIES)
    assert (found.axis_name, found.axis_unit) == (name, "eV")
    assert found.metadata == {"dataset": "/entry/spectra"}


def test_a_map_without_energies_says_so_and_takes_those_it_is_given(tmp_path: Path) -> None:
    path = write_map(tmp_path / "map.h5", "none")
    plain = read_one(path)
    assert_array_equal(plain.axis, np.arange(8))
    assert plain.axis_name == "pixel"
    assert "comes without energies; its 8 columns are numbered from 0" in plain.notes[-1]
    (named,) = read_spectra(path, axis="entry/positions")
    assert_array_equal(named.axis, ENERGIES)
    (counted,) = read_spectra(path, dataset="entry/spectra", axis=(280, 0.5))
    assert_array_equal(counted.axis, ENERGIES)
    assert counted.notes == ()


def test_one_spectrum_in_hdf5_is_found_beside_its_energies(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file["binding_energy"], file["counts"] = ENERGIES, MAP[0, 0]
    spectrum = read_one(tmp_path / "one.h5")
    assert_array_equal(spectrum.axis, ENERGIES)
    assert_array_equal(spectrum.intensity, MAP[0, 0])
    assert spectrum.axis_name == "binding energy"
