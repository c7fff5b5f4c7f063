"""Laws of applying a network to spectra: it adds up, folding changes nothing, and only what is asked for is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.model_description import BlockDescription, SpectraModelDescription
from napari_bgremove.learning.model_file import LoadedSpectraModel, read_spectra_model, write_model
from napari_bgremove.learning.networks import SpectroscopyNetSpec, build_network
from napari_bgremove.learning.spectrum_inference import OUTPUTS, SpectraOptions, fold_branch, separate_spectra

SIZES, SCALES = (20, 12, 17), (10.0, 200.0, 3.0)
SPEC = SpectroscopyNetSpec(depth=6, features=8, blocks=SIZES)
AXIS = np.concatenate([np.linspace(240, 340, 20), np.linspace(382, 469, 12), np.linspace(473, 905, 17)])


@pytest.fixture
def model(tmp_path: Path) -> LoadedSpectraModel:
    """A network whose normalisations have seen data, as it comes back from its file."""
    network = build_network(SPEC, seed=2)
    for _ in range(20):
        network(torch.rand(16, 1, 49))
    path = tmp_path / "model.safetensors"
    write_model(path, network, _description())
    return read_spectra_model(path)


def _description(**changes: Any) -> SpectraModelDescription:
    ends = np.split(AXIS, np.cumsum(SIZES)[:-1])
    blocks = tuple(
        BlockDescription(name=name, channels=len(part), first=part[0], last=part[-1], scale=scale)
        for name, part, scale in zip(("UV", "VIO", "VNIR"), ends, SCALES, strict=True)
    )
    return SpectraModelDescription(network=SPEC, blocks=blocks, **changes)


def _spectra(n: int = 5) -> NDArray[np.float32]:
    scales = np.repeat(SCALES, SIZES)
    return (np.random.default_rng(0).random((n, 49)) * scales).astype(np.float32)


def _separate(model: LoadedSpectraModel, spectra: Any = None, **options: Any) -> Any:
    return separate_spectra(model, _spectra() if spectra is None else spectra, options=SpectraOptions(**options))


@pytest.mark.parametrize("depth", [3, 6, 18])
def test_folding_changes_nothing(depth: int) -> None:
    branch = build_network(SpectroscopyNetSpec(depth=depth, features=16), seed=0).background
    for _ in range(10):
        branch(torch.rand(8, 1, 64) + 0.3)
    spectra = torch.rand(4, 1, 64)
    with torch.inference_mode():
        expected, found = branch.eval()(spectra), fold_branch(branch)(spectra[:, :, None])[:, :, 0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def test_folding_leaves_the_branch_as_it_was() -> None:
    branch = build_network(SPEC, seed=0).background
    before = {name: value.clone() for name, value in branch.state_dict().items()}
    folded = fold_branch(branch)
    with torch.no_grad():
        for parameter in folded.parameters():
            parameter.zero_()
    assert branch.training
    assert all(torch.equal(before[name], value) for name, value in branch.state_dict().items())


def test_folding_keeps_a_linear_smoothed_background_with_its_pedestals_whole(tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"linear_background": True, "smoothing": 2, "pedestals": True})
    network = build_network(spec, seed=0)
    with torch.no_grad():
        assert network.background.pedestals is not None
        network.background.pedestals += torch.tensor([1.0, 2.0, 3.0])
    write_model(tmp_path / "m.safetensors", network, _description().model_copy(update={"network": spec}))
    found = _separate(read_spectra_model(tmp_path / "m.safetensors"), output="subtract")
    scales = np.repeat(SCALES, SIZES).astype(np.float32)
    with torch.inference_mode():
        expected = network.eval().background(torch.from_numpy(_spectra() / scales)[:, None])[:, 0].numpy() * scales
    np.testing.assert_allclose(found.background, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_parts_are_those_of_the_network_in_the_unit_of_the_spectra(model: LoadedSpectraModel, output: str) -> None:
    spectra, scales = _spectra(), np.repeat(SCALES, SIZES).astype(np.float32)
    with torch.inference_mode():
        z_x, z_n = (part[:, 0].numpy() * scales for part in model.network(torch.from_numpy(spectra / scales)[:, None]))
    expected = {
        "subtract": (spectra - z_n, z_n),
        "synthesis": (z_x, spectra - z_x),
        "both": (z_x, z_n),
    }[output]
    found = _separate(model, output=output)
    np.testing.assert_allclose(found.signal, expected[0], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found.background, expected[1], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found.measured, spectra)
    if output != "both":
        assert float(np.abs(found.residual).max()) < 1e-4
    assert found.provenance["model"] == model.sha256


@pytest.mark.parametrize(("output", "unused"), [("subtract", "signal"), ("synthesis", "background")])
def test_only_the_branch_that_is_needed_is_run(model: LoadedSpectraModel, output: str, unused: str) -> None:
    for parameter in getattr(model.network, unused).parameters():
        parameter.data.fill_(float("nan"))
    assert np.isfinite(_separate(model, output=output).signal).all()


def test_the_same_call_gives_the_same_bits_and_leaves_its_input_alone(model: LoadedSpectraModel) -> None:
    spectra = _spectra()
    before = spectra.copy()
    first, second = (_separate(model, spectra, output="both") for _ in range(2))
    np.testing.assert_array_equal(first.signal, second.signal)
    np.testing.assert_array_equal(first.background, second.background)
    np.testing.assert_array_equal(spectra, before)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_a_batch_gives_what_a_loop_gives(model: LoadedSpectraModel, batch_size: int) -> None:
    together = _separate(model, batch_size=batch_size).background
    alone = np.stack([_separate(model, one).background for one in _spectra()])
    np.testing.assert_allclose(together, alone, rtol=1e-6, atol=1e-6 * float(np.abs(alone).max()))


@pytest.mark.parametrize("dtype", [">f4", np.float64, np.uint16, np.int32])
def test_dtype_and_layout_do_not_matter(model: LoadedSpectraModel, dtype: Any) -> None:
    whole = np.round(_spectra())
    expected = _separate(model, whole).background
    np.testing.assert_allclose(_separate(model, np.asfortranarray(whole.astype(dtype))).background, expected, rtol=1e-6)
    strided = np.repeat(whole.astype(dtype), 2, axis=0)[::2]
    np.testing.assert_allclose(_separate(model, strided).background, expected, rtol=1e-6)


def test_no_spectra_give_no_parts(model: LoadedSpectraModel) -> None:
    assert _separate(model, _spectra(0)).signal.shape == (0, 49)


def test_the_background_is_a_line_across_marked_channels_of_training_and_of_now(model: LoadedSpectraModel) -> None:
    plain = _separate(model).background
    marked = np.zeros(49, bool)
    marked[[24, 25, 26, 40]] = True
    found = separate_spectra(model, _spectra(), signal_channels=marked).background
    np.testing.assert_array_equal(found[:, ~marked], plain[:, ~marked])
    np.testing.assert_allclose(found[:, 24:27], np.linspace(plain[:, 23], plain[:, 27], 5, axis=1)[:, 1:-1], rtol=1e-5)
    object.__setattr__(model, "description", _description(signal_channels=((24, 27), (40, 41))))
    np.testing.assert_array_equal(_separate(model).background, found)


def test_a_bridge_does_not_lead_from_one_spectrometer_to_the_next(model: LoadedSpectraModel) -> None:
    marked = np.zeros(49, bool)
    marked[18:22] = True
    plain = _separate(model).background
    found = separate_spectra(model, _spectra(), signal_channels=marked).background
    scales = np.repeat(SCALES, SIZES).astype(np.float32)
    for channel, neighbour in ((18, 17), (19, 17), (20, 22), (21, 22)):
        np.testing.assert_allclose(
            found[:, channel], plain[:, neighbour] / scales[neighbour] * scales[channel], rtol=1e-5
        )


def test_bfloat16_stays_within_its_precision(model: LoadedSpectraModel) -> None:
    exact, rough = _separate(model).background, _separate(model, precision="bfloat16").background
    scales = np.repeat(SCALES, SIZES)
    worst = float(np.abs((rough - exact) / scales).max() / np.abs(exact / scales).max())
    assert 0 < worst < 0.05


def test_the_number_of_threads_is_restored(model: LoadedSpectraModel) -> None:
    before = torch.get_num_threads()
    _separate(model, threads=before + 1)
    assert torch.get_num_threads() == before


def test_the_axis_of_training_is_accepted_within_a_step(model: LoadedSpectraModel) -> None:
    shifted = separate_spectra(model, _spectra(), axis=AXIS + 0.5)
    np.testing.assert_array_equal(shifted.signal, separate_spectra(model, _spectra()).signal)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"spectra": np.zeros((2, 48))},
            r"'spectra' must have the 49 channels the network was trained on; found 2 x 48\.",
        ),
        ({"axis": AXIS[:-1]}, "'axis' must have one position for each of 49 channels; found 48"),
        (
            {"axis": AXIS + 8},
            r"'axis' must be that of training, 240.000 to 340.000 nm in the block 'UV'; found 248.000 to 348.000 nm",
        ),
        ({"signal_channels": np.zeros(49)}, "'signal_channels' must be 49 true or false; found 49 float64"),
        ({"signal_channels": np.arange(49) < 20}, "must leave channels of each block free; found none in 'UV'"),
    ],
)
def test_what_does_not_fit_is_refused(model: LoadedSpectraModel, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        separate_spectra(model, **{"spectra": _spectra(), **changes})


def test_a_gap_is_an_error_that_says_where(model: LoadedSpectraModel) -> None:
    spectra = _spectra()
    spectra[3, 30] = np.nan
    with pytest.raises(ComputeError, match=r"'spectra' must be finite; spectrum 3 is not at channel 30\."):
        separate_spectra(model, spectra)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"output": "z_x"}, "'output' must be one of subtract, synthesis, both; found 'z_x'"),
        ({"precision": "float16"}, "'precision' must be one of float32, bfloat16"),
        ({"batch_size": 0}, "'batch_size' must be above zero; found 0"),
        ({"threads": 0}, "'threads' must be above zero; found 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SpectraOptions(**wrong)
