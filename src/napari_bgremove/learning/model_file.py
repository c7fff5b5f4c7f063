"""One model, one file: safetensors with a validated description inside.

The file holds the free coefficients, never expanded kernels; it names its
architecture by an enumeration of ours, never by an import path; a SHA-256 over
the tensors finds a single flipped bit, which neither safetensors nor torch
would; and an input with its expected output travels along, so that a loaded
model proves on this machine that it computes what it computed at home. A
checkpoint is the same file with the optimizer's moments added.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import safetensors.torch
import torch
from pydantic import ValidationError
from torch import Tensor

from napari_bgremove._files import atomic_write
from napari_bgremove._model_header import (
    KEY,
    damaged,
    digest_tensors,
    find_subject,
    open_model_file,
    parse_description,
    parse_header,
    read_header,
    text_digest,
)
from napari_bgremove.errors import ModelFileError
from napari_bgremove.learning.model_description import (
    Description,
    ModelDescription,
    SignalModelDescription,
    SpectraModelDescription,
)
from napari_bgremove.learning.networks import AdditiveNetwork, Network, PriorGuidedNet, SpectroscopyNet, build_network
from napari_bgremove.learning.self_test import measure_deviation, predict_pattern

__all__ = [
    "LoadedModel",
    "LoadedSignalModel",
    "LoadedSpectraModel",
    "ModelDescription",
    "SignalModelDescription",
    "SpectraModelDescription",
    "read_description",
    "read_model",
    "read_signal_model",
    "read_spectra_model",
    "write_model",
]

# The tolerance bioimage.io uses for its own test tensors.
_SELFTEST_TOLERANCE = 1e-3

AnyNetwork = TypeVar("AnyNetwork", AdditiveNetwork, SpectroscopyNet, PriorGuidedNet)
AnyDescription = TypeVar("AnyDescription", ModelDescription, SpectraModelDescription, SignalModelDescription)

# What AdamW and SGD remember of each parameter.
_MOMENTS = ("exp_avg", "exp_avg_sq", "momentum_buffer")
# Names of safetensors for what a network may hold; counters of batch normalisation are whole.
_DTYPES = {torch.float32: "F32", torch.int64: "I64"}


@dataclass(frozen=True)
class _Loaded(Generic[AnyNetwork, AnyDescription]):
    """A network ready to use, with its description.

    Attributes
    ----------
    network : AdditiveNetwork, SpectroscopyNet or PriorGuidedNet
        On the CPU, in evaluation mode.
    description : ModelDescription, SpectraModelDescription or SignalModelDescription
    sha256 : str
        Of the tensors: names the model in provenance.
    training : mapping of str to Tensor
        Optimizer moments, empty for a finished model.
    path : Path
    deviation : float
        What the self-test found when the file was read: the largest deviation
        from the output it had where it was written, relative to its largest value.
    """

    network: AnyNetwork
    description: AnyDescription
    sha256: str
    path: Path
    deviation: float
    training: Mapping[str, Tensor] = field(default_factory=dict)


class LoadedModel(_Loaded[AdditiveNetwork, ModelDescription]):
    """A network for images, with its description."""


class LoadedSpectraModel(_Loaded[SpectroscopyNet, SpectraModelDescription]):
    """A network for spectra, with its description."""


class LoadedSignalModel(_Loaded[PriorGuidedNet, SignalModelDescription]):
    """A denoiser of signals, with its description."""


def write_model(
    path: str | os.PathLike[str],
    network: Network,
    description: Description,
    *,
    training: Mapping[str, Tensor] | None = None,
) -> str:
    """Write a network, and optionally its training state, in one atomic step.

    Returns
    -------
    str
        SHA-256 of the tensors.

    Raises
    ------
    ModelFileError
        When a tensor is not finite. The old file is then still in place.
    """
    tensors = {f"model/{name}": value for name, value in network.state_dict().items()}
    tensors |= dict(training or {})
    tensors |= dict(zip(("selftest/signal", "selftest/background"), predict_pattern(network), strict=True))
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()
    }
    digest = _digest(tensors)
    if not all(bool(torch.isfinite(t).all()) for t in tensors.values()):
        msg = (
            f"'{Path(path).name}' is not written: the network holds or computes values that are not finite. "
            "Train again with a lower learning rate."
        )
        raise ModelFileError(msg)
    text = description.model_copy(update={"tensors_sha256": digest}).model_dump_json()
    # One entry: with two, their order in the file would be left to chance.
    metadata = {KEY: f"{text_digest(text)} {text}"}
    atomic_write(path, safetensors.torch.save(tensors, metadata=metadata))
    return digest


def read_description(path: str | os.PathLike[str]) -> ModelDescription:
    """Read what the model file of an image network says about itself, without its tensors."""
    path = Path(path)
    return _describe(path, read_header(path), ModelDescription)


def read_model(path: str | os.PathLike[str]) -> LoadedModel:
    """Read the model file of an image network and prove that it is whole.

    Raises
    ------
    ModelFileError
        One sentence with the file and the reason: not a model file, damaged,
        of another architecture, or not computing what it should.
    """
    return LoadedModel(**_read(Path(path), ModelDescription))


def read_spectra_model(path: str | os.PathLike[str]) -> LoadedSpectraModel:
    """Read the model file of a network for spectra and prove that it is whole; errors as for `read_model`."""
    return LoadedSpectraModel(**_read(Path(path), SpectraModelDescription))


def read_signal_model(path: str | os.PathLike[str]) -> LoadedSignalModel:
    """Read the model file of a denoiser and prove that it is whole; errors as for `read_model`."""
    return LoadedSignalModel(**_read(Path(path), SignalModelDescription))


def _read(path: Path, kind: type[AnyDescription]) -> dict[str, Any]:
    """Return what a loaded model consists of, by the names of its fields."""
    header, content = _read_whole(path)
    description = _describe(path, header, kind)
    with torch.device("meta"):  # shapes only: nothing is allocated for a file that lies
        _check_table(path, header, build_network(description.network, seed=0))
    try:
        tensors = safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, RuntimeError) as error:
        raise damaged(path.name, "its tensors cannot be read") from error
    digest = _digest(tensors)
    if digest != description.tensors_sha256:
        raise damaged(path.name, "its checksum does not match its content")
    if not all(bool(torch.isfinite(t).all()) for t in tensors.values()):
        raise damaged(path.name, "it holds weights that are not finite")
    weights = {name.removeprefix("model/"): t for name, t in tensors.items() if name.startswith("model/")}
    network = build_network(description.network, seed=0)  # a seed leaves the global random state alone
    network.load_state_dict(weights)
    network.eval()
    expected = tensors["selftest/signal"], tensors["selftest/background"]
    deviation = measure_deviation(network, expected)
    if deviation > _SELFTEST_TOLERANCE:
        msg = (
            f"'{path.name}' does not compute on this machine what it computed when it was written; its "
            "self-test failed."
        )
        raise ModelFileError(msg)
    training = {n: t for n, t in tensors.items() if not n.startswith(("model/", "selftest/"))}
    return {
        "network": network, "description": description, "sha256": digest, "path": path, "deviation": deviation,
        "training": training,
    }  # fmt: skip


def _digest(tensors: Mapping[str, Tensor]) -> str:
    return digest_tensors({name: tensor.numpy() for name, tensor in tensors.items()})


def _read_whole(path: Path) -> tuple[dict[str, Any], bytes]:
    """Read the file and its safetensors header; the tensors are not built yet."""
    with open_model_file(path) as file:
        content = file.read()
    return parse_header(path.name, content), content


def _describe(path: Path, header: Mapping[str, Any], kind: type[AnyDescription]) -> AnyDescription:
    raw = parse_description(path.name, header)
    subject = find_subject(raw)
    if subject not in (None, kind.subject):
        msg = f"'{path.name}' must be a model for {kind.subject}; found one for {subject}. Choose another file."
        raise ModelFileError(msg)
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])[:80] or "description"
        reason = first["msg"].removeprefix("Value error, ").rstrip(".")
        msg = f"'{path.name}' has an invalid description: '{where}': {reason}."
        raise ModelFileError(msg) from error


def _check_table(path: Path, header: Mapping[str, Any], network: Network) -> None:
    """Compare names, shapes and dtypes with the architecture before anything is allocated."""
    state = network.state_dict()
    expected = {f"model/{name}": list(t.shape) for name, t in state.items()}
    expected |= {f"selftest/{part}": list(network.pattern_shape) for part in ("signal", "background")}
    dtypes = {f"model/{name}": _DTYPES[t.dtype] for name, t in state.items()}
    parameters = {name: list(p.shape) for name, p in network.named_parameters()}
    found = {name: entry for name, entry in header.items() if name != "__metadata__"}
    missing = sorted(set(expected) - set(found))
    if missing:
        raise _foreign(path, f"tensor '{missing[0]}' is missing")
    for name, entry in found.items():
        shape = entry.get("shape") if isinstance(entry, dict) else None
        dtype = entry.get("dtype") if isinstance(entry, dict) else None
        wanted = expected[name] if name in expected else _moment_shape(name, parameters)
        if wanted is None:
            raise _foreign(path, f"tensor '{name[:80]}' does not belong to it")
        right = dtypes.get(name, "F32")
        if shape != wanted or dtype != right:
            found_as = f"{str(dtype)[:8]} {str(shape)[:60]}"
            raise _foreign(path, f"tensor '{name[:80]}' is {found_as} instead of {right} {wanted}")


def _moment_shape(name: str, parameters: Mapping[str, list[int]]) -> list[int] | None:
    parts = name.split("/")
    if len(parts) != 3 or parts[0] != "optim" or parts[1] not in parameters:
        return None
    return [] if parts[2] == "step" else parameters[parts[1]] if parts[2] in _MOMENTS else None


def _foreign(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(f"'{path.name}' does not fit the architecture it names: {reason}.")
