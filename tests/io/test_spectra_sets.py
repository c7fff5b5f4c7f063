"""Sets of spectra from files: each kind by its content, archives by their folders, real files by their figures."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_bgremove.io.provenance import to_plain
from napari_bgremove.io.spectra_sets import read_composition, read_spectra_set, write_spectra_set
from napari_bgremove.spectra.bands import CHEMCAM_IGNORED_BANDS, channels_outside
from napari_bgremove.spectra.blocks import Block
from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.spectra_set import SpectraSet, make_spectra_set

CCS_HEADER = """# SOFTWARE_NAME = CCOPS , , ,
# DARK = CL1_1EDR.DAT , , ,
# CONTINUUMVNIRMIN FLOAT     =       5.00000 , , ,
# DNOISEITER =       10.0000 , , ,
# NSHOTS =            2 , , ,
"""
JSC_HEADER = (
    "Data from {name} Node\r\r\nDate: Fri Nov 13 09:14:34 CST 2015\r\nIntegration Time (sec): 1.000000E0\r\n"
    ">>>>>Begin Spectral Data<<<<<\r\n"
)


def chemcam_axis() -> np.ndarray:
    """Three spectrometers of 2048 channels with ChemCam's gaps and steps."""
    return np.concatenate([240.811 + 0.049 * np.arange(2048), 382.138 + 0.0425 * np.arange(2048),
                           473.184 + 0.2 * np.arange(2048)])  # fmt: skip


def write_ccs(path: Path, axis: np.ndarray, shots: np.ndarray) -> Path:
    """Shots as rows; median and mean stand behind them as in the archive."""
    names = ", ".join(f"shot{number}" for number in range(1, len(shots) + 1))
    columns = np.column_stack([axis, shots.T, np.median(shots, axis=0), shots.mean(axis=0)])
    rows = "\n".join(", ".join(f"{value:.7e}" for value in row) for row in columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{CCS_HEADER}# wave, {names}, median, mean\n{rows}\n")
    return path


def write_edr(path: Path, shots: np.ndarray) -> Path:
    """Shots (n, 6144) ordered UV, VIO, VNIR, in the order VNIR, VIO, UV with 50 pixels of 7 before and behind each."""
    uv, vio, vnir = np.split(shots, 3, axis=1)
    pad = np.full((len(shots), 50), 7)
    readout = np.concatenate([part for block in (vnir, vio, uv) for part in (pad, block, pad)], axis=1)
    header = [f'"header {number}: text"' for number in range(29)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*header, *(",".join(map(str, row)) for row in readout.T)]) + "\n")
    return path


def write_jsc(path: Path, axis: np.ndarray, shots: np.ndarray) -> Path:
    """One spectrometer."""
    rows = ["\t\t" + "\t".join(f"{value:.3f}" for value in axis)]
    rows += [f"09:14:3{i}.643\t144742767464{i}\t" + "\t".join(f"{v:.2f}" for v in shot) for i, shot in enumerate(shots)]
    path.write_bytes((JSC_HEADER.format(name=path.name) + "\r\n".join(rows) + "\r\n").encode())
    return path


SHOTS = np.random.default_rng(0).uniform(0, 1e12, (3, 6144))
DN = np.random.default_rng(1).integers(600, 65535, (4, 6144))
CHEMCAM_BLOCKS = (Block("UV", 0, 2048), Block("VIO", 2048, 4096), Block("VNIR", 4096, 6144))


def assert_same(found: SpectraSet, expected: SpectraSet) -> None:
    for name in ("axis", "spectra", "targets", "locations", "shots"):
        np.testing.assert_array_equal(getattr(found, name), np.asarray(getattr(expected, name)))
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    for name in ("blocks", "axis_unit", "value_unit"):
        assert getattr(found, name) == getattr(expected, name)
    assert to_plain(found.provenance) == to_plain(expected.provenance)
    assert (found.composition is None) == (expected.composition is None)
    if found.composition is not None and expected.composition is not None:
        for name in ("targets", "names", "unit"):
            assert getattr(found.composition, name) == getattr(expected.composition, name)
        np.testing.assert_array_equal(found.composition.values, expected.composition.values)


# Our own files


