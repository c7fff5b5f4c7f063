"""Laws of the model file of a denoiser: it comes back bit for bit, and its description has types and ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from pydantic import ValidationError

from napari_bgremove._model_header import SUBJECTS, check_model_file, find_subject
from napari_bgremove.errors import ModelFileError
from napari_bgremove.learning.model_description import (
    Description,
    ModelDescription,
    SignalModelDescription,
    SpectraModelDescription,
)
from napari_bgremove.learning.model_file import read_model, read_signal_model, read_spectra_model, write_model
from napari_bgremove.learning.networks import PriorGuidedSpec, build_network

SPEC = PriorGuidedSpec(activation="firm", prior="batch-mean")


def _description(**changes: Any) -> SignalModelDescription:
    values: dict[str, Any] = {
        "network": SPEC, "batch_size": 16, "source": "spectra", "length": 128, "noise": 1.0, "loss": "mse"
    }  # fmt: skip
    return SignalModelDescription(**{**values, **changes})


@pytest.fixture
def denoiser(tmp_path: Path) -> Path:
    path = tmp_path / "denoiser.safetensors"
    network = build_network(SPEC, seed=0)
    network(torch.randn(4, 128))
    write_model(path, network, _description(centred=True, provenance={"author": "me"}))
    return path


def test_a_denoiser_comes_back_bit_for_bit(tmp_path: Path) -> None:
    network, path = build_network(SPEC, seed=0), tmp_path / "m.safetensors"
    network(torch.randn(4, 128))
    moments = {f"optim/{name}/momentum_buffer": torch.rand_like(p.detach()) for name, p in network.named_parameters()}
    digest = write_model(path, network, _description(progress={"epoch": 2.0}), training=moments)
    loaded = read_signal_model(path)
    assert (loaded.sha256, loaded.path) == (digest, path)
    assert loaded.description.model_copy(update={"tensors_sha256": ""}) == _description(progress={"epoch": 2.0})
    assert loaded.description.network == SPEC
    state = network.state_dict()
    assert set(state) == set(loaded.network.state_dict())
    assert all(torch.equal(state[name], value) for name, value in loaded.network.state_dict().items())
    assert all(torch.equal(moments[name], value) for name, value in loaded.training.items())
    assert not loaded.network.training
    assert loaded.deviation < 1e-6


def test_a_description_that_says_nothing_of_the_level_means_none() -> None:
    """Files from before the level was stored."""
    old = _description(centred=True).model_dump()
    del old["level"]
    assert SignalModelDescription(**old).level == 0
    with pytest.raises(ValidationError, match="level"):
        _description(level=float("nan"))


def test_how_a_network_was_looked_at_does_not_change_its_file(tmp_path: Path) -> None:
    network = build_network(SPEC, seed=0)
    digests = set()
    for norm in ("fixed", "batch", "signal"):
        network.set_norm(norm)  # type: ignore[arg-type]
        digests.add(write_model(tmp_path / norm, network, _description()))
        read_signal_model(tmp_path / norm)
    assert len(digests) == 1


def test_models_of_other_kinds_are_refused_in_words(denoiser: Path, model_file: Path, spectra_model: Path) -> None:
    with pytest.raises(ModelFileError, match=r"'denoiser.*' must be a model for images; found one for signals. Choose"):
        read_model(denoiser)
    with pytest.raises(ModelFileError, match=r"'denoiser.*' must be a model for spectra; found one for signals"):
        read_spectra_model(denoiser)
    with pytest.raises(ModelFileError, match=r"'model.*' must be a model for signals; found one for images"):
        read_signal_model(model_file)
    with pytest.raises(ModelFileError, match=r"'cleaner.*' must be a model for signals; found one for spectra"):
        read_signal_model(spectra_model)


def test_the_subject_of_every_family_is_known_without_torch(
    denoiser: Path, model_file: Path, spectra_model: Path
) -> None:
    files = {"signals": denoiser, "images": model_file, "spectra": spectra_model}
    assert {name: find_subject(check_model_file(path)) for name, path in files.items()} == {n: n for n in files}
    kinds: tuple[type[Description], ...] = (ModelDescription, SpectraModelDescription, SignalModelDescription)
    families = {}
    for kind in kinds:
        spec = kind.model_fields["network"].annotation
        assert spec is not None
        families |= dict.fromkeys(get_args(get_type_hints(spec)["family"]), kind.subject)
    assert families == SUBJECTS
    assert find_subject({"network": {"family": "os.system"}}) is find_subject({"network": {"family": [1]}}) is None
    assert find_subject(None) is find_subject({"network": 1}) is find_subject({}) is None


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"network": {**SPEC.to_dict(), "width": 0}}, "'width' must lie between 1 and 256; found 0"),
        ({"network": {**SPEC.to_dict(), "width": "wide"}}, "network.width"),
        ({"network": {**SPEC.to_dict(), "firm_gamma": "a"}}, "network.firm_gamma"),
        ({"network": {**SPEC.to_dict(), "family": "c4_unet"}}, "network.family"),
        ({"network": {**SPEC.to_dict(), "prior": "on"}}, "network.prior"),
        ({"network": {**SPEC.to_dict(), "other": 1}}, "'other' is not known"),
        ({"network": [1]}, "network"),
        ({"batch_size": 0}, "batch_size"),
        ({"length": 15}, "length"),
        ({"noise": 0.0}, "noise"),
        ({"noise": float("inf")}, "noise"),
        ({"loss": "mae"}, "loss"),
        ({"other": 1}, "other"),
    ],
)
def test_a_description_that_means_nothing_is_refused(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError, match=where):
        _description(**changes)


def test_a_description_survives_json() -> None:
    description = _description(centred=True)
    back = SignalModelDescription.model_validate_json(description.model_dump_json())
    assert back == description
    assert back.network == SPEC
