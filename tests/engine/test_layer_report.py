"""What is told of the hidden layers of a model: of every subject, of a file, of a run and of its epochs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.engine.layer_models import find_model_file, find_run, read_any_model
from napari_bgremove.engine.layer_report import InspectedLayer, InspectedSide, describe_layers, inspect_layers
from napari_bgremove.errors import ModelFileError, ReadError
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.learning.model_file import read_signal_model
from napari_bgremove.recipes.spectroscopy_net import SpectroscopyNetRecipe
from napari_bgremove.spectra.layer_spectrum import make_layer_spectrum
from napari_bgremove.spectra.spectra_set import SpectraSet


def _layer(into: list[float], out: list[float]) -> InspectedLayer:
    sides = (InspectedSide(np.array(energies), make_layer_spectrum(energies)) for energies in (into, out))
    return InspectedLayer("inc", "1-4-4 channels", *sides)


def test_energies_are_gamma_and_the_norms_of_what_leads_out(denoiser_file: Path) -> None:
    network = read_signal_model(denoiser_file).network
    layers = {layer.name: layer for layer in inspect_layers(denoiser_file)}
    (named,) = (layer for layer in network.hidden_layers() if layer.name == "down2")
    assert_allclose(layers["down2"].into.energies, named.norm.weight.detach().abs().numpy(), rtol=1e-6)
    out = named.consumer.weight.detach().numpy()
    assert_allclose(layers["down2"].out.energies, np.sqrt((out**2).sum(axis=(0, 2))), rtol=1e-6)
    x = layers["down2"].out.spectrum.x
    assert_allclose(np.mean(x**2), 1)
    assert layers["down2"].shape == "2-4-4 channels"
    assert layers["down2"].units == 4


def test_images_and_spectra_can_be_looked_into_too(spectra_set: SpectraSet, tmp_path: Path) -> None:
    from napari_bgremove.learning.model_file import write_model

    bundled = inspect_layers(BUNDLED_MODEL)
    assert [(layer.name, layer.shape) for layer in bundled[:2]] == [
        ("encoder.0", "4-8-8 fields"), ("encoder.1", "8-16-16 fields"),
    ]  # fmt: skip
    recipe = SpectroscopyNetRecipe(depth=4, features=3)
    network = recipe.build_network(spectra_set)
    description = recipe.build_description(network, recipe.build_datasets(spectra_set)[0])
    write_model(tmp_path / "cleaner.safetensors", network, description)
    layers = inspect_layers(tmp_path / "cleaner.safetensors")
    assert [layer.name for layer in layers] == ["signal.1", "background.1"]
    assert_array_equal(layers[0].into.energies, 1.0)  # gamma as it starts


def test_alive_is_above_a_hundredth_of_the_rms_on_both_sides() -> None:
    layer = _layer([1, 1, 1e-4, 1], [1, 1e-4, 1, 1])
    assert_array_equal(layer.alive, [True, False, False, True])
    assert_array_equal(_layer([0, 0], [0, 0]).alive, [False, False])


def test_background_is_what_is_mostly_so_on_both_sides() -> None:
    weak, strong = [0.05] * 6, [1.0, 1.0, 1.05]
    assert_array_equal(_layer(weak + strong, weak + strong).background, [True] * 6 + [False] * 3)
    assert not _layer(weak + strong, strong + weak).background[:3].any()


def test_the_numbers_of_a_layer_are_the_means_of_its_sides_and_go_into_a_letter() -> None:
    layer = _layer([0.05, 0.1, 1, 1.1], [0.4, 0.5, 1.3, 1.1])
    into, out = layer.into.spectrum, layer.out.spectrum
    assert layer.snr == pytest.approx((into.snr + out.snr) / 2)
    assert layer.participation_ratio == pytest.approx((into.participation_ratio + out.participation_ratio) / 2)
    (described,) = json.loads(json.dumps(describe_layers((layer,))))
    assert (described["snr"], described["alive"], described["units"]) == (layer.snr, 4, 4)
    assert_array_equal(described["into"]["energies"], layer.into.energies)
    assert described["out"]["sentence"] == out.sentence


def test_looking_does_not_touch_the_random_state_nor_the_file(denoiser_file: Path) -> None:
    before, content = torch.random.get_rng_state(), denoiser_file.read_bytes()
    first, second = (describe_layers(inspect_layers(denoiser_file)) for _ in range(2))
    assert first == second
    assert torch.equal(torch.random.get_rng_state(), before)
    assert denoiser_file.read_bytes() == content


def test_of_a_run_the_best_model_is_taken_and_a_model_knows_its_run(denoiser_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "epochs").mkdir(parents=True)
    (run / "job.json").write_text("{}")
    for name in ("model", "best", "epochs/0003"):
        file = run / f"{name}.safetensors"
        file.write_bytes(denoiser_file.read_bytes())
        assert find_model_file(run) == (run / "model.safetensors" if name == "model" else run / "best.safetensors")
        found = find_run(file)
        assert found is not None
        assert found.path == run
    assert find_run(denoiser_file) is None


def test_what_holds_no_model_is_refused(tmp_path: Path, spectra_model: Path) -> None:
    with pytest.raises(ReadError, match=r"must be a model file, or the folder of a run .*; found no model in it\."):
        find_model_file(tmp_path)
    with pytest.raises(ModelFileError, match=r"none\.safetensors' cannot be read"):
        read_any_model(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("no model at all")
    with pytest.raises(ModelFileError, match=r"'text\.safetensors' is not a model file"):
        inspect_layers(tmp_path / "text.safetensors")
    with pytest.raises(ValueError, match="'network' must have a hidden layer"):
        inspect_layers(spectra_model)  # of three layers, with nothing between two in the middle
