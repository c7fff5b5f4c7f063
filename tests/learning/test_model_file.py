"""Laws of the model file: bit-identical or refused, whatever happened to it on the way."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from napari_bgremove.errors import ModelFileError
from napari_bgremove.learning.model_file import (
    KEY,
    LoadedModel,
    ModelDescription,
    _digest,
    read_description,
    read_model,
    write_model,
)
from napari_bgremove.learning.networks import AdditiveNetwork, NetworkSpec, build_network

SPEC = NetworkSpec(fields=(1, 1, 1, 1), latents=2)
DESCRIPTION = ModelDescription(
    network=SPEC, percentiles=(2.0, 99.0), tile=64, merge="median", recipe={"name": "x", "offsets": [[0, 0]]},
    provenance={"author": "Smíd", "text": "hits \"and\" \\ slashes"}, progress={"epoch": 3.0, "sum/loss": 0.1 + 0.2},
)  # fmt: skip


def _network(seed: int = 0, spec: NetworkSpec = SPEC) -> AdditiveNetwork:
    network = build_network(spec, seed=seed)
    network.head.conv.bias.data += 0.2
    return network


def _moments(network: AdditiveNetwork) -> dict[str, Tensor]:
    moments: dict[str, Tensor] = {}
    for name, parameter in network.named_parameters():
        moments |= {f"optim/{name}/{key}": torch.rand_like(parameter.detach()) for key in ("exp_avg", "exp_avg_sq")}
        moments[f"optim/{name}/step"] = torch.tensor(7.0)
    return moments


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    write_model(path, _network(), DESCRIPTION)
    return path


def _same_weights(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _refused(path: Path) -> str:
    """The one sentence a bad file is refused with: its name, no line break."""
    with pytest.raises(ModelFileError, match=re.escape(path.name)) as caught:
        read_model(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 400
    return sentence


# --- what is written is what is read ----------------------------------------------------------


@pytest.mark.parametrize("with_training", [False, True])
@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        NetworkSpec(family="plain_unet", topology="A", fields=(1, 1, 1, 1), literal_head=True, guides=(3, 9)),
    ],
)
def test_a_round_trip_gives_everything_back(tmp_path: Path, spec: NetworkSpec, with_training: bool) -> None:
    network = _network(3, spec).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    description = DESCRIPTION.model_copy(update={"network": spec})
    moments = _moments(network) if with_training else {}
    path = tmp_path / "folder" / "model.safetensors"
    digest = write_model(path, network, description, training=moments)
    assert network.training
    loaded = read_model(path)
    assert isinstance(loaded, LoadedModel)
    assert not loaded.network.training
    assert _same_weights(loaded.network.state_dict(), network.state_dict())
    assert _same_weights(loaded.training, moments)
    assert loaded.sha256 == digest == loaded.description.tensors_sha256
    assert loaded.description.model_copy(update={"tensors_sha256": ""}) == description
    assert read_description(path) == loaded.description
    assert loaded.path == path


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_model(tmp_path / name, _network(), DESCRIPTION)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_reading_leaves_the_global_random_state_alone(model: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    read_model(model)
    assert torch.equal(torch.rand(1), expected)


def test_the_file_holds_free_coefficients_and_not_expanded_kernels(model: Path) -> None:
    tensors = safetensors.torch.load(model.read_bytes())
    stored = sum(t.numel() for name, t in tensors.items() if name.startswith("model/"))
    assert stored == sum(p.numel() for p in _network().parameters())


def test_a_failing_write_leaves_the_old_file_and_no_rubbish(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_model(model, _network(9), DESCRIPTION)
    assert model.read_bytes() == before
    assert [p.name for p in model.parent.iterdir()] == [model.name]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_a_network_that_is_or_computes_not_finite_is_not_written_over_a_good_file(model: Path, value: float) -> None:
    before = model.read_bytes()
    network = _network()
    for parameter in network.parameters():
        parameter.data.fill_(value)
    with pytest.raises(
        ModelFileError, match=r"'tiny.safetensors' is not written: the network holds or computes values that"
    ):
        write_model(model, network, DESCRIPTION)
    assert model.read_bytes() == before


# --- damage ------------------------------------------------------------------------------------


def test_every_kind_of_byte_matters(model: Path) -> None:
    """One flipped bit in the length, the names, the description, the checksums, each tensor, the last byte."""
    content = model.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = content[8 : 8 + length].rstrip()
    places = [0, 7, 8, 9, length // 2, *range(8, 8 + len(header), 17)]
    tensors = json.loads(header)
    places += [8 + length + tensors[name]["data_offsets"][0] for name in tensors if name != "__metadata__"]
    for place in [*places, len(content) - 1]:
        for bit in (0, 5):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            model.write_bytes(changed)
            _refused(model)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.1, 0.5, 0.9, 0.9999])
def test_a_truncated_file_is_refused(model: Path, share: float) -> None:
    content = model.read_bytes()
    model.write_bytes(content[: int(share * len(content))])
    _refused(model)


def test_appended_bytes_are_refused(model: Path) -> None:
    model.write_bytes(model.read_bytes() + b"\0" * 8)
    _refused(model)


def _mutate(content: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(content)
    # half of the damage in the header, which is a tenth of the file
    span = 8 + struct.unpack("<Q", content[:8])[0] if rng.random() < 0.5 else len(data)
    at = int(rng.integers(span))
    kind = rng.integers(7)
    if kind == 0:
        data[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        data[at] = int(rng.integers(256))
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        del data[at : at + int(rng.integers(1, 40))]
    elif kind == 4:
        data[at : at + 8] = struct.pack("<Q", [0, 1, 2**31, 2**63, 2**64 - 1, len(data)][int(rng.integers(6))])
    elif kind == 5:
        source = int(rng.integers(span))
        data[at : at + 24] = data[source : source + 24]
    else:
        data[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 9)), dtype=np.uint8))
    return bytes(data)


def test_two_thousand_mutants_load_bit_identically_or_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mutant.safetensors"
    network = _network()
    write_model(path, network, DESCRIPTION, training=_moments(network))
    content, original = path.read_bytes(), read_model(path)
    rng = np.random.default_rng(20231129)
    loaded = 0
    for _ in range(2000):
        path.write_bytes(_mutate(content, rng))
        try:
            mutant = read_model(path)
        except ModelFileError:
            continue
        loaded += 1
        assert _same_weights(mutant.network.state_dict(), original.network.state_dict())
        assert _same_weights(mutant.training, original.training)
        assert mutant.description == original.description
    assert loaded < 100  # the few that change nothing


# --- foreign and hostile files -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is damaged: it ends after 0 bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is not a model file: it does not start with a safetensors header"),
        (b"PK\x03\x04" + b"\xff" * 100, "is not a model file"),
        (struct.pack("<Q", 50) + b"{", "inside its header"),
        (struct.pack("<Q", 2) + b"{]", "its header is not readable"),
        (struct.pack("<Q", 2) + b"[]", "its header is not a table"),
        (
            struct.pack("<Q", 2) + b"{}",
            "is a safetensors file of another program: it has no 'napari_bgremove' description",
        ),
        (struct.pack("<Q", 9) + b'{"a":NaN}', "its header is not readable"),
        (struct.pack("<Q", 20) + b'{"__metadata__":[1]}', "of another program"),
        (struct.pack("<Q", 200_000) + b"[" * 200_000, "its header is not readable"),
        (struct.pack("<Q", 7) + b'{"\xff":1}', "its header is not readable"),
    ],
)
def test_what_is_no_model_file_is_refused_by_its_reason(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "strange.safetensors"
    path.write_bytes(content)
    assert sentence in _refused(path)


def test_a_model_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(safetensors.torch.save({"weight": torch.ones(3)}, metadata={"format": "pt"}))
    assert "of another program" in _refused(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.safetensors", tmp_path):
        with pytest.raises(ModelFileError, match=r"cannot be read: .*\. Check the path\."):
            read_model(path)


def _forge(
    path: Path,
    *,
    text: Callable[[str], str] = lambda text: text,
    tensors: Callable[[dict[str, Tensor]], dict[str, Tensor]] = lambda t: t,
) -> Path:
    """Rewrite a model file as somebody would who knows its format and makes every checksum fit."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    forged = tensors(safetensors.torch.load(content))
    described = metadata[KEY].partition(" ")[2]
    tensors_digest = str(json.loads(described)["tensors_sha256"])
    described = text(described).replace(tensors_digest, _digest(forged))
    metadata = {KEY: f"{hashlib.sha256(described.encode()).hexdigest()} {described}"}
    path.write_bytes(safetensors.torch.save(forged, metadata=metadata))
    return path