names_of_targets = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(
    spectra=hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.tuples(st.integers(1, 5), st.integers(1, 8)),
        elements=st.floats(width=32),
    ),
    data=st.data(),
)
def test_a_written_set_comes_back(tmp_path_factory: pytest.TempPathFactory, spectra: np.ndarray, data: st.DataObject):
    n, n_channels = spectra.shape
    targets = data.draw(st.lists(names_of_targets, min_size=n, max_size=n))
    distinct = tuple(dict.fromkeys(np.array(targets).tolist()))
    written = make_spectra_set(
        np.arange(n_channels) / 7,
        spectra,
        targets=targets,
        locations=data.draw(hnp.arrays(np.int64, n)),
        axis_unit=data.draw(st.sampled_from(["nm", "1/cm", ""])),
        composition=data.draw(
            st.none() | st.just(Composition(distinct, ("SiO2",), np.linspace(0, np.nan, len(distinct))[:, None], ""))
        ),
        provenance={"file": "a.csv", "parameters": {"dnoisesig": 3.0}, "shots_averaged": [1, 2]},
    )
    path = tmp_path_factory.mktemp("set") / "s.npz"
    assert_same(read_spectra_set(write_spectra_set(path, written)), written)


def test_a_lazy_set_is_written_as_its_values(tmp_path: Path) -> None:
    plain = make_spectra_set([1, 2, 3], np.arange(6.0).reshape(2, 3), targets=["a", "b"])
    lazy = plain.with_spectra(da.from_array(plain.spectra, chunks=1))
    assert_same(read_spectra_set(write_spectra_set(tmp_path / "s.npz", lazy)), plain)


def test_writing_leaves_no_other_file(tmp_path: Path) -> None:
    path = write_spectra_set(tmp_path / "s.npz", make_spectra_set([1, 2], [3, 4], targets="a"))
    assert list(tmp_path.iterdir()) == [path]


# ChemCam


def test_the_shots_of_a_ccs_file_are_read_with_the_parameters_of_its_pipeline(tmp_path: Path) -> None:
    found = read_spectra_set(write_ccs(tmp_path / "cl5.csv", chemcam_axis(), SHOTS))
    np.testing.assert_allclose(found.axis, chemcam_axis(), rtol=1e-7)
    np.testing.assert_allclose(found.spectra, SHOTS, rtol=1e-6)
    assert found.blocks == CHEMCAM_BLOCKS
    assert found.distinct_targets == ("cl5",)
    np.testing.assert_array_equal(found.shots, [1, 2, 3])
    assert found.provenance["parameters"] == {
        "software_name": "CCOPS",
        "dark": "CL1_1EDR.DAT",
        "continuumvnirmin": 5.0,
        "dnoiseiter": 10.0,
        "nshots": 2,
    }


def test_raw_shots_are_put_in_the_order_of_the_axis_without_their_pads(tmp_path: Path) -> None:
    found = read_spectra_set(write_edr(tmp_path / "edr.csv", DN), axis=chemcam_axis())
    np.testing.assert_array_equal(found.spectra, DN)
    np.testing.assert_array_equal(found.axis, chemcam_axis())
    assert found.blocks == CHEMCAM_BLOCKS
    assert found.value_unit == "DN"
    offsets = found.provenance["offsets"]
    assert offsets["UV"] == pytest.approx(DN[:, :11].mean())
    assert offsets["VIO"] == pytest.approx(DN[:, 2048:2053].mean())
    assert offsets["VNIR"] == pytest.approx(DN[:, 4096 + 1816 : 4096 + 1832].mean())


def test_raw_shots_take_their_axis_from_a_ccs_file(tmp_path: Path) -> None:
    ccs = write_ccs(tmp_path / "cl5.csv", chemcam_axis(), SHOTS)
    write_edr(tmp_path / "raw" / "BHVO2" / "a.csv", DN)
    found = read_spectra_set(tmp_path / "raw", axis=ccs)
    np.testing.assert_array_equal(found.axis, read_spectra_set(ccs).axis)
    assert found.distinct_targets == ("BHVO2",)


def test_a_single_raw_spectrum_is_one_column(tmp_path: Path) -> None:
    found = read_spectra_set(write_edr(tmp_path / "psv.txt", DN[:1]), axis=chemcam_axis())
    np.testing.assert_array_equal(found.spectra, DN[:1])


