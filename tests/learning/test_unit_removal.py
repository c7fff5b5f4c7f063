"""Laws of removal: what is left computes what the masked network does, at any border, and is a network like others."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_bgremove.errors import ComputeError, ModelFileError
from napari_bgremove.io.bundled import BUNDLED_MODEL, FAST_MODEL
from napari_bgremove.learning.checks import compare_turned
from napari_bgremove.learning.hidden_layers import HiddenLayer, find_hidden_layers
from napari_bgremove.learning.model_description import (
    BlockDescription,
    Description,
    ModelDescription,
    SignalModelDescription,
    SpectraModelDescription,
)
from napari_bgremove.learning.model_file import read_model, read_signal_model, read_spectra_model, write_model
from napari_bgremove.learning.networks import (
    Network,
    NetworkSpec,
    PriorGuidedSpec,
    Spec,
    SpectroscopyNetSpec,
    build_network,
    count_parameters,
)
from napari_bgremove.learning.numpy_weights import read_numpy_weights
from napari_bgremove.learning.unit_removal import (
    Rule,
    choose_units,
    mask_units,
    narrow_spec,
    rank_units,
    remove_units,
)
from napari_bgremove.numpy_network.network import NumpyPriorGuidedNet
from napari_bgremove.numpy_network.spec import NormMode

IMAGES: dict[str, NetworkSpec] = {
    f"{family} {topology}{' guided' if guides else ''}": NetworkSpec(
        family=family, topology=topology, fields=(2, 3, 4, 5), latents=3, guides=guides, literal_head=bool(guides)
    )
    for family in ("c4_unet", "plain_unet")
    for topology in ("D", "A")
    for guides in ((), (3, 5))
}
SPECTRA = {
    "spectra": SpectroscopyNetSpec(depth=6, features=5),
    "spectra dilated": SpectroscopyNetSpec(depth=7, features=4, kernel=5, dilated=True),
    "spectra linear": SpectroscopyNetSpec(
        depth=5, features=4, linear_background=True, smoothing=3, pedestals=True, blocks=(23, 24)
    ),
}
ACTIVATIONS = [("relu", "learnt"), *((a, t) for a in ("soft", "half", "hard", "firm") for t in ("learnt", "adaptive"))]
SIGNALS = {
    f"signals {prior} {activation} {threshold}{'' if normalized else ' unnormalized'}": PriorGuidedSpec(
        prior=prior, activation=activation, threshold=threshold, normalized=normalized
    )
    for prior, normalized in (("off", True), ("off", False), ("per-sample", True))
    for activation, threshold in ACTIVATIONS
}
SIGNALS["signals batch-mean"] = PriorGuidedSpec(prior="batch-mean")
SIGNALS["signals per-sample unnormalized"] = PriorGuidedSpec(normalized=False, width=3)
SPECS: dict[str, Spec] = {**IMAGES, **SPECTRA, **SIGNALS}
FEW = {name: SPECS[name] for name in ("c4_unet A guided", "plain_unet D", "spectra linear", "signals off soft learnt")}

every_network = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
a_few_networks = pytest.mark.parametrize("spec", FEW.values(), ids=FEW)


def live_network(spec: Spec) -> Network:
    """A network in double precision, each parameter and statistic of which is at work."""
    generator = torch.Generator().manual_seed(1)
    network = build_network(spec, seed=0).double().eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith(("bias", "running_mean", "pedestals")):
                tensor.normal_(0, 0.2, generator=generator)
            elif name.endswith("theta"):  # larger thresholds would silence everything
                tensor.uniform_(-7.0, -6.0, generator=generator)
            elif name.endswith("running_var") or tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5, generator=generator)
        if isinstance(spec, NetworkSpec):  # born quiet
            for quiet in (network.unet.to_latents, network.head.conv):
                next(quiet.parameters()).normal_(0, 0.2, generator=generator)
            network.head.conv.bias.fill_(0.2)
    return network


def measured(spec: Spec) -> Tensor:
    """Sides and lengths that are no powers of two."""
    shape = (2, 1, 24, 40) if isinstance(spec, NetworkSpec) else (3, 1, 47)
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@torch.no_grad()
def outputs(network: Any, x: Tensor) -> list[Tensor]:
    """All a network can say: with latent maps, and by all statistics."""
    if isinstance(network.spec, NetworkSpec):
        return [network.latents(x), *network(x)]
    return [network(x, norm) for norm in get_args(NormMode)] if hasattr(network, "set_norm") else list(network(x))


def deviation(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest deviation relative to the largest value."""
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, expected, strict=True))