def test_the_forger_of_these_tests_can_make_a_good_file(model: Path) -> None:
    assert read_model(_forge(model)).description.tile == 64


def test_a_file_from_before_padded_was_stored_means_true(model: Path) -> None:
    def without(text: str) -> str:
        return json.dumps({name: value for name, value in json.loads(text).items() if name != "padded"})

    assert "padded" in json.loads(DESCRIPTION.model_dump_json())
    assert read_model(_forge(model, text=without)).description.padded is True


def _with(changes: dict[str, Any]) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | changes)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: "[" * 100_000, "its description is not readable"),
        (lambda text: "[" * 500 + "]" * 500, "invalid description"),
        (lambda text: text.replace("64", "NaN"), "its description is not readable"),
        (lambda text: text.replace('"tile":64', '"tile":Infinity'), "its description is not readable"),
        (lambda text: text.replace('"tile":64', '"tile":' + "9" * 5000), "its description is not readable"),
        (lambda text: text.replace('"tile":64', '"tile":' + "9" * 400), "invalid description: 'tile'"),
        (lambda text: text.replace("99.0", "1e999"), "invalid description: 'percentiles.1'"),
        (lambda text: text.replace('"epoch":3.0', '"epoch":1e999'), "invalid description: 'progress.epoch'"),
        (lambda text: "null", "invalid description"),
        (lambda text: '"text"', "invalid description"),
        (_with({"format": 2}), "has the model format 2, this version reads 1. Update napari-bgremove"),
        (_with({"format": "9" * 5000}), "has the model format 99999999999999999999, this version"),
        (_with({"network": {"family": "os.system"}}), "invalid description: 'network.family'"),
        (_with({"network": {"family": "napari_bgremove.learning.networks.AdditiveNetwork"}}), "'network.family'"),
        (_with({"network": {"__class__": "builtins.eval"}}), "invalid description: 'network.__class__'"),
        (_with({"network": {"fields": [1, 1, 1, 10**9]}}), "invalid description: 'network.fields.3'"),
        (_with({"callback": "builtins.eval"}), "invalid description: 'callback'"),
        (_with({"normalization": "eval"}), "invalid description: 'normalization'"),
        (_with({"percentiles": [1.0]}), "invalid description: 'percentiles"),
        (_with({"percentiles": [-5, 400]}), "invalid description: 'percentiles.0'"),
        (_with({"percentiles": [99, 1]}), "invalid description: 'percentiles': must rise, found 99.0 and 1.0."),
        (_with({"padded": "maybe"}), "invalid description: 'padded'"),
        (_with({"tile": 100}), "invalid description: 'tile'"),
        (_with({"tensors_sha256": "0" * 10**6}), "invalid description: 'tensors_sha256'"),
    ],
)
def test_a_hostile_description_is_refused_by_its_reason(
    model: Path, change: Callable[[str], str], sentence: str
) -> None:
    assert sentence in _refused(_forge(model, text=change))
    with pytest.raises(ModelFileError, match=model.name):
        read_description(model)


