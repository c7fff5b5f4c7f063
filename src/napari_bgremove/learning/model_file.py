"""One model, one file: safetensors with a validated description inside.

The file holds the free coefficients, never expanded kernels; it names its
architecture by an enumeration of ours, never by an import path; a SHA-256 over
the tensors finds a single flipped bit, which neither safetensors nor torch
would; and an input with its expected output travels along, so that a loaded
model proves on this machine that it computes what it computed at home. A
checkpoint is the same file with the optimizer's moments added.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from torch import Tensor

from napari_bgremove._files import atomic_write
from napari_bgremove._model_header import (
    KEY,
    damaged,
    open_model_file,
    parse_description,
    parse_header,
    read_header,
    text_digest,
)
from napari_bgremove.errors import ModelFileError
from napari_bgremove.learning.networks import AdditiveNetwork, NetworkSpec, build_network

__all__ = ["LoadedModel", "ModelDescription", "read_description", "read_model", "write_model"]

_SELFTEST_SIZE = 64
# The tolerance bioimage.io uses for its own test tensors.
_SELFTEST_TOLERANCE = 1e-3


Percentile = Annotated[float, Field(ge=0, le=100)]


class ModelDescription(BaseModel):
    """What a model file says about itself.

    `normalization`, `percentiles` and `tile` are what the network was trained
    with and are applied with, `merge` and `padded` how its predictions become
    an image; `recipe` and `provenance` are for people. A file that says
    nothing of `padded` is from before it was stored, and means True.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    network: NetworkSpec
    normalization: Literal["conserving", "literal"] = "conserving"
    percentiles: tuple[Percentile, Percentile] = (1.0, 99.95)
    tile: int = Field(default=128, ge=8, le=4096, multiple_of=8)
    merge: Literal["weighted", "median", "mean"] = "weighted"
    padded: bool = True
    recipe: dict[str, Any] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)
    progress: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)
    tensors_sha256: str = Field(default="", max_length=64)

    @field_validator("percentiles")
    @classmethod
    def _check_order(cls, percentiles: tuple[float, float]) -> tuple[float, float]:
        if not percentiles[0] < percentiles[1]:
            msg = f"must rise, found {percentiles[0]} and {percentiles[1]}"
            raise ValueError(msg)
        return percentiles


@dataclass(frozen=True)
class LoadedModel:
    """A network ready to use, with its description.

    Attributes
    ----------
    network : AdditiveNetwork
        On the CPU, in evaluation mode.
    description : ModelDescription
    sha256 : str
        Of the tensors: names the model in provenance.
    training : mapping of str to Tensor
        Optimizer moments, empty for a finished model.
    path : Path
    deviation : float
        What the self-test found when the file was read: the largest deviation
        from the output it had where it was written, relative to its largest value.
    """

    network: AdditiveNetwork
    description: ModelDescription
    sha256: str
    path: Path
    deviation: float
    training: Mapping[str, Tensor] = field(default_factory=dict)


def write_model(
    path: str | os.PathLike[str],
    network: AdditiveNetwork,
    description: ModelDescription,
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
    tensors |= dict(zip(("selftest/signal", "selftest/background"), _predict_pattern(network), strict=True))
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
    """Read what a model file says about itself, without its tensors."""
    path = Path(path)
    return _describe(path, read_header(path))


def read_model(path: str | os.PathLike[str]) -> LoadedModel:
    """Read a model file and prove that it is whole.

    Raises
    ------
    ModelFileError
        One sentence with the file and the reason: not a model file, damaged,
        of another architecture, or not computing what it should.
    """
    path = Path(path)
    header, content = _read_whole(path)
    description = _describe(path, header)
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
    deviation = _self_test(network, expected)
    if deviation > _SELFTEST_TOLERANCE:
        msg = (
            f"'{path.name}' does not compute on this machine what it computed when it was written; its "
            "self-test failed."
        )
        raise ModelFileError(msg)
    training = {n: t for n, t in tensors.items() if not n.startswith(("model/", "selftest/"))}
    return LoadedModel(network, description, digest, path, deviation, training)


def _self_test(network: AdditiveNetwork, expected: tuple[Tensor, Tensor]) -> float:
    """Return the largest deviation from the expected output, relative to its largest value."""
    deviation = 0.0
    for now, then in zip(_predict_pattern(network), expected, strict=True):
        scale = max(float(then.abs().max()), 1e-3)
        worst = float((now - then).abs().max()) / scale
        deviation = max(deviation, worst if math.isfinite(worst) else math.inf)  # max() would lose a NaN
    return deviation


def _predict_pattern(network: AdditiveNetwork) -> tuple[Tensor, Tensor]:
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        signal, background = network(_pattern().to(device))
    network.train(was_training)
    return signal[0, 0].float().cpu(), background[0, 0].float().cpu()


def _pattern() -> Tensor:
    """Make the self-test input from a formula: no random generator, no file."""
    n = torch.arange(_SELFTEST_SIZE, dtype=torch.float64)
    wave = 0.5 + 0.5 * torch.sin(0.37 * n[:, None] + 0.11 * n[None, :] ** 1.5)
    spots = (torch.cos(1.7 * n[:, None]) * torch.cos(2.3 * n[None, :])) > 0.9
    return (0.3 * wave + 0.7 * spots).clamp(0, 1).float()[None, None]


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _read_whole(path: Path) -> tuple[dict[str, Any], bytes]:
    """Read the file and its safetensors header; the tensors are not built yet."""
    with open_model_file(path) as file:
        content = file.read()
    return parse_header(path.name, content), content


def _describe(path: Path, header: Mapping[str, Any]) -> ModelDescription:
    raw = parse_description(path.name, header)
    try:
        return ModelDescription.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])[:80] or "description"
        reason = first["msg"].removeprefix("Value error, ")
        msg = f"'{path.name}' has an invalid description: '{where}': {reason}."
        raise ModelFileError(msg) from error


def _check_table(path: Path, header: Mapping[str, Any], network: AdditiveNetwork) -> None:
    """Compare names, shapes and dtypes with the architecture before anything is allocated."""
    expected = {f"model/{name}": list(t.shape) for name, t in network.state_dict().items()}
    expected |= {f"selftest/{part}": [_SELFTEST_SIZE] * 2 for part in ("signal", "background")}
    parameters = {name: list(p.shape) for name, p in network.named_parameters()}
    found = {name: entry for name, entry in header.items() if name != "__metadata__"}
    missing = sorted(set(expected) - set(found))
    if missing:
        raise _foreign(path, f"tensor '{missing[0]}' is missing")
    for name, entry in found.items():
        shape = entry.get("shape") if isinstance(entry, dict) else None
        dtype = entry.get("dtype") if isinstance(entry, dict) else None
        wanted = expected.get(name) or _moment_shape(name, parameters)
        if wanted is None:
            raise _foreign(path, f"tensor '{name[:80]}' does not belong to it")
        if shape != wanted or dtype != "F32":
            raise _foreign(path, f"tensor '{name[:80]}' is {str(dtype)[:8]} {str(shape)[:60]} instead of F32 {wanted}")


def _moment_shape(name: str, parameters: Mapping[str, list[int]]) -> list[int] | None:
    parts = name.split("/")
    if len(parts) != 3 or parts[0] != "optim" or parts[1] not in parameters:
        return None
    return [] if parts[2] == "step" else parameters[parts[1]] if parts[2] in ("exp_avg", "exp_avg_sq") else None


def _foreign(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(f"'{path.name}' does not fit the architecture it names: {reason}.")