def a_choice(network: nn.Module) -> dict[str, NDArray[np.bool_]]:
    """About half of the units of each layer, another half in each: never the first, which is easy."""
    rng = np.random.default_rng(3)
    kept = {layer.name: rng.random(layer.units) < 0.5 for layer in find_hidden_layers(network)}
    for keep in kept.values():
        keep[[0, -1]] = len(keep) == 1, True
    return kept


# --- what is left computes what the masked network does


@every_network
def test_removing_units_is_masking_them(spec: Spec) -> None:
    network, x = live_network(spec), measured(spec)
    kept = a_choice(network)
    masked, smaller = mask_units(network, kept), remove_units(network, kept)
    # An adaptive threshold is steep where a map varies little more than its mean: it makes roundings larger.
    steep = 10 if "adaptive" in repr(spec) else 1
    assert deviation(outputs(masked, x), outputs(network, x)) > 1e-3, "the choice would not be seen"
    assert deviation(outputs(smaller, x), outputs(masked, x)) < steep * 1e-12
    single = deviation(outputs(smaller.float(), x.float()), outputs(masked.float(), x.float()))
    assert single < steep * 1e-5
    assert {layer.name: layer.units for layer in find_hidden_layers(smaller)} == {n: k.sum() for n, k in kept.items()}


@pytest.mark.parametrize("spec", [SPECTRA["spectra"], SIGNALS["signals per-sample relu learnt"]], ids=repr)
def test_they_stay_equal_by_the_statistics_of_a_batch_in_training(spec: Spec) -> None:
    network, x = live_network(spec).train(), measured(spec)
    kept = a_choice(network)
    masked, smaller = mask_units(network, kept), remove_units(network, kept)
    assert masked.training
    assert smaller.training
    for _ in range(2):
        with torch.no_grad():
            found, expected = smaller.separate(x), masked.separate(x)
        assert deviation(list(found), list(expected)) < 1e-12


def test_the_statistics_of_units_that_stay_go_on_alike() -> None:
    network = live_network(SPECTRA["spectra"])
    smaller = remove_units(network, a_choice(network)).train()
    masked = mask_units(network, a_choice(network)).train()
    for one in (smaller, masked):
        one(measured(SPECTRA["spectra"]))
    keep = torch.from_numpy(a_choice(network)["signal.2"])
    assert torch.allclose(smaller.signal.norms[1].running_var, masked.signal.norms[1].running_var[keep], rtol=1e-12)


@a_few_networks
def test_a_masked_unit_is_silent_from_rim_to_rim(spec: Spec) -> None:
    """What leaves the layer, as the consumer meets it, is zero for masked units, and not for others."""
    network = live_network(spec)
    kept = a_choice(network)
    masked = mask_units(network, kept)
    met: dict[str, Tensor] = {}

    def note(name: str, maps: Tensor) -> None:
        met[name] = maps.abs().transpose(0, 1).flatten(1)

    for layer in find_hidden_layers(masked):
        block = layer.name.removesuffix(".out")
        if block == layer.name:
            layer.consumer.register_forward_pre_hook(lambda _module, maps, name=layer.name: note(name, maps[0]))
        else:  # the reader of a block is but a kernel, of the convolution that follows the upsampling
            out = masked.get_submodule(f"unet.{block}")
            out.register_forward_hook(lambda _module, _taken, maps, name=layer.name: note(name, maps))
    outputs(masked, measured(spec))
    alive = {name: met[name].unflatten(0, (len(keep), -1)).amax((1, 2)).numpy() > 0 for name, keep in kept.items()}
    assert not any((alive[name] & ~keep).any() for name, keep in kept.items())
    assert sum(alive[name].any() for name in kept) > len(kept) / 2


