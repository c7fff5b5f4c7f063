"""Names, shapes and first values of what the network learns; the names are those of the torch network's state_dict."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from napari_bgremove._validation import describe_shape
from napari_bgremove.numpy_network.arrays import Array, Weights
from napari_bgremove.numpy_network.spec import PriorGuidedSpec

__all__ = [
    "ENCODER",
    "FIRST_BETA",
    "FIRST_LAMBDA",
    "KERNEL",
    "check_weights",
    "list_blocks",
    "list_shapes",
    "make_weights",
]

#: Samples that a 3-tap kernel, and the prior of one, covers.
KERNEL = 3
#: The blocks of an encoder, from full resolution down; the prior has its own of the same shape.
ENCODER = ("inc", "down1", "down2", "down3")
#: How strongly the prior modulates the kernel at first.
FIRST_BETA = 0.5
#: What a learnt shrinkage takes away at first, of maps with unit variance.
FIRST_LAMBDA = 0.1


def list_blocks(spec: PriorGuidedSpec) -> dict[str, tuple[int, int, int]]:
    """Return channels in, between and out of each block of two convolutions, by name."""
    w = spec.width
    encoder = {"inc": (1, w, w), "down1": (w, 2 * w, 2 * w), "down2": (2 * w, 4 * w, 4 * w)}
    encoder["down3"] = (4 * w, 8 * w, 8 * w)
    bottom = {"down4": (8 * w, 8 * w, 8 * w)}
    # Coming up, each sees the block below it and the one of its own resolution.
    decoder = {"up1": (16 * w, 8 * w, 4 * w), "up2": (8 * w, 4 * w, 2 * w), "up3": (4 * w, 2 * w, w)}
    decoder["up4"] = (2 * w, w, w)
    whole = {**encoder, **bottom, **decoder}
    left = spec.hidden_widths
    narrowed = {name: (i, left.get(name, between), o) for name, (i, between, o) in whole.items()}
    prior = {} if spec.prior == "off" else {f"prior.{name}": size for name, size in encoder.items()}
    return {**narrowed, **prior}


def list_shapes(spec: PriorGuidedSpec) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter and running statistic by its name."""
    shapes = dict(_shapes_of_blocks(spec))
    shapes |= {"outc.weight": (1, spec.width, 1), "outc.bias": (1,)}
    return shapes if spec.prior == "off" else {**shapes, "beta": ()}


def make_weights(spec: PriorGuidedSpec, seed: int, *, dtype: DTypeLike = np.float32) -> dict[str, Array]:
    """Draw the weights an untrained network starts from.

    Kernels and biases of convolutions are uniform within 1 / sqrt(inputs per
    output), as in torch; batch normalization is the identity, beta is 0.5, and
    a learnt shrinkage starts with Lambda = 0.1. The same seed gives the same
    weights; float32 ones are the float64 ones, rounded.

    Parameters
    ----------
    spec : PriorGuidedSpec
    seed : int
    dtype : float32 or float64
        The network computes in the dtype of its weights.

    Returns
    -------
    dict of str to ndarray
        Plain arrays: what writes arrays by name (npz, safetensors) keeps every bit.
    """
    rng = np.random.default_rng(seed)
    shapes = list_shapes(spec)
    return {name: _draw(rng, name, shapes).astype(_dtype_of(name, dtype)) for name in shapes}


def check_weights(spec: PriorGuidedSpec, weights: Weights) -> None:
    """Raise ValueError unless names, shapes and kinds of the weights are those of the specification."""
    shapes = list_shapes(spec)
    for problem, names in (("lacks", shapes.keys() - weights.keys()), ("holds also", weights.keys() - shapes.keys())):
        if names:
            listed = ", ".join(sorted(names)[:3])
            msg = f"'weights' must be those of the specification; it {problem} {len(names)} of them: {listed}."
            raise ValueError(msg)
    dtype = weights["inc.conv1.weight"].dtype
    if dtype not in (np.float32, np.float64):
        msg = f"'weights' must be float32 or float64; found {dtype}."
        raise ValueError(msg)
    for name, shape in shapes.items():
        value, expected = weights[name], _dtype_of(name, dtype)
        if value.shape != shape or value.dtype != expected:
            msg = (
                f"'{name}' must be {describe_shape(shape)} of {np.dtype(expected)}; "
                f"found {describe_shape(value.shape)} of {value.dtype}."
            )
            raise ValueError(msg)


def _shapes_of_blocks(spec: PriorGuidedSpec) -> Iterator[tuple[str, tuple[int, ...]]]:
    for block, (inputs, between, outputs) in list_blocks(spec).items():
        in_prior = block.startswith("prior.")
        for number, (c, o) in enumerate(((inputs, between), (between, outputs)), start=1):
            yield f"{block}.conv{number}.weight", (o, c, KERNEL)
            yield f"{block}.conv{number}.bias", (o,)
            if spec.normalized or in_prior:
                for name in ("weight", "bias", "running_mean", "running_var"):
                    yield f"{block}.norm{number}.{name}", (o,)
                yield f"{block}.norm{number}.num_batches_tracked", ()
            if spec.activation != "relu" and spec.threshold == "learnt" and not in_prior:
                yield f"{block}.shrink{number}.theta", (o,)


def _draw(rng: np.random.Generator, name: str, shapes: dict[str, tuple[int, ...]]) -> Array:
    layer, _, last = name.rpartition(".")
    shape = shapes[name]
    if "conv" in layer or layer == "outc":
        _, inputs, taps = shapes[f"{layer}.weight"]
        return np.asarray(rng.uniform(-1, 1, shape) / np.sqrt(inputs * taps))
    constants = {"beta": FIRST_BETA, "theta": np.log(np.expm1(FIRST_LAMBDA)), "weight": 1.0, "running_var": 1.0}
    return np.full(shape, constants.get(last, 0.0))


def _dtype_of(name: str, dtype: DTypeLike) -> DTypeLike:
    return np.int64 if name.endswith("num_batches_tracked") else dtype
