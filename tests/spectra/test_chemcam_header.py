"""What headers of ChemCam's files state of their cleaning, alone and joined, and as a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_bgremove.io.spectra_sets import read_spectra_set
from napari_bgremove.spectra.chemcam_header import StatedParameters, describe_stated, find_stated_parameters


def header(**names: float) -> dict:
    return {"file": "a.csv", "parameters": {"software_name": "CCOPS", **names}}


def test_only_what_is_stated_is_taken() -> None:
    found = find_stated_parameters(header(dnoisesig=2.5, continuumvismin=7.0, nshots=30))
    # The levels of the spectrometers the header is silent about are the defaults.
    assert found.values == {"sigmas": 2.5, "lowest_levels": {"UV": 6, "VIO": 7, "VNIR": 5}}
    assert (
        describe_stated(found.as_record())
        == "ChemCam's steps with the parameters of the header: DNOISESIG 2.5, CONTINUUMVISMIN 7."
    )


@pytest.mark.parametrize("provenance", [{}, {"file": "a.npz"}, header(), {"parts": [header(), {"file": "b"}]}])
def test_other_spectra_state_nothing(provenance: dict) -> None:
    assert find_stated_parameters(provenance) == StatedParameters()
    assert describe_stated(find_stated_parameters(provenance).as_record()) == ""


def test_files_of_one_set_must_agree() -> None:
    parts = [header(dnoiseiter=10, dnoisesig=3.0), header(dnoiseiter=12, dnoisesig=3.0), header()]
    found = find_stated_parameters({"parts": parts})
    assert found.values == {"sigmas": 3.0}
    assert describe_stated(found.as_record()).endswith(
        "DNOISESIG 3. The headers differ in DNOISEITER; the default is taken."
    )


def test_what_a_person_sets_is_neither_taken_nor_said() -> None:
    found = find_stated_parameters(header(dnoiseiter=12, continuumuvmin=4)).without({"lowest_levels": 5, "dark": 1})
    assert found.values == {"clips": 12}
    assert describe_stated(found.as_record()).endswith(": DNOISEITER 12.")


def test_a_real_header_states_five_numbers(shared_data: Path) -> None:
    """Sol 13, CCOPS 2.0; CONTINUUMVNIREND is not one of ours."""
    (file,) = (shared_data / "libs" / "chemcam").glob("CL5*.csv")
    found = find_stated_parameters(read_spectra_set(file).provenance)
    assert found.stated == {
        "dnoiseiter": 10, "dnoisesig": 3, "continuumuvmin": 6, "continuumvismin": 6, "continuumvnirmin": 5,
    }  # fmt: skip
    assert found.values == {"clips": 10, "sigmas": 3.0, "lowest_levels": {"UV": 6, "VIO": 6, "VNIR": 5}}