@pytest.mark.parametrize("family", ["c4_unet", "plain_unet"])
def test_a_unit_that_keeps_its_bias_still_speaks_and_cannot_be_folded_at_a_border(family: Any) -> None:
    """Why masking takes the bias, too: a constant can be added to the next bias, but not where zeros are padded."""
    network = live_network(NetworkSpec(family=family, fields=(2, 2, 2, 2)))
    block, x = network.unet.encoder[0], measured(network.spec)
    kept = {layer.name: np.arange(layer.units) > 0 for layer in find_hidden_layers(network)}
    with torch.no_grad():
        block.first.bias.fill_(0.3)
        block.second.bias.fill_(5.0)  # above the ReLU, which would hide differences
        smaller = remove_units(network, kept).unet.encoder[0]
        weights = block.first.coefficients if family == "c4_unet" else block.first.weight
        weights[0] = 0
        speaking = block(x)
        assert (speaking - smaller(x)).abs().amin(dim=(0, 2, 3)).max() > 1e-3
        kernel = block.second.expand()[0] if family == "c4_unet" else block.second.weight
        constant = 0.3 * kernel[:, : 4 if family == "c4_unet" else 1].sum(dim=(1, 2, 3))
        folded = smaller(x) + constant[:, None, None]
    difference = (speaking - folded).abs().amax(dim=(0, 1))
    assert difference[1:-1, 1:-1].max() < 1e-12
    assert difference[0].max() > 1e-2
    assert difference[:, 0].max() > 1e-2


@pytest.mark.parametrize("spec", SIGNALS.values(), ids=SIGNALS)
def test_no_shrinkage_makes_something_of_nothing(spec: PriorGuidedSpec) -> None:
    """Also where its weight is next to nothing."""
    network = build_network(spec, seed=0)
    for theta in (-200.0, -2.0, 50.0):
        for name, parameter in network.named_parameters():
            if name.endswith("theta"):
                nn.init.constant_(parameter, theta)
        assert not network.inc.shrink1(torch.zeros(2, spec.width, 17)).any()


@pytest.mark.parametrize("topology", ["D", "A"])
def test_what_is_left_commutes_with_quarter_turns_exactly(topology: Any) -> None:
    network = live_network(NetworkSpec(fields=(3, 4, 4, 5), topology=topology))
    x = measured(network.spec)
    assert compare_turned(remove_units(network, a_choice(network)), x) < 1e-13


# --- what is left is a network like others


@every_network
def test_a_smaller_network_is_what_its_specification_builds(spec: Spec) -> None:
    network = live_network(spec)
    smaller = remove_units(network, a_choice(network))
    rebuilt = build_network(smaller.spec).double().eval()
    rebuilt.load_state_dict(smaller.state_dict())
    for found, expected in zip(rebuilt.modules(), smaller.modules(), strict=True):
        assert found.extra_repr() == expected.extra_repr()
    x = measured(spec)
    assert all(torch.equal(*pair) for pair in zip(outputs(rebuilt, x), outputs(smaller, x), strict=True))
    strides = [{name: tensor.stride() for name, tensor in one.state_dict().items()} for one in (rebuilt, smaller)]
    assert strides[0] == strides[1]
    assert count_parameters(smaller) < count_parameters(network)


