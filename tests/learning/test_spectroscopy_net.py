"""Laws of the network for spectra: its published size, what a channel sees, and blocks that do not know each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from napari_bgremove.errors import ModelFileError
from napari_bgremove.learning.model_description import BlockDescription, SpectraModelDescription
from napari_bgremove.learning.model_file import (
    ModelDescription,
    read_description,
    read_model,
    read_spectra_model,
    write_model,
)
from napari_bgremove.learning.networks import (
    NetworkSpec,
    SpectroscopyNet,
    SpectroscopyNetSpec,
    build_network,
    count_parameters,
)
from napari_bgremove.learning.networks.spectroscopy_net import Branch, Smoothing

SMALL = SpectroscopyNetSpec(depth=4, features=4)
BLOCKS = SpectroscopyNetSpec(depth=4, features=4, blocks=(20, 12, 17))


def _spectra(n: int, channels: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 1, channels, generator=torch.Generator().manual_seed(seed))


def _network(spec: SpectroscopyNetSpec) -> SpectroscopyNet:
    """A network whose normalisations have seen data, ready for use."""
    network = build_network(spec, seed=0)
    network(_spectra(8, sum(spec.blocks) or 40))
    return network.eval()


def test_the_defaults_have_the_size_of_two_dncnn_of_depth_18() -> None:
    """199,105 parameters a branch, by hand: 64 x 3 + 64, 16 x (64 x 64 x 3 + 2 x 64), 64 x 3 + 1."""
    network = build_network(SpectroscopyNetSpec(), seed=0)
    assert count_parameters(network.signal) == count_parameters(network.background) == 199_105
    kinds = [type(layer) for layer in network.signal.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    assert kinds.count(nn.Conv2d) == 18
    assert kinds.count(nn.BatchNorm2d) == 16


def test_the_branches_share_no_weights() -> None:
    network = build_network(SMALL, seed=0)
    own = {p.data_ptr() for p in network.signal.parameters()}
    assert own.isdisjoint(p.data_ptr() for p in network.background.parameters())
    assert not torch.equal(network.signal.convolutions[0].weight, network.background.convolutions[0].weight)


# Features enough that some path of ReLUs is open to the outermost channel.
@pytest.mark.parametrize("changes", [{"depth": 4}, {"depth": 6, "kernel": 5, "dilated": True}])
def test_an_output_channel_sees_exactly_the_receptive_field(changes: dict[str, Any]) -> None:
    spec = SpectroscopyNetSpec(features=32, **changes)
    network, middle, reach = _network(spec), 200, spec.receptive_field // 2
    spectra = _spectra(1, 401).requires_grad_()
    network(spectra)[0][0, 0, middle].backward()
    assert spectra.grad is not None
    seen = spectra.grad[0, 0].nonzero()[:, 0]
    assert (int(seen.min()), int(seen.max())) == (middle - reach, middle + reach)


def test_the_paper_sees_37_channels_and_the_dilated_variant_a_continuum() -> None:
    assert SpectroscopyNetSpec().receptive_field == 37
    assert SpectroscopyNetSpec(depth=12, kernel=5, dilated=True).receptive_field == 505


@pytest.mark.parametrize("training", [False, True])
def test_a_block_does_not_see_the_others(training: bool) -> None:
    network = _network(BLOCKS).train(training)
    spectra, others = _spectra(2, 49), _spectra(2, 49, seed=1)
    changed = torch.cat([others[..., :20], spectra[..., 20:32], others[..., 32:]], dim=-1)
    same = [
        torch.allclose(a[..., 20:32], b[..., 20:32]) for a, b in zip(network(spectra), network(changed), strict=True)
    ]
    # In training the statistics of a batch are those of all blocks together.
    assert same == [not training] * 2


def test_a_block_gives_what_it_would_give_alone() -> None:
    network = _network(BLOCKS)
    spectra = _spectra(3, 49)
    together = network(spectra)
    for whole, start, stop in [(together, 0, 20), (together, 20, 32), (together, 32, 49)]:
        alone = network(spectra[..., start:stop])
        for a, b in zip(whole, alone, strict=True):
            torch.testing.assert_close(a[..., start:stop], b)


def test_a_shifted_spectrum_gives_a_shifted_output_away_from_the_ends() -> None:
    network, reach = _network(SMALL), SMALL.receptive_field // 2
    spectra = _spectra(1, 60)
    for a, b in zip(network(spectra), network(spectra.roll(5, -1)), strict=True):
        torch.testing.assert_close(a.roll(5, -1)[..., reach + 5 : -reach], b[..., reach + 5 : -reach])


def test_the_seed_decides_the_weights_and_leaves_the_global_state_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, second, third = (build_network(SMALL, seed=s).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


@pytest.mark.parametrize(
    "wrong", [{"depth": 2}, {"features": 0}, {"kernel": 4}, {"blocks": (0,)}, {"family": "c4_unet"}, {"other": 1}]
)
def test_a_spec_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SpectroscopyNetSpec(**wrong)


def _description(**changes: Any) -> SpectraModelDescription:
    blocks = tuple(
        BlockDescription(name=f"block {i}", channels=n, first=0, last=n, scale=2.0) for i, n in enumerate(BLOCKS.blocks)
    )
    return SpectraModelDescription(**{"network": BLOCKS, "blocks": blocks, **changes})


def test_a_model_file_comes_back_bit_for_bit(tmp_path: Path) -> None:
    network, path = _network(BLOCKS), tmp_path / "model.safetensors"
    digest = write_model(path, network, _description(signal_channels=((3, 5),)))
    loaded = read_spectra_model(path)
    assert loaded.sha256 == digest
    assert loaded.description.signal_channels == ((3, 5),)
    assert loaded.deviation < 1e-6
    state = network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in loaded.network.state_dict().items())
    spectra = _spectra(2, 49)
    for a, b in zip(network(spectra), loaded.network(spectra), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_a_model_of_the_other_kind_is_refused_in_words(tmp_path: Path) -> None:
    spectra, images = tmp_path / "spectra.safetensors", tmp_path / "images.safetensors"
    write_model(spectra, _network(BLOCKS), _description())
    image_network = build_network(NetworkSpec(fields=(1, 1, 1, 1), latents=2), seed=0)
    write_model(images, image_network, ModelDescription(network=image_network.spec))
    for read in (read_model, read_description):
        with pytest.raises(
            ModelFileError, match=r"'spectra.safetensors' must be a model for images; found one for spec"
        ):
            read(spectra)
    with pytest.raises(ModelFileError, match=r"'images.safetensors' must be a model for spectra; found one for images"):
        read_spectra_model(images)


def test_a_description_that_contradicts_its_network_is_refused() -> None:
    one = BlockDescription(name="all", channels=49, first=0, last=1, scale=1)
    with pytest.raises(ValidationError, match=r"the blocks have \(49,\) channels, those of the network \(20, 12, 17\)"):
        _description(blocks=(one,))
    same = tuple(BlockDescription(name="UV", channels=n, first=0, last=1, scale=1) for n in BLOCKS.blocks)
    with pytest.raises(ValidationError, match="the blocks must have different names, found UV, UV, UV"):
        _description(blocks=same)
    with pytest.raises(ValidationError, match="the signal channels must rise and end before 49"):
        _description(signal_channels=((40, 50),))
    with pytest.raises(ValidationError, match="greater than 0"):
        BlockDescription(name="all", channels=1, first=0, last=1, scale=0)


def test_a_crop_gets_the_pedestal_of_its_spectrometer_and_a_whole_spectrum_all_of_them() -> None:
    network = build_network(SpectroscopyNetSpec(depth=3, features=2, pedestals=True, blocks=(6, 4)), seed=0).eval()
    assert network.signal.pedestals is None
    spectra = torch.randn(2, 1, 10)
    plain = network.background(spectra)
    with torch.no_grad():
        assert network.background.pedestals is not None
        network.background.pedestals += torch.tensor([1.0, 3.0])
    raised = network.background(spectra) - plain
    torch.testing.assert_close(raised, torch.tensor([1.0] * 6 + [3.0] * 4).expand(2, 1, 10))
    crops = spectra[..., 6:9]
    block = torch.tensor([[1, 1, 1], [0, 0, 0]])
    before = network.background(crops, torch.zeros_like(block)) - 1
    torch.testing.assert_close(
        network.background(crops, block)[:, 0] - before[:, 0], torch.tensor([[3.0] * 3, [1.0] * 3])
    )


def test_a_linear_background_is_a_linear_filter_of_the_spectrum() -> None:
    spec = SpectroscopyNetSpec(depth=4, features=3, linear_background=True, smoothing=2, blocks=(20, 12))
    network = build_network(spec, seed=0).eval()
    a, b, nothing = torch.randn(1, 1, 32), torch.randn(1, 1, 32), torch.zeros(1, 1, 32)
    with torch.inference_mode():
        offset = network.background(nothing)
        mixed = network.background(2 * a - 3 * b) - offset
        torch.testing.assert_close(
            mixed, 2 * (network.background(a) - offset) - 3 * (network.background(b) - offset), rtol=1e-4, atol=1e-5
        )
        assert not torch.allclose(network.signal(a + b), network.signal(a) + network.signal(b)), "the signal's is not"


def test_a_smoothed_background_keeps_a_level_and_loses_what_is_narrow() -> None:
    smooth = Smoothing(5)
    level = torch.full((1, 1, 1, 40), 3.0)
    torch.testing.assert_close(smooth(level), level)
    zigzag = torch.tensor([1.0, -1.0]).repeat(20)[None, None, None]
    assert float(smooth(zigzag)[..., 15:25].abs().max()) < 1e-3
    assert "smoothing.weights" not in Branch(SpectroscopyNetSpec(depth=3, features=2), (), smoothing=5).state_dict()
