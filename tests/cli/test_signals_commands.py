"""bgremove signals: the files hold what the functions say, and nothing where no signal can be denoised."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.cli.signals_command import COMMANDS
from napari_bgremove.evaluation.signal_metrics import measure_psnr_as_published, score_signals
from napari_bgremove.filters.signal_filters import METHODS, denoise_signals
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.io.provenance import parse_provenance
from napari_bgremove.io.results import read_provenance, write_image
from napari_bgremove.io.spectra import read_spectra
from napari_bgremove.io.spectra_sets import read_spectra_set, write_spectra_set
from napari_bgremove.io.spectrum_formats import maps
from napari_bgremove.spectra.spectra_set import SpectraSet
from napari_bgremove.synthetic.signals import make_spectra

Call = Callable[..., Any]
AXIS = np.round(np.linspace(80, 92.7, 128), 1)
# Rounded, so that every format brings them back exactly.
TRUTH, MEASURED = (np.round(64 * part) / 64 for part in make_spectra(1, 6))


def _write(path: Path, values: np.ndarray, *, head: str = "binding energy (eV),counts") -> Path:
    rows = np.atleast_2d(values).T.tolist()
    lines = (",".join([repr(x), *map(repr, row)]) for x, row in zip(AXIS.tolist(), rows, strict=True))
    path.write_text("\n".join([head, *lines, ""]))
    return path


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    record = parse_provenance("\n".join(line[2:] for line in lines if line.startswith("#")))
    assert record is not None
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    columns = zip(*rows, strict=True)
    return {
        name: np.array(column, float if name != "target" else str) for name, column in zip(header, columns, strict=True)
    }, record


def _figures(path: Path) -> dict[str, Any]:
    (figures,) = json.loads(path.read_text())["spectra"]
    return figures  # type: ignore[no-any-return]


@pytest.fixture
def spectrum(tmp_path: Path) -> Path:
    """One noisy spectrum; clean.csv beside it is the truth."""
    _write(tmp_path / "clean.csv", TRUTH[0])
    return _write(tmp_path / "noisy.csv", MEASURED[0])


@pytest.mark.parametrize("method", list(METHODS))
def test_the_table_holds_what_the_filter_says(bgremove: Call, spectrum: Path, method: str) -> None:
    out, figures = spectrum.parent / "new" / "out.csv", spectrum.parent / "figures.json"
    called = bgremove("signals", "denoise", spectrum, "--method", method, "--out", out, "--json", figures)
    assert called.code == 0, called.err
    expected = denoise_signals(MEASURED[0], method=method)
    table, record = _read(out)
    assert list(table) == ["energy", "measured", "denoised", "noise"]
    for name, curve in zip(table, (AXIS, MEASURED[0], expected.signal, expected.background), strict=True):
        assert_array_equal(table[name], curve)
    assert (record["file"], record["method"], record["axis_name"]) == (str(spectrum), method, "binding energy")
    told = _figures(figures)
    for name, (number,) in {"sigma": [estimate_sigma(MEASURED[0])], **expected.provenance.get("found", {})}.items():
        assert told[name] == number
        assert f"{name} {number:.4g}" in called.out
    assert told["removed"] == pytest.approx(np.sqrt(np.mean(expected.background**2)))
    assert called.out.splitlines()[0] == f"noisy: denoised ({METHODS[method].label})"
    assert told["files"] == {"table": str(out)}
    assert read_spectra(out)[0].columns["denoised"].tolist() == expected.signal.tolist()


def test_parameters_are_taken_in_their_kind(bgremove: Call, spectrum: Path) -> None:
    out = spectrum.parent / "out.csv"
    for given in (
        {"method": "wiener", "window": 7, "sigma": 1.5, "pad": "zero"},
        {"method": "gmc", "domain": "direct", "gamma": 0.5, "weight": 2},
    ):
        words = [word for name, value in list(given.items())[1:] for word in ("--param", name, value)]
        called = bgremove("signals", "denoise", spectrum, "--method", given["method"], *words, "--out", out)
        assert called.code == 0, called.err
        assert_array_equal(_read(out)[0]["denoised"], denoise_signals(MEASURED[0], **given).signal)  # type: ignore[arg-type]


def test_both_psnrs_are_told_by_their_names(bgremove: Call, spectrum: Path) -> None:
    files = ["--out", spectrum.parent / "out.csv", "--json", spectrum.parent / "out.json"]
    reference = ["--reference", spectrum.parent / "clean.csv", "--figure", spectrum.parent / "out.png"]
    called = bgremove("signals", "denoise", spectrum, "--method", "tv", *reference, *files)
    assert called.code == 0, called.err
    denoised = denoise_signals(MEASURED[0], method="tv").signal
    told, peak = _figures(spectrum.parent / "out.json"), float(TRUTH[0].max())
    for ending, estimate in (("", denoised), ("_measured", MEASURED[0])):
        expected = score_signals(estimate, TRUTH[0], peak=peak).as_dict()
        assert {name: told[f"{name}{ending}"] for name in expected} == pytest.approx(expected)
    assert told["peak"] == peak
    assert f"RMSE {told['rmse_measured']:.4g} -> {told['rmse']:.4g}; PSNR " in called.out
    assert f"(peak {peak:.4g}); PSNR as published (20 log10(10 / MSE)) " in called.out
    assert (spectrum.parent / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("along", ["rows", "columns"])
def test_every_row_or_column_of_an_image_is_denoised_by_itself(bgremove: Call, tmp_path: Path, along: str) -> None:
    noisy = MEASURED.copy()
    noisy[2], noisy[4, 30:34] = np.nan, np.nan
    for name, values in (("noisy", noisy), ("clean", TRUTH)):
        write_image(tmp_path / f"{name}.tif", values.T if along == "columns" else values, provenance={})
    out, options = tmp_path / "out.csv", [] if along == "rows" else ["--along", along]
    called = bgremove(
        "signals", "denoise", tmp_path / "noisy.tif", "--method", "tv", *options, "--reference", tmp_path / "clean.tif",
        "--out", out, "--json", tmp_path / "out.json", "--figure", tmp_path / "out.png",
    )  # fmt: skip
    assert called.code == 0, called.err
    expected = denoise_signals(noisy, method="tv")
    for name, part in (("denoised", expected.signal), ("noise", expected.background)):
        image = tifffile.imread(tmp_path / f"out-{name}.tif")
        assert_array_equal(image.T if along == "columns" else image, part.astype(np.float32))
        assert read_provenance(tmp_path / f"out-{name}.tif")["field"] == name
    table, _ = _read(out)
    assert_array_equal(table["row" if along == "rows" else "column"], np.arange(6))
    assert_array_equal(table["weight"], np.array(expected.provenance["found"]["weight"], float))
    usable = np.isfinite(expected.signal[4])
    assert table["psnr_as_published_db"][4] == pytest.approx(
        measure_psnr_as_published(expected.signal[4][usable], TRUTH[4][usable]), rel=1e-6
    )
    assert_array_equal(np.isnan(table["rmse"]), np.arange(6) == 2)
    told = _figures(tmp_path / "out.json")
    assert (told["signals"], told["denoised"]) == (6, 5)
    assert told["rmse"] == pytest.approx(np.nanmean(table["rmse"]))
    assert told["sigma"] == pytest.approx(np.nanmedian(table["sigma"]))
    assert "noisy: 5 of 6 signals denoised (Total variation)" in called.out
    assert "the others have no result, the first because: 'measured' must have at least 2 usable" in called.out
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def noisy_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A map of four lines, of which the second holds nothing, in blocks of one line; clean.h5 is the truth."""
    monkeypatch.setattr(maps, "_BLOCK_BYTES", 6 * 128 * 8)
    for name, values in (("noisy", MEASURED), ("clean", TRUTH)):
        cube = values * np.array([1.0, np.nan if name == "noisy" else 1.0, 2, 4])[:, None, None]
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["counts"], file["energy"] = cube, AXIS
    return tmp_path / "noisy.h5"