@a_few_networks
def test_it_can_be_narrowed_again_in_any_order(spec: Spec) -> None:
    network = live_network(spec)
    first = a_choice(network)
    once = remove_units(network, first)
    second = choose_units(once, 0.5)
    both = {name: keep.copy() for name, keep in first.items()}
    for name, keep in both.items():
        keep[keep] = second[name]
    twice, at_once = remove_units(once, second), remove_units(network, both)
    assert twice.spec == at_once.spec
    states = [one.state_dict() for one in (twice, at_once)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@every_network
def test_a_network_that_keeps_all_is_the_same_network(spec: Spec) -> None:
    network, x = live_network(spec), measured(spec)
    whole = remove_units(network, choose_units(network, 1.0))
    assert whole.spec == spec
    assert all(torch.equal(*pair) for pair in zip(outputs(whole, x), outputs(network, x), strict=True))


@a_few_networks
def test_nothing_is_modified_in_place(spec: Spec) -> None:
    network = live_network(spec)
    before, kept = copy.deepcopy(network.state_dict()), a_choice(network)
    chosen = copy.deepcopy(kept)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    for made in (mask_units(network, kept), remove_units(network, kept)):
        rank_units(made)
        for parameter in made.parameters():
            assert parameter.grad is None
            parameter.data.fill_(7.0)
    assert network.spec == spec
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(bool((parameter.grad == 1).all()) for parameter in network.parameters())
    for name, keep in kept.items():
        assert_array_equal(keep, chosen[name])


def test_how_a_denoiser_normalizes_is_kept() -> None:
    network = build_network(PriorGuidedSpec(), seed=0)
    network.set_norm("signal")
    assert remove_units(network, a_choice(network)).norm == "signal"


def test_any_network_that_names_its_layers_can_lose_units() -> None:
    class Neurons(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.out = nn.Linear(3, 6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.into(x).relu())

        def hidden_layers(self) -> tuple[HiddenLayer, ...]:
            return (HiddenLayer("neurons", self.into, self.out),)

    torch.manual_seed(0)
    network, x = Neurons().double(), torch.rand(5, 3, dtype=torch.float64)
    kept = choose_units(network, 0.5)
    smaller = remove_units(network, kept)
    assert torch.allclose(smaller(x), mask_units(network, kept)(x), rtol=1e-12)
    assert (smaller.into.out_features, smaller.out.in_features) == (3, 3)


# --- files


def describe(network: Any) -> Description:
    spec = network.spec
    if isinstance(spec, NetworkSpec):
        return ModelDescription(network=spec)
    if isinstance(spec, PriorGuidedSpec):
        return SignalModelDescription(network=spec, batch_size=16, source="x", length=64, noise=1, loss="mse")
    blocks = [BlockDescription(name=f"{n}", channels=n, first=0, last=n, scale=1) for n in spec.blocks]
    return SpectraModelDescription(network=spec, blocks=tuple(blocks))


IN_FILES: dict[str, tuple[Spec, Any]] = {
    "images": (IMAGES["c4_unet A guided"], read_model),
    "plain images": (IMAGES["plain_unet D"], read_model),
    "spectra": (SPECTRA["spectra linear"], read_spectra_model),
    "signals": (SIGNALS["signals per-sample firm learnt"], read_signal_model),
}
every_file = pytest.mark.parametrize(("spec", "read"), IN_FILES.values(), ids=IN_FILES)


@every_file
def test_a_smaller_network_comes_back_from_a_smaller_file(spec: Spec, read: Any, tmp_path: Path) -> None:
    network = live_network(spec).float()
    smaller, sizes = remove_units(network, choose_units(network, 0.3)), []
    for one in (network, smaller):
        write_model(tmp_path / "m", one, describe(one))
        sizes.append((tmp_path / "m").stat().st_size)
    loaded = read(tmp_path / "m")
    assert sizes[1] < sizes[0]
    assert loaded.network.spec == loaded.description.network == smaller.spec
    x = measured(spec).float()
    assert all(torch.equal(*pair) for pair in zip(outputs(loaded.network, x), outputs(smaller, x), strict=True))


WRITTEN = {
    "images": '"network":{"family":"c4_unet","topology":"A","fields":[2,3,4,5],"latents":3,"guides":[3,5],'
    '"literal_head":true},',
    "plain images": '"network":{"family":"plain_unet","topology":"D","fields":[2,3,4,5],"latents":3,"guides":[],'
    '"literal_head":false},',
    "spectra": '"network":{"family":"spectroscopy_net","depth":5,"features":4,"kernel":3,"dilated":false,'
    '"linear_background":true,"smoothing":3,"pedestals":true,"blocks":[23,24]},',
    "signals": '"network":{"width":2,"prior":"per-sample","wiener_window":3,"normalized":true,"activation":"firm",'
    '"threshold":"learnt","firm_gamma":0.5,"family":"prior_guided"},',
}


@pytest.mark.parametrize("subject", IN_FILES)
def test_what_a_file_says_of_a_whole_network_is_what_it_always_said(subject: str) -> None:
    """As written before units could be removed."""
    network = live_network(IN_FILES[subject][0])
    for one in (network, remove_units(network, choose_units(network, 1.0))):
        assert WRITTEN[subject] in describe(one).model_dump_json()
    narrowed = describe(remove_units(network, a_choice(network))).model_dump_json()
    assert '"hidden":[' in narrowed


@every_file
@pytest.mark.parametrize(
    ("hidden", "reason"),
    [
        (lambda whole: [1] * (len(whole) + 1), "'hidden' must be empty or hold one width for each of .*; found"),
        (lambda whole: [2], "'hidden' must be empty or hold one width for each of .*; found 1"),
        (lambda whole: [n + 1 for n in whole], r"'hidden: .*' must lie between 1 and \d+ units; found"),
        (lambda whole: [*whole[:-1], 0], "must lie between 1 and|greater than or equal to 1"),
        (lambda whole: [*whole[:-1], 1.5], "valid integer"),
        (lambda whole: "all", "valid tuple"),
        (lambda whole: [1] * len(whole), r"tensor '.*' is F32 \[.*\] instead of F32"),
    ],
    ids=["too many", "too few", "too wide", "no unit", "half a unit", "words", "others than the tensors"],
)
def test_a_file_with_other_hidden_widths_is_refused_in_one_sentence(
    spec: Spec, read: Any, hidden: Any, reason: str, tmp_path: Path
) -> None:
    network = live_network(spec).float()

    class Lying:
        """A description that says something else of the hidden layers."""

        def model_copy(self, *, update: dict[str, Any]) -> Any:
            self.told = describe(network).model_copy(update=update).model_dump(mode="json")
            self.told["network"]["hidden"] = hidden(list(spec.whole_widths.values()))
            return self

        def model_dump_json(self) -> str:
            return json.dumps(self.told)

    write_model(tmp_path / "m", network, Lying())  # type: ignore[arg-type]
    with pytest.raises(ModelFileError, match=reason) as caught:
        read(tmp_path / "m")
    sentence = str(caught.value)
    assert sentence.startswith("'m' ")
    assert sentence.endswith(".")
    assert not sentence.endswith("..")
    assert "\n" not in sentence


def test_the_bundled_model_still_reads_and_can_lose_units() -> None:
    network = read_model(BUNDLED_MODEL).network
    assert network.spec.hidden == ()
    kept = choose_units(network, 0.5)
    assert sum(keep.sum() for keep in kept.values()) == sum(keep.size for keep in kept.values()) / 2
    x = measured(network.spec).float()
    masked, smaller = mask_units(network, kept), remove_units(network, kept)
    assert deviation(outputs(smaller, x), outputs(masked, x)) < 1e-5
    assert compare_turned(smaller, x) < 1e-5


def test_the_fast_model_is_the_bundled_one_with_half_of_its_fields() -> None:
    whole, fast = (read_model(file).network for file in (BUNDLED_MODEL, FAST_MODEL))
    assert fast.spec.whole_widths == whole.spec.hidden_widths
    of_blocks = [name for name in fast.spec.whole_widths if not name.endswith(".out")]
    assert 2 * sum(fast.spec.hidden_widths[name] for name in of_blocks) <= sum(
        fast.spec.whole_widths[name] for name in of_blocks
    )
    assert compare_turned(fast, measured(fast.spec).float()) < 1e-5


# --- the twin in numpy


@pytest.mark.parametrize("name", [name for name in SIGNALS if "firm" in name or "relu" in name])
def test_the_twin_in_numpy_is_narrowed_alike(name: str, tmp_path: Path) -> None:
    network = live_network(SIGNALS[name])
    smaller = remove_units(network, a_choice(network))
    weights = {name: value.numpy() for name, value in smaller.state_dict().items()}
    twin, x = NumpyPriorGuidedNet(smaller.spec, weights), measured(SIGNALS[name])[:, 0]
    for norm in get_args(NormMode):
        expected = smaller(x, norm).detach().numpy()
        assert np.abs(twin.forward(x.numpy(), norm=norm) - expected).max() < 1e-10 * np.abs(expected).max()
    smaller.float()
    write_model(tmp_path / "m", smaller, describe(smaller))
    spec, stored = read_numpy_weights(tmp_path / "m")
    assert spec == smaller.spec
    NumpyPriorGuidedNet(spec, stored)


# --- which units


def test_the_strength_of_a_unit_is_the_product_of_both_norms() -> None:
    network = live_network(IMAGES["plain_unet D"])
    strengths = rank_units(network, rule="energy")
    unet = network.unet
    behind = {
        f"{name}.out": (unet.get_submodule(name).second, reader)
        for name, reader in zip(
            ("encoder.3", "decoder.0", "decoder.1", "decoder.2"), (*unet.halve, unet.to_latents), strict=True
        )
    }
    for name, strength in strengths.items():
        producer, reader = behind.get(name) or (unet.get_submodule(name).first, unet.get_submodule(name).second)
        into, out = (conv.weight.detach().numpy() for conv in (producer, reader))
        expected = np.sqrt((into**2).sum((1, 2, 3))) * np.sqrt((out**2).sum((0, 2, 3)))
        np.testing.assert_allclose(strength, expected, rtol=1e-12)


def test_relative_strength_does_not_know_how_large_a_layer_is() -> None:
    network = live_network(IMAGES["c4_unet D"])
    before = {rule: rank_units(network, rule=rule) for rule in get_args(Rule)}
    with torch.no_grad():
        network.unet.encoder[1].first.coefficients *= 100
        network.unet.encoder[2].second.coefficients *= 0
    relative, energy = (rank_units(network, rule=rule) for rule in ("relative", "energy"))
    np.testing.assert_allclose(relative["encoder.1"], before["relative"]["encoder.1"], rtol=1e-12)
    np.testing.assert_allclose(energy["encoder.1"], 100 * before["energy"]["encoder.1"], rtol=1e-12)
    assert_array_equal(relative["encoder.2"], 0)


@pytest.mark.parametrize("rule", get_args(Rule))
@pytest.mark.parametrize("share", [1e-6, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_the_strongest_stay_and_one_of_each_layer(share: float, rule: Rule) -> None:
    network = live_network(IMAGES["plain_unet A"])
    kept, strengths = choose_units(network, share, rule=rule), rank_units(network, rule=rule)
    assert list(kept) == list(strengths) == [layer.name for layer in find_hidden_layers(network)]
    units, left = (sum(f(keep) for keep in kept.values()) for f in (len, np.count_nonzero))
    assert left == max(round(share * units), len(kept))
    best = {name: strength.argmax() for name, strength in strengths.items()}
    assert all(kept[name][place] for name, place in best.items())
    weakest = min([np.inf, *(s for n, k in kept.items() for i, s in enumerate(strengths[n]) if k[i] and i != best[n])])
    strongest = max([0.0, *(s for n, k in kept.items() for s in strengths[n][~k])])
    assert weakest >= strongest


def test_of_equals_those_stay_that_come_first() -> None:
    network = live_network(IMAGES["plain_unet D"])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
    kept = choose_units(network, 0.5, rule="relative")
    flat = np.concatenate(list(kept.values()))
    assert all(keep[0] for keep in kept.values())
    assert_array_equal(kept["encoder.0"], True)
    assert_array_equal(np.flatnonzero(flat), sorted(np.flatnonzero(flat)))
    assert kept["decoder.2"].sum() == 1


def test_a_layer_where_all_is_zero_keeps_one_unit() -> None:
    network = live_network(IMAGES["c4_unet D"])
    with torch.no_grad():
        network.unet.encoder[3].first.coefficients.zero_()
    for rule in get_args(Rule):
        assert choose_units(network, 0.4, rule=rule)["encoder.3"].sum() == 1


# --- errors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda kept: kept.pop("inc"), "'kept' must say what stays of each of inc, down1, .*; found down1, down2"),
        (lambda kept: kept.clear(), "'kept' must say what stays of each of .*; found none"),
        (lambda kept: kept.update(down9=[True]), "'kept' must say what stays of each of .*; found inc, .*, down9"),
        (lambda kept: kept.update(inc=[True]), "'kept' must hold 2 true or false for inc; found 1 of bool"),
        (lambda kept: kept.update(inc=[1, 0]), "'kept' must hold 2 true or false for inc; found 2 of int64"),
        (lambda kept: kept["inc"].fill(False), "'kept' must leave a unit in inc; found none"),
    ],
)
@pytest.mark.parametrize("use", [mask_units, remove_units])
def test_a_choice_that_is_not_of_this_network_is_refused(use: Any, change: Any, message: str) -> None:
    network = build_network(PriorGuidedSpec(), seed=0)
    kept: Any = choose_units(network, 1.0)
    change(kept)
    with pytest.raises(ValueError, match=message):
        use(network, kept)


def test_the_guided_block_is_not_offered() -> None:
    """The prior speaks to each of its channels; without a prior it is as free as others."""
    names = [layer.name for layer in find_hidden_layers(build_network(PriorGuidedSpec()))]
    assert names == ["inc", "down1", "down2", "down3", "up1", "up2", "up3", "up4"]
    assert "down4" in rank_units(build_network(PriorGuidedSpec(prior="off")))


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="'share' must be above 0 and at most 1; found"):
        choose_units(build_network(PriorGuidedSpec()), share)


def test_a_rule_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="'rule' must be one of energy, relative; found 'size'"):
        rank_units(build_network(PriorGuidedSpec()), rule="size")  # type: ignore[arg-type]


