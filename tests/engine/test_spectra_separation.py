"""Sets taken apart block by block: the same as whole, lazily, within bounded memory, with what there is to say."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.engine import spectra_blocks
from napari_bgremove.engine.spectra_blocks import cut_rows, read_rows, write_rows
from napari_bgremove.engine.spectra_records import describe_record
from napari_bgremove.engine.spectra_separation import SpectraMethod, separate_into_files, separate_set
from napari_bgremove.errors import ComputeError
from napari_bgremove.io.spectra_sets import read_spectra_set
from napari_bgremove.spectra.cleaning import CLEANERS, NothingUsableError, clean_spectra
from napari_bgremove.spectra.spectra_set import SpectraSet, make_spectra_set

PARTS = ("signal", "background")


@pytest.fixture
def in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five rows of 96 channels."""
    monkeypatch.setattr(spectra_blocks, "BLOCK_BYTES", 5 * 96 * 8)


def lazily(spectra: SpectraSet, chunks: Any) -> SpectraSet:
    return replace(spectra, spectra=da.from_array(spectra.spectra, chunks=chunks))


# Blocks


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (np.empty((12, 96)), [(0, 5), (5, 10), (10, 12)]),
        (np.empty((3, 96)), [(0, 3)]),
        (np.empty((2, 5000)), [(0, 1), (1, 2)]),
        (da.empty((12, 96), chunks=(2, 40)), [(0, 4), (4, 8), (8, 12)]),  # never through a chunk
        (da.empty((12, 96), chunks=((8, 3, 1), -1)), [(0, 8), (8, 12)]),
    ],
)
@pytest.mark.usefixtures("in_small_blocks")
def test_blocks_cover_all_rows_in_order(table: Any, expected: list) -> None:
    assert [(rows.start, rows.stop) for rows in cut_rows(table)] == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
def test_rows_written_one_after_the_other_are_the_table(tmp_path: Path, dtype: Any) -> None:
    table = np.random.default_rng(0).normal(size=(11, 7)).astype(dtype)
    for first, stop in ((0, 4), (4, 5), (5, 11)):
        write_rows(tmp_path / "table.npy", table[::-1][first:stop], first=first, count=11)
    assert_array_equal(np.load(tmp_path / "table.npy", allow_pickle=False), table[::-1])


def test_rows_are_read_from_either_kind_of_table() -> None:
    table = np.arange(12.0).reshape(4, 3)
    for given in (table, da.from_array(table, chunks=(3, 2))):
        assert_array_equal(read_rows(given, slice(1, 3)), table[1:3])


# A set


@pytest.mark.parametrize("method", CLEANERS)
@pytest.mark.usefixtures("in_small_blocks")
def test_a_set_in_blocks_lazy_or_not_is_the_set_in_one_piece(
    method: str, spectra_set: SpectraSet, tmp_path: Path
) -> None:
    parameters = {"lowest_levels": 3} if method == "chemcam" else {}
    marks, how = spectra_set.axis > 340, SpectraMethod(method=method, parameters=parameters)
    whole = clean_spectra(
        spectra_set.axis, spectra_set.spectra, method=method, blocks=spectra_set.blocks, signal_channels=marks,
        **parameters,
    )  # fmt: skip
    seen: list[tuple[int, int]] = []
    for given in (spectra_set, lazily(spectra_set, (4, 30))):
        found = separate_set(given, how, signal_channels=marks, report=lambda *how_far: seen.append(how_far))
        record = separate_into_files(given, how, tmp_path, signal_channels=marks)
        for part in PARTS:
            # In a stack the median filter and its sums run in another order.
            assert_allclose(getattr(found, part), getattr(whole, part), atol=1e-9)
            assert_array_equal(np.load(tmp_path / f"{part}.npy"), getattr(found, part))
        for name, value in whole.provenance.items():
            assert found.provenance[name] == record[name] == value
    assert seen[:7] == [(5, 32), (10, 32), (15, 32), (20, 32), (25, 32), (30, 32), (32, 32)]
    assert seen[7:] == [(done, 32) for done in range(4, 33, 4)]