@pytest.mark.parametrize("n_rows", [6443, 6444, 6472, 6473, 6500])
def test_a_long_table_with_an_axis_is_not_taken_for_raw_shots(tmp_path: Path, n_rows: int) -> None:
    table = np.column_stack([np.arange(n_rows) / 8, np.arange(n_rows) % 17])
    np.savetxt(tmp_path / "t.csv", table, delimiter=",", header="wavelength,counts", comments="")
    assert read_spectra_set(tmp_path / "t.csv").n_channels == n_rows


# The layout of an archive


def test_a_folder_per_standard_is_read_as_targets_and_locations(tmp_path: Path) -> None:
    axis = np.arange(5.0)
    for target in ("bhvo2", "gbw07105"):
        for location in range(3):
            write_ccs(tmp_path / target / f"cl5_{location}ccs.csv", axis, SHOTS[:, :5] + location)
            (tmp_path / target / f"cl5_{location}ccs.lbl").write_text("PDS_VERSION_ID = PDS3")
    (tmp_path / ".hidden.csv").write_text("nothing")
    found = read_spectra_set(tmp_path)
    assert found.n_spectra == 2 * 3 * 3
    assert found.distinct_targets == ("bhvo2", "gbw07105")
    np.testing.assert_array_equal(found.locations, np.tile(np.repeat([0, 1, 2], 3), 2))
    np.testing.assert_array_equal(found.shots, np.tile([1, 2, 3], 6))
    assert found.provenance["files_left_out"][0] == str(Path("bhvo2") / "cl5_0ccs.lbl")
    assert len(found.provenance["files_left_out"]) == 6
    assert found.mean_over_shots().n_spectra == 6