@pytest.mark.parametrize("fields", [(1024, 1024, 1024, 1024), (2, 2, 2, 2)])
def test_a_description_of_a_larger_network_is_refused_before_anything_is_allocated(
    model: Path, fields: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = _with({"network": SPEC.model_dump() | {"fields": fields}})
    monkeypatch.setattr(safetensors.torch, "load", safetensors.torch.load)
    _forge(model, text=changed)
    monkeypatch.setattr(safetensors.torch, "load", lambda *_: pytest.fail("the tensors were loaded"))
    assert "does not fit the architecture it names: tensor 'model/" in _refused(model)


def test_an_altered_description_is_found_by_its_checksum(model: Path) -> None:
    """Percentiles decide the result like weights do; they are protected like weights."""
    content = model.read_bytes()
    assert content.count(b"99.0") == 1
    model.write_bytes(content.replace(b"99.0", b"98.0"))
    assert "the checksum of its description does not match" in _refused(model)


def _bigger(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda tensors: tensors | {name: change(tensors[name])}


WEIGHT = "model/unet.to_latents.coefficients"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            _bigger(WEIGHT, lambda t: t[:1].clone()),
            f"tensor '{WEIGHT}' is F32 [1, 1, 1, 6] instead of F32 [2, 1, 1, 6]",
        ),
        (_bigger(WEIGHT, lambda t: t.double()), f"tensor '{WEIGHT}' is F64"),
        (_bigger(WEIGHT, lambda t: t.transpose(0, 1).contiguous()), f"tensor '{WEIGHT}' is F32 [1, 2, 1, 6]"),
        (lambda t: {k: v for k, v in t.items() if k != WEIGHT}, f"tensor '{WEIGHT}' is missing"),
        (lambda t: t | {"model/extra": torch.ones(1)}, "tensor 'model/extra' does not belong to it"),
        (lambda t: t | {"optim/nowhere/exp_avg": torch.ones(1)}, "tensor 'optim/nowhere/exp_avg' does not belong"),
        (lambda t: t | {"optim/head.conv.bias/exp_avg": torch.ones(2)}, "instead of F32 [1]"),
        (lambda t: t | {"optim/head.conv.bias/code": torch.ones(1)}, "does not belong to it"),
        (lambda t: t | {"x" * 3000: torch.ones(1)}, "does not belong to it"),
        (_bigger(WEIGHT, lambda t: t * float("nan")), "it holds weights that are not finite"),
        (_bigger(WEIGHT, lambda t: t + float("inf")), "it holds weights that are not finite"),
        (_bigger("selftest/signal", lambda t: t * float("nan")), "not finite"),
        (lambda t: t | {"optim/head.conv.bias/exp_avg": torch.full((1,), float("nan"))}, "not finite"),
        (
            _bigger("model/head.conv.bias", lambda t: t * 1.5),
            "does not compute on this machine what it computed when it was written",
        ),
        (_bigger("selftest/signal", lambda t: t + 0.1), "self-test failed"),
        (_bigger(WEIGHT, lambda t: t * 0 + 1e38), "self-test failed"),
    ],
)
def test_forged_tensors_are_refused_by_their_reason(
    model: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], sentence: str
) -> None:
    assert sentence in _refused(_forge(model, tensors=change))


def test_swapped_tensors_of_one_shape_are_found(model: Path) -> None:
    """Same bytes, same shapes, other names: only a checksum that covers the names sees it."""
    one, two = b"unet.encoder.1.second.coefficients", b"unet.encoder.2.second.coefficients"
    content = model.read_bytes()
    assert content.count(one) == content.count(two) == 1
    model.write_bytes(content.replace(one, b"?").replace(two, one).replace(b"?", two))
    _refused(model)