@pytest.mark.usefixtures("in_small_blocks")
def test_a_network_in_blocks_is_the_network_on_all(
    spectra_set: SpectraSet, spectra_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = SpectraMethod(model=str(spectra_model), device="cpu", output="both")
    in_blocks = separate_set(lazily(spectra_set, (3, -1)), how)
    monkeypatch.undo()
    whole = separate_set(spectra_set, how)
    for part in PARTS:
        assert_allclose(getattr(in_blocks, part), getattr(whole, part), rtol=1e-4, atol=1e-4)
    assert in_blocks.provenance["model"] == whole.provenance["model"]


def test_a_lazy_set_never_lies_in_the_memory_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """8 MB of spectra, 32 MB of parts, in blocks of 256 kB in double precision."""
    rows, channels = 1000, 2000
    monkeypatch.setattr(spectra_blocks, "BLOCK_BYTES", 2**18)
    lazy = da.random.default_rng(0).normal(size=(rows, channels), chunks=(10, channels)).astype(np.float32)
    spectra = make_spectra_set(np.arange(channels), lazy, targets="a", shots=np.arange(rows))
    how = SpectraMethod(method="airpls", parameters={"max_iter": 1})
    separate_into_files(spectra.select(slice(10)), how, tmp_path)  # imports
    tracemalloc.start()
    separate_into_files(spectra, how, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6
    signal = np.load(tmp_path / "signal.npy", mmap_mode="r")
    assert signal.shape == (rows, channels)
    assert np.isfinite(signal[-1]).all()


# What there is to say


@pytest.mark.usefixtures("in_small_blocks")
def test_empty_spectra_are_nan_and_counted_however_the_blocks_fall(spectra_set: SpectraSet) -> None:
    spectra = np.array(spectra_set.spectra)
    spectra[:5] = spectra[7] = np.nan  # a block of nothing, and one of a block
    found = separate_set(replace(spectra_set, spectra=spectra), SpectraMethod(method="snip"))
    assert_array_equal(np.isnan(found.signal).all(axis=1), np.isin(np.arange(32), [0, 1, 2, 3, 4, 7]))
    assert describe_record(found.provenance) == (
        "6 of 32 spectra had too few usable samples for a background and stay empty there."
    )
    with pytest.raises(NothingUsableError, match=r"found fewer in each of 32\. Check the file"):
        separate_set(replace(spectra_set, spectra=np.full_like(spectra, np.nan)), SpectraMethod(method="snip"))


@pytest.mark.usefixtures("in_small_blocks")
def test_what_cannot_be_cleaned_is_named_by_its_row(spectra_set: SpectraSet) -> None:
    spectra = np.array(spectra_set.spectra)
    spectra[11] = np.nan
    with pytest.raises(ComputeError, match=r"found spectrum 1 without any .* counted from row 10 of the set here"):
        separate_set(
            replace(spectra_set, spectra=spectra), SpectraMethod(method="chemcam", parameters={"lowest_levels": 3})
        )


@pytest.mark.usefixtures("in_small_blocks")
def test_rounds_that_were_too_few_are_counted_over_all_blocks(spectra_set: SpectraSet) -> None:
    found = separate_set(spectra_set, SpectraMethod(method="arpls", parameters={"max_iter": 1}))
    assert describe_record(found.provenance).startswith("32 of 32 spectra did not reach the tolerance")
    assert found.provenance["seconds"] > 0


def test_the_header_of_chemcams_files_is_heard_unless_a_person_says_otherwise(shared_data: Path) -> None:
    (file,) = (shared_data / "libs" / "chemcam").glob("CL5*.csv")
    shots = read_spectra_set(file).select(slice(2))
    parameters = {**shots.provenance["parameters"], "continuumuvmin": 4.0, "dnoiseiter": 3}
    other = replace(shots, provenance={**shots.provenance, "parameters": parameters})
    found = separate_set(other, SpectraMethod(method="chemcam", parameters={"clips": 7}))
    levels = {"UV": 4, "VIO": 6, "VNIR": 5}
    expected = clean_spectra(
        shots.axis, shots.spectra, method="chemcam", blocks=shots.blocks, clips=7, lowest_levels=levels
    )
    assert_array_equal(found.signal, expected.signal)
    assert found.provenance["parameters"] == expected.provenance["parameters"]
    assert describe_record(found.provenance) == (
        "ChemCam's steps with the parameters of the header: DNOISESIG 3, CONTINUUMUVMIN 4, CONTINUUMVISMIN 6, "
        "CONTINUUMVNIRMIN 5."
    )
    assert "header" not in describe_record(separate_set(other, SpectraMethod(method="snip")).provenance)