def test_a_map_goes_block_by_block_and_a_block_without_anything_stays_empty(
    bgremove: Call, noisy_map: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    read = h5py.Dataset.__getitem__

    def count(self: h5py.Dataset, place: Any, **keywords: Any) -> Any:
        found = read(self, place, **keywords)
        sizes.append(np.size(found))
        return found

    monkeypatch.setattr(h5py.Dataset, "__getitem__", count)
    out, folder = noisy_map.parent / "out.csv", noisy_map.parent
    called = bgremove(
        "signals", "denoise", noisy_map, "--dataset", "counts", "--axis-dataset", "energy", "--method", "l1",
        "--reference", folder / "clean.h5", "--out", out, "--format", "hdf5", "--figure", folder / "out.svg",
    )  # fmt: skip
    assert called.code == 0, called.err
    assert max(sizes) <= 6 * 128
    cube = MEASURED * np.array([1.0, np.nan, 2, 4])[:, None, None]
    expected = denoise_signals(cube, method="l1")
    with h5py.File(folder / "out-denoised.h5") as file:
        assert_allclose(file["entry/data/data"][()], expected.signal, rtol=1e-5, atol=1e-5)
    table, record = _read(out)
    assert_array_equal(table["y"], np.repeat(np.arange(4), 6))
    assert_array_equal(table["weight"], np.array(expected.provenance["found"]["weight"], float))
    assert_array_equal(np.isnan(table["rmse"]), table["y"] == 1)
    assert record["axis"]["name"] == "energy"
    assert "18 of 24 signals denoised" in called.out
    place = np.unravel_index(np.nanargmax(expected.signal.max(axis=-1)), (4, 6))
    assert f"noisy [{place[0]}, {place[1]}]" in (folder / "out.svg").read_text()


def test_a_set_becomes_sets_again_each_spectrometer_by_itself(
    bgremove: Call, spectra_file: Path, spectra_set: SpectraSet
) -> None:
    out = spectra_file.parent / "out.csv"
    called = bgremove("signals", "denoise", spectra_file, "--method", "tv", "--out", out)
    assert called.code == 0, called.err
    denoised, noise = (read_spectra_set(spectra_file.parent / f"out-{name}.npz") for name in ("denoised", "noise"))
    first = denoise_signals(np.asarray(spectra_set.spectra)[:, :48], method="tv")
    assert_allclose(denoised.spectra[:, :48], first.signal, rtol=1e-6)
    assert_allclose(denoised.spectra + noise.spectra, spectra_set.spectra, rtol=1e-5)
    assert denoised.spectra.dtype == np.float32
    assert_array_equal(denoised.targets, spectra_set.targets)
    assert denoised.provenance["denoising"]["method"] == "tv"
    table, _ = _read(out)
    assert table["target"].tolist() == spectra_set.targets.tolist()
    assert table["weight UV"].tolist() == first.provenance["found"]["weight"]


def test_a_network_denoises_by_both_statistics(bgremove: Call, spectrum: Path, denoiser_file: Path) -> None:
    curves = {}
    for norm in ("fixed", "signal", None):
        options = ["--device", "cpu", "--out", spectrum.parent / f"{norm}.csv"] + (["--norm", norm] if norm else [])
        called = bgremove("signals", "denoise", spectrum, "--model", denoiser_file, *options)
        assert called.code == 0, called.err
        assert f"trained with batches of 16, {norm or 'fixed'} statistics" in called.out
        curves[norm], record = _read(spectrum.parent / f"{norm}.csv")
        assert (record["norm"], record["method"]) == (norm or "fixed", "prior_guided")
    assert_array_equal(curves[None]["denoised"], curves["fixed"]["denoised"])
    assert not np.allclose(curves["signal"]["denoised"], curves["fixed"]["denoised"])


def test_where_nothing_can_be_denoised_the_reason_is_said_and_nothing_written(bgremove: Call, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["counts"] = np.full((3, 2, 64), np.nan)
    file_, files = tmp_path / "empty.h5", ["--out", tmp_path / "a.csv", "--figure", tmp_path / "a.png"]
    called = bgremove("signals", "denoise", file_, "--method", "tv", *files, "--json", tmp_path / "a.json")
    assert called.code == 3
    assert called.err.startswith("empty: 'measured' must have at least 2 usable samples")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "empty.h5"]
    assert _figures(tmp_path / "a.json")["status"] == "refused"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["noisy.csv"], "Give either --method or --model."),
        (["noisy.csv", "--method", "tv", "--model", "denoiser.safetensors"], "Give either --method or --model."),
        (["noisy.csv", "--model", "denoiser.safetensors", "--param", "window", "3"], "--param is for a --method"),
        (["noisy.csv", "--method", "tv", "--norm", "fixed"], "--norm is for a network (--model)."),
        (["noisy.csv", "--method", "tv", "--param", "window", "3"], "the method tv has the parameters weight; found"),
        (["noisy.csv", "--method", "wiener", "--param", "window", "4"], "'window' must be an odd number of samples"),
        (["noisy.csv", "--method", "wiener", "--param", "window", "3.5"], "--param window must be a whole number"),
        (["noisy.csv", "--method", "tv", "--frame", "0"], "--frame is for images"),
        (["noisy.csv", "--model", "noisy.csv"], "'noisy.csv'"),
        (["noisy.csv", "--method", "tv", "--reference", "two.csv"], "'two.csv' must hold the clean signals of"),
        (["set.npz", "--method", "tv", "--axis", "0", "1"], "--axis is for other files; 'set.npz' is read as a set"),
        (["nowhere.csv", "--method", "tv"], "'nowhere.csv' must exist"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    bgremove: Call, spectrum: Path, denoiser_file: Path, spectra_set: SpectraSet, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(spectrum.parent)
    Path("two.csv").write_text("1,2\n2,3\n3,4\n")
    write_spectra_set("set.npz", spectra_set)
    called = bgremove("signals", "denoise", *arguments, "--out", "out.csv")
    assert called.code in (1, 2)
    assert sentence in called.err
    assert called.err.count("\n") == 1
    assert not Path("out.csv").exists()


@pytest.mark.parametrize("option", ["--out", "--figure"])
def test_no_input_is_overwritten(bgremove: Call, spectrum: Path, option: str) -> None:
    clean = spectrum.parent / "clean.csv"
    files = {"--out": spectrum.parent / "out.csv", "--figure": spectrum.parent / "out.png", option: clean}
    words = [word for pair in files.items() for word in pair]
    called = bgremove("signals", "denoise", spectrum, "--method", "tv", "--reference", clean, *words)
    assert called.code == 1
    assert "would overwrite the input 'clean.csv'" in called.err


@pytest.mark.parametrize("method", ["wiener", "tv", "wavelet"])
def test_a_real_line_profile_is_denoised(bgremove: Call, shared_data: Path, tmp_path: Path, method: str) -> None:
    """The 21 lines about the middle of an iron-nickel frame, with the axis of `bgremove profile`."""
    frame, line = shared_data / "libs" / "iccd_labs" / "FeNi_frame_288x2560_u16.npy", tmp_path / "line.csv"
    assert bgremove("profile", frame, "--line", 140, 0, 140, 2559, "--width", 21, "--out", line).code == 0
    called = bgremove("signals", "denoise", line, "--method", method, "--out", tmp_path / "clean.csv")
    assert called.code == 0, called.err
    (profile,), (clean,) = read_spectra(line), read_spectra(tmp_path / "clean.csv")
    assert_array_equal(clean.axis, profile.axis)
    assert_array_equal(clean.intensity, profile.intensity)
    denoised = clean.columns["denoised"]
    assert_allclose(denoised + clean.columns["noise"], profile.intensity, rtol=1e-12)
    assert estimate_sigma(denoised) < 0.8 * estimate_sigma(profile.intensity)
    peak = int(np.argmax(profile.intensity))
    assert abs(int(np.argmax(denoised)) - peak) <= 2


def test_every_command_has_a_page_of_help(bgremove: Call) -> None:
    for name in COMMANDS:
        assert f"\n  {name} " in bgremove("signals", "--help").out
        assert bgremove("signals", name, "--help").out.startswith(f"Usage: bgremove signals {name}")