def test_a_network_that_diverged_is_not_ranked() -> None:
    network = build_network(PriorGuidedSpec(normalized=False))
    with torch.no_grad():
        network.down2.conv1.weight[0, 0, 0] = torch.nan
    with pytest.raises(ComputeError, match="'down2' must have finite weights to be ranked; found a network that has"):
        choose_units(network, 0.5)


def test_a_network_without_hidden_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="'network' must have a hidden layer"):
        rank_units(build_network(SpectroscopyNetSpec(depth=3, features=4)))


def test_widths_of_other_layers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'widths' must be of encoder.0, .*, decoder.2.out; found inc"):
        narrow_spec(NetworkSpec(), {"inc": 1})
    with pytest.raises(ValueError, match=r"'hidden: encoder.0' must lie between 1 and 32 units; found 33"):
        narrow_spec(NetworkSpec(), {**NetworkSpec().whole_widths, "encoder.0": 33})


def test_hidden_layers_have_the_names_and_widths_of_the_specification() -> None:
    """Also where a specification counts channels, not fields."""
    for spec in SPECS.values():
        network = build_network(spec)
        for one in (spec, remove_units(network, a_choice(network)).spec):
            layers = find_hidden_layers(build_network(one))
            assert [(layer.name, layer.units) for layer in layers] == list(one.hidden_widths.items())
            assert list(one.hidden_widths) == list(spec.whole_widths)
    assert IMAGES["c4_unet D"].whole_widths == {
        "encoder.0": 2, "encoder.1": 3, "encoder.2": 4, "encoder.3": 5, "encoder.3.out": 5,
        "decoder.0": 4, "decoder.0.out": 4, "decoder.1": 3, "decoder.1.out": 3, "decoder.2": 2, "decoder.2.out": 2,
    }  # fmt: skip
    assert list(IMAGES["c4_unet A"].whole_widths)[3:6] == ["encoder.3", "encoder.3.out", "decoder.0"]
    assert not any(name.endswith(".out") for name in list(IMAGES["c4_unet A"].whole_widths)[5:])
    assert IMAGES["plain_unet D"].whole_widths["encoder.3"] == 20
    assert list(SPECTRA["spectra"].whole_widths) == [f"{b}.{i}" for b in ("signal", "background") for i in (1, 2, 3)]
