"""The whole prior-guided denoiser: forward, and backward from a loss to every weight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from napari_bgremove._validation import check_choice, check_same_shape, describe_shape
from napari_bgremove.errors import ComputeError
from napari_bgremove.numpy_network.arrays import Array, Weights
from napari_bgremove.numpy_network.blocks import (
    DownMemory,
    EncoderMemory,
    Gradients,
    PairMemory,
    UpMemory,
    backward_down,
    backward_encoder,
    backward_up,
    forward_down,
    forward_encoder,
    forward_up,
    list_statistics,
)
from napari_bgremove.numpy_network.convolution import ConvolutionMemory, backward_convolution, forward_convolution
from napari_bgremove.numpy_network.losses import LOSSES, Loss
from napari_bgremove.numpy_network.prior import (
    ModulationMemory,
    PriorMemory,
    backward_modulation,
    backward_prior,
    forward_modulation,
    forward_prior,
)
from napari_bgremove.numpy_network.spec import SHORTEST_SIGNAL, NormMode, PriorGuidedSpec
from napari_bgremove.numpy_network.weights import check_weights

__all__ = ["NetworkMemory", "NumpyPriorGuidedNet", "backward_network", "forward_network"]

_DECODER = ("up1", "up2", "up3", "up4")
_GUIDED = "down4.conv1.weight"
_NORMS = ("fixed", "batch", "signal")
# Signals that do not depend on each other go through in parts: all that is remembered of one fits a processor's cache.
_VALUES_AT_ONCE = 2**14
_FEWEST_AT_ONCE = 4


class NetworkMemory(NamedTuple):
    """Of every part, in the order of the forward pass."""

    prior: tuple[PriorMemory, ModulationMemory] | None
    encoder: EncoderMemory
    bottom: DownMemory
    decoder: list[UpMemory]
    last: ConvolutionMemory


class NumpyPriorGuidedNet:
    """Fang's denoiser with given weights, in numpy.

    A U-Net of pairs of convolutions (kernel 3, batch normalization, ReLU or
    shrinkage) at five resolutions. What the Wiener filter was for a signal, its
    impulse response encoded by a second encoder to g, modulates the first kernel
    at the lowest resolution: K (1 + beta g). Neither a forward pass nor a
    gradient changes anything; a training replaces the weights (`train`).

    Parameters
    ----------
    spec : PriorGuidedSpec
    weights : mapping of str to ndarray
        By the names of the torch network's state_dict; float32 or float64, in
        which everything is computed. Not modified. `make_weights` draws some.

    Raises
    ------
    ValueError
        When the weights are not those of the specification.

    References
    ----------
    H. Fang, "Advanced Project Updating", NYU Tandon School of Engineering (2021).
    """

    def __init__(self, spec: PriorGuidedSpec, weights: Weights) -> None:
        check_weights(spec, weights)
        self.spec = spec
        self.weights = weights

    def forward(self, measured: ArrayLike, *, norm: NormMode = "fixed") -> Array:
        """Estimate the signals in measured ones.

        Parameters
        ----------
        measured : array_like
            Signals (B, L), L of 16 or more. Not modified.
        norm : {"fixed", "batch", "signal"}
            Whose statistics batch normalization uses; see `NormMode`.

        Returns
        -------
        ndarray
            Signals (B, L), in the dtype of the weights. With the norms "fixed" and
            "signal", and a prior that is not "batch-mean", each is the same as
            if it were alone.

        Raises
        ------
        ValueError
            When there is no such norm, or `measured` is no stack of signals long enough.
        ComputeError
            When a value is not finite, or a mean and variance would come from a single value.
        """
        check_choice("norm", norm, _NORMS)
        signals = self._check_signals("measured", measured)
        together = norm == "batch" or self.spec.prior == "batch-mean"
        fitting = max(_FEWEST_AT_ONCE, _VALUES_AT_ONCE // (signals.shape[1] * self.spec.width))
        step = len(signals) if together else fitting
        parts = [signals[start : start + step] for start in range(0, len(signals), step)]
        return np.concatenate([forward_network(part, self.weights, self.spec, norm)[0] for part in parts])

    def loss_and_gradients(
        self, measured: ArrayLike, signal: ArrayLike, *, loss: Loss = "mse", norm: NormMode = "batch"
    ) -> tuple[float, Gradients, dict[str, Array]]:
        """Return the loss of a batch, its gradients, and what the running statistics become.

        Parameters
        ----------
        measured, signal : array_like
            As recorded, and what is to be found in it; (B, L) each. Not modified.
        loss : {"mse", "smooth_l1"}
        norm : {"fixed", "batch", "signal"}

        Returns
        -------
        loss : float
        gradients : dict of str to ndarray
            One for each weight that is learnt: as in torch none for the theta of
            a hard threshold. The impulse response that the prior sees is data: no
            gradient flows through it.
        statistics : dict of str to ndarray
            Running statistics after this batch, empty unless `norm` is "batch".

        Raises
        ------
        ValueError
            As `forward`, when there is no such loss, or the shapes differ.
        ComputeError
            As `forward`.
        """
        check_choice("loss", loss, tuple(LOSSES))
        check_choice("norm", norm, _NORMS)
        given = self._check_signals("measured", measured)
        wanted = self._check_signals("signal", signal)
        check_same_shape("signal", wanted, "measured", given)
        predicted, memory = forward_network(given, self.weights, self.spec, norm)
        value, by_predicted = LOSSES[loss](predicted, wanted)
        statistics = list_statistics(self.weights, _list_pairs(memory)) if norm == "batch" else {}
        return value, backward_network(by_predicted, memory), statistics

    def _check_signals(self, name: str, values: ArrayLike) -> Array:
        given: Array = np.asarray(values)
        if given.dtype.kind not in "buif" or given.ndim != 2 or len(given) < 1 or given.shape[1] < SHORTEST_SIGNAL:
            msg = (
                f"'{name}' must hold real signals (B x L) of {SHORTEST_SIGNAL} or more samples; "
                f"found {describe_shape(given.shape)} of {given.dtype}."
            )
            raise ValueError(msg)
        signals: Array = given.astype(self.weights["outc.weight"].dtype, copy=False)
        if not np.isfinite(signals).all():
            missing = int(np.count_nonzero(~np.isfinite(signals)))
            msg = f"'{name}' must be finite; found {missing} values that are not. Fill or cut the gaps first."
            raise ComputeError(msg)
        return signals


def forward_network(
    measured: Array, weights: Weights, spec: PriorGuidedSpec, norm: NormMode
) -> tuple[Array, NetworkMemory]:
    """Return the signals (B, L) in measured ones, and the memory for `backward_network`; nothing is checked."""
    maps, encoder = forward_encoder(measured[:, None], weights, "", spec, norm)
    prior, kernel = None, None
    if spec.prior != "off":
        guidance, encoded = forward_prior(measured, weights, spec, norm)
        shared = spec.prior == "batch-mean"
        kernel, modulation = forward_modulation(weights[_GUIDED], weights["beta"], guidance, shared=shared)
        prior = encoded, modulation
    y, bottom = forward_down(maps[-1], weights, "down4", spec, norm, kernel=kernel)
    decoder = []
    for block, skip in zip(_DECODER, reversed(maps), strict=True):
        y, memory = forward_up(y, skip, weights, block, spec, norm)
        decoder.append(memory)
    y, last = forward_convolution(y, weights["outc.weight"], weights["outc.bias"])
    return y[:, 0], NetworkMemory(prior, encoder, bottom, decoder, last)


def backward_network(g: Array, memory: NetworkMemory) -> Gradients:
    """Return the gradients of all weights for one with respect to the predicted signals (B, L)."""
    prior, encoder, bottom, decoder, last = memory
    gradients: Gradients = {}
    g, gradients["outc.weight"], gradients["outc.bias"] = backward_convolution(g[:, None], last)
    by_skips = []
    for up in reversed(decoder):
        g, by_skip, of_block = backward_up(g, up)
        by_skips.append(by_skip)
        gradients |= of_block
    g, of_block = backward_down(g, bottom)
    gradients |= of_block
    if prior is not None:
        encoded, modulation = prior
        gradients[_GUIDED], gradients["beta"], by_guidance = backward_modulation(gradients[_GUIDED], modulation)
        gradients |= backward_prior(by_guidance, encoded)
    # The deepest map of the encoder went both into the skip and further down.
    return gradients | backward_encoder([*by_skips[:-1], by_skips[-1] + g], encoder)


def _list_pairs(memory: NetworkMemory) -> Iterator[PairMemory]:
    encoders = [memory.encoder] if memory.prior is None else [memory.encoder, memory.prior[0].encoder]
    for top, downs in encoders:
        yield top
        yield from (pair for _, pair in downs)
    yield memory.bottom[1]
    yield from (up.pair for up in memory.decoder)