def test_files_side_by_side_are_targets(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_ccs(tmp_path / f"{name}.csv", np.arange(5.0), SHOTS[:, :5])
    assert read_spectra_set(tmp_path).distinct_targets == ("a", "b")
    assert read_spectra_set([tmp_path / "b.csv", tmp_path / "a.csv"]).distinct_targets == ("b", "a")


def test_a_target_can_be_given_for_the_folder_of_one_standard(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_ccs(tmp_path / f"{name}.csv", np.arange(5.0), SHOTS[:, :5])
    found = read_spectra_set(tmp_path, target="BHVO-2")
    assert found.distinct_targets == ("BHVO-2",)
    np.testing.assert_array_equal(found.locations, [0, 0, 0, 1, 1, 1])


def test_the_table_of_the_archive_names_a_standard_in_three_columns(tmp_path: Path) -> None:
    for target in ("bhvo2", "unknown"):
        write_ccs(tmp_path / "calib" / target / "a.csv", np.arange(5.0), SHOTS[:, :5])
    (tmp_path / "comp.csv").write_text(
        "Target,Spectrum Name,Sample Name,SiO2,TiO2,MOC total\nGBW 07105,gbw,GBW07105,44.64,2.37,99\n"
        "BHVO-2,BHVO2,USGS BHVO-2,49.9,,98.5\n"
    )
    found = read_spectra_set(tmp_path / "calib", composition=tmp_path / "comp.csv")
    assert found.composition is not None
    assert found.composition.names == ("SiO2", "TiO2", "MOC total")
    np.testing.assert_array_equal(found.composition_of_rows()[0], [49.9, np.nan, 98.5])
    assert np.isnan(found.composition_of_rows()[-1]).all()
    assert found.provenance["without_composition"] == ["unknown"]


def test_a_composition_in_the_folder_is_not_read_as_spectra(tmp_path: Path) -> None:
    write_ccs(tmp_path / "a.csv", np.arange(5.0), SHOTS[:, :5])
    (tmp_path / "comp.csv").write_text("target;SiO2\nA;50\n")
    found = read_spectra_set(tmp_path, composition=tmp_path / "comp.csv")
    np.testing.assert_array_equal(found.composition_of_rows(), [[50]] * 3)


def test_a_table_of_compositions_is_read_by_itself(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("# source\nname,remark,SiO2,MgO\nx,good,50,n.d.\ny,,51.5,3\nx,good,50,\n")
    found = read_composition(tmp_path / "c.csv")
    assert (found.targets, found.names, found.unit) == (("x", "y"), ("SiO2", "MgO"), "wt%")
    np.testing.assert_array_equal(found.values, [[50, np.nan], [51.5, 3]])


# The testbed of ChemCam at JSC


def write_testbed(folder: Path, n_shots: int = 3) -> dict[str, np.ndarray]:
    axes = {"NIR": 494.6 + 0.23 * np.arange(6), "UV": 224.3 + 0.05 * np.arange(4), "VIS": 384 + 0.05 * np.arange(5)}
    shots = {
        name: np.random.default_rng(len(name)).integers(0, 999, (n_shots, len(axis))) / 4 for name, axis in axes.items()
    }
    for name, axis in axes.items():
        write_jsc(folder / f"TestBasalt_{name}_01.txt", axis, shots[name])
    return shots


def test_three_spectrometers_are_put_side_by_side(tmp_path: Path) -> None:
    shots = write_testbed(tmp_path)
    found = read_spectra_set(tmp_path)
    assert found.blocks == (Block("UV", 0, 4), Block("VIS", 4, 9), Block("NIR", 9, 15))
    assert found.distinct_targets == ("TestBasalt_01",)
    for block in found.blocks:
        np.testing.assert_array_equal(found.spectra[:, block.channels], shots[block.name])
    stated = found.provenance["stated"]["TestBasalt_UV_01.txt"]
    assert stated["Integration Time (sec)"] == "1.000000E0"


def test_one_spectrometer_can_be_read_by_itself(tmp_path: Path) -> None:
    shots = write_testbed(tmp_path)
    found = read_spectra_set(tmp_path / "TestBasalt_VIS_01.txt")
    np.testing.assert_array_equal(found.spectra, shots["VIS"])
    assert found.blocks == (Block("VIS", 0, 5),)


def test_spectrometers_of_different_recordings_are_kept_apart(tmp_path: Path) -> None:
    for target in ("one", "two"):
        (tmp_path / target).mkdir()
        write_testbed(tmp_path / target)
    found = read_spectra_set(tmp_path)
    assert found.distinct_targets == ("one", "two")
    assert found.n_spectra == 6


# Plain text


@pytest.mark.parametrize("separator", [",", ";", "\t", "  "])
def test_columns_are_targets_by_their_names(tmp_path: Path, separator: str) -> None:
    lines = [("wavelength/nm", "BHVO-2", "GSR-3"), ("240", "1", "4"), ("241", "2", "5"), ("242.5", "3", "6")]
    (tmp_path / "t.csv").write_text("\n".join(separator.join(line) for line in lines))
    found = read_spectra_set(tmp_path / "t.csv")
    assert found.targets.tolist() == ["BHVO-2", "GSR-3"]
    assert found.axis_unit == "nm"
    np.testing.assert_array_equal(found.axis, [240, 241, 242.5])
    np.testing.assert_array_equal(found.spectra, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("names", ["shot 7,shot 8", "intensity,Intensity", "1,2", "spectrum 1,spectrum 2"])
def test_columns_that_are_only_numbered_are_shots_of_the_file(tmp_path: Path, names: str) -> None:
    (tmp_path / "BHVO-2.csv").write_text(f"wavelength,{names}\n1,2,3\n2,4,5\n3,6,7\n4,8,9\n")
    found = read_spectra_set(tmp_path / "BHVO-2.csv")
    assert found.distinct_targets == ("BHVO-2",)
    np.testing.assert_array_equal(found.shots, [0, 1])


def test_a_descending_axis_is_turned_round(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("Raman shift (cm-1)\tcounts\n300\t3\n200\t2\n100\t1\n")
    found = read_spectra_set(tmp_path / "r.txt")
    np.testing.assert_array_equal(found.axis, [100, 200, 300])
    np.testing.assert_array_equal(found.spectra, [[1, 2, 3]])
    assert found.axis_unit == "1/cm"


def test_an_axis_that_steps_back_begins_the_next_spectrometer(tmp_path: Path) -> None:
    axis = np.concatenate([np.arange(20), 15.5 + np.arange(20)])
    np.savetxt(tmp_path / "o.csv", np.column_stack([axis, axis]), delimiter=",")
    assert [len(block) for block in read_spectra_set(tmp_path / "o.csv").blocks] == [20, 20]


def test_rows_carry_their_labels_and_reference_values(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        'Remark,Sample Name,Location,Shot,SiO2,MgO,240,241,242\n"a, b",BHVO-2,1,0,49.9,,1,2,3\n'
        ",BHVO-2,1,1,49.9,-,4,5,6\n,GSR-3,2,0,44.6,7.7,7,8,9\n"
    )
    found = read_spectra_set(tmp_path / "rows.csv")
    assert found.targets.tolist() == ["BHVO-2", "BHVO-2", "GSR-3"]
    np.testing.assert_array_equal(found.locations, [1, 1, 2])
    np.testing.assert_array_equal(found.shots, [0, 1, 0])
    np.testing.assert_array_equal(found.spectra, np.arange(1, 10).reshape(3, 3))
    assert found.composition is not None
    assert found.composition.names == ("SiO2", "MgO")
    np.testing.assert_array_equal(found.composition_of_rows()[[0, 2]], [[49.9, np.nan], [44.6, 7.7]])
    assert found.provenance["labels"] == {"Remark": ["a, b", "", ""]}


@pytest.mark.parametrize("name", ["nm", "wave", "x", "", "energy"])
def test_numbered_columns_are_not_taken_for_an_axis(tmp_path: Path, name: str) -> None:
    (tmp_path / "c.csv").write_text(f"{name},1,2,3\n240,5,6,7\n241,8,9,10\n")
    np.testing.assert_array_equal(read_spectra_set(tmp_path / "c.csv").axis, [240, 241])


@pytest.mark.parametrize("header", ["target,1,2,3", "id,0,1,2", ",240.1,240.2,240.3"])
def test_rows_may_be_numbered_too(tmp_path: Path, header: str) -> None:
    (tmp_path / "r.csv").write_text(f"{header}\n0,5,6,7\n1,8,9,10\n")
    np.testing.assert_array_equal(read_spectra_set(tmp_path / "r.csv").spectra, [[5, 6, 7], [8, 9, 10]])


def test_rows_without_a_name_for_their_targets_take_the_words(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("rock\tFe\t1\t2\t3\nbasalt\t8\t10\t20\t30\ngranite\t2\t40\t50\t60\n")
    found = read_spectra_set(tmp_path / "rows.txt")
    assert found.targets.tolist() == ["basalt", "granite"]
    np.testing.assert_array_equal(found.composition_of_rows(), [[8], [2]])


# Rasters and arrays


def test_positions_of_a_raster_are_locations_of_one_target(tmp_path: Path) -> None:
    values = np.arange(3 * 4 * 5.0).reshape(3, 4, 5)
    for name in ("Fe", "Ni"):
        with h5py.File(tmp_path / name, "w") as file:  # without a suffix, as the laboratory saves them
            file["Wavelength"] = np.arange(5.0) + 245
            file["map"] = values
            file["map"].dims[2].attach_scale(file["Wavelength"])
    found = read_spectra_set(tmp_path)
    assert found.distinct_targets == ("Fe", "Ni")
    np.testing.assert_array_equal(found.locations, np.tile(np.arange(12), 2))
    np.testing.assert_array_equal(found.spectra[:12], values.reshape(12, 5))
    assert found.axis_unit == "nm"


def test_arrays_of_other_programs_are_found_by_shape_and_name(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "oil.npz",
        raman_shift=np.arange(4.0),
        spectra=np.arange(24, dtype=np.float32).reshape(6, 4),
        sample=np.repeat([7, 3], 3),
        iodine_value=np.repeat([150.0, 160.0], 3),
        noise_level=np.arange(6.0),
    )
    found = read_spectra_set(tmp_path / "oil.npz")
    assert found.targets.tolist() == ["7"] * 3 + ["3"] * 3
    assert found.axis_unit == "1/cm"
    assert found.composition is not None
    assert found.composition.names == ("iodine_value",)  # the level differs from repeat to repeat
    np.testing.assert_array_equal(found.composition_of_rows()[:, 0], np.repeat([150, 160], 3))


def test_arrays_without_labels_are_a_target_per_row(tmp_path: Path) -> None:
    np.savez(tmp_path / "soil.npz", wavelength=np.arange(4.0), counts=np.ones((3, 4), np.uint16))
    found = read_spectra_set(tmp_path / "soil.npz")
    assert found.distinct_targets == ("soil 1", "soil 2", "soil 3")
    assert found.spectra.dtype == np.float32


# Real files


def read_real(folder: Path, name: str | list[str], **arguments: object) -> SpectraSet:
    names = [name] if isinstance(name, str) else name
    return read_spectra_set([folder / "libs" / each for each in names], **arguments)


def test_the_file_from_mars_has_30_shots_and_the_channels_of_the_paper(shared_data: Path) -> None:
    found = read_real(shared_data, "chemcam/CL5_398645626CCS_F0030004CCAM02013P3.csv")
    assert (found.n_spectra, found.n_channels) == (30, 6144)
    assert [block.name for block in found.blocks] == ["UV", "VIO", "VNIR"]
    kept = found.keep(channels_outside(found.axis, CHEMCAM_IGNORED_BANDS))
    assert [len(block) for block in kept.blocks] == [1884, 1928, 1673]
    assert kept.n_channels == 5485
    parameters = found.provenance["parameters"]
    assert parameters["dnoiseiter"] == 10
    assert parameters["dnoisesig"] == 3
    assert [parameters[f"continuum{block}min"] for block in ("uv", "vis", "vnir")] == [6, 6, 5]
    assert parameters["nshots"] == found.n_spectra
    table = np.loadtxt(shared_data / "libs/chemcam/CL5_398645626CCS_F0030004CCAM02013P3.csv", delimiter=",")
    np.testing.assert_allclose(found.spectra, table[:, 1:31].T, rtol=1e-6)
    assert np.corrcoef(found.mean_over_shots().spectra[0], table[:, -1])[0, 1] > 0.999  # the file's own mean


@pytest.mark.parametrize(
    ("name", "n_spectra", "n_channels", "n_targets", "blocks"),
    [
        ("chemcam/chemcam_bhvo2_loc1_spectrum.csv", 1, 6144, 1, "UV VIO VNIR"),
        ("supercam/supercam_1545mm_loc1_spectrum.csv", 1, 7933, 1, "UV VIO VIS"),
        ([f"jsc_testbed/TestBasalt_{block}_01.txt" for block in ("NIR", "UV", "VIS")], 10, 6144, 1, "UV VIS NIR"),
        ([f"jsc_testbed/TestSS_{block}_01.txt" for block in ("UV", "VIS", "NIR")], 30, 6144, 1, "UV VIS NIR"),
        ("jsc_testbed/pyhat_LIBS_TEST_test_data.csv", 103, 44, 103, "block 1"),
        ("raman/fishoil_42x3.npz", 126, 3471, 42, "block 1"),
        ("soils/soil_171_raw.npz", 171, 6669, 171, "block 1 block 2 block 3 block 4"),
        (["iccd_labs/Fe_245nm", "iccd_labs/Ni_245nm", "iccd_labs/steel_245nm.nc"], 34, 2560, 3, "block 1"),
    ],
)
def test_real_files_have_their_known_size(
    shared_data: Path, name: str | list[str], n_spectra: int, n_channels: int, n_targets: int, blocks: str
) -> None:
    found = read_real(shared_data, name)
    assert (found.n_spectra, found.n_channels, len(found.distinct_targets)) == (n_spectra, n_channels, n_targets)
    assert " ".join(block.name for block in found.blocks) == blocks
    assert np.isfinite(found.spectra).all()


def test_the_103_standards_come_with_their_silica(shared_data: Path) -> None:
    found = read_real(shared_data, "jsc_testbed/pyhat_LIBS_TEST_test_data.csv")
    assert found.composition is not None
    assert found.composition.names == ("SiO2",)
    assert found.composition_of_rows()[:2, 0].tolist() == [76.9, 54.54]
    assert (np.nanmin(found.composition.values), np.nanmax(found.composition.values)) == (0, 98.57)


def test_the_fish_oils_come_with_their_iodine_value(shared_data: Path) -> None:
    values = read_real(shared_data, "raman/fishoil_42x3.npz").composition
    assert values is not None
    assert values.values.min() == pytest.approx(147.8, abs=0.05)
    assert values.values.max() == pytest.approx(170.0, abs=0.05)
