"""The block the denoiser is made of: twice convolution, normalization, activation."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from napari_bgremove.learning.hidden_layers import HiddenLayer
from napari_bgremove.learning.networks.shrinkage import LearntShrinkage, make_activation
from napari_bgremove.learning.networks.signal_norm import SignalNorm, Unnormalized
from napari_bgremove.numpy_network.spec import NormMode, PriorGuidedSpec
from napari_bgremove.numpy_network.weights import KERNEL

__all__ = ["DoubleConv", "convolve_each"]


class DoubleConv(nn.Module):
    """Convolution, normalization and activation, twice: (B, inputs, L) -> (B, outputs, L).

    Parameters
    ----------
    inputs, middle, outputs : int
        Channels before, between and after the two convolutions of three taps.
    spec : PriorGuidedSpec
        Whether there is a normalization, and which activation.
    """

    def __init__(self, inputs: int, middle: int, outputs: int, spec: PriorGuidedSpec) -> None:
        super().__init__()
        normalize = SignalNorm if spec.normalized else lambda _channels: Unnormalized()
        self.conv1 = nn.Conv1d(inputs, middle, KERNEL, padding=KERNEL // 2)
        self.norm1 = normalize(middle)
        self.shrink1 = make_activation(spec, middle)  # the ReLU, if it is one, has no parameters
        self.conv2 = nn.Conv1d(middle, outputs, KERNEL, padding=KERNEL // 2)
        self.norm2 = normalize(outputs)
        self.shrink2 = make_activation(spec, outputs)

    def forward(self, x: Tensor, norm: NormMode, kernels: Tensor | None = None) -> Tensor:
        """Apply the block; `kernels`, one for each sample, take the place of the first convolution's."""
        x = self.conv1(x) if kernels is None else convolve_each(x, kernels, self.conv1.bias)
        x = self.shrink1(self.norm1(x, norm))
        y: Tensor = self.shrink2(self.norm2(self.conv2(x), norm))
        return y

    def hidden_layer(self, name: str) -> HiddenLayer:
        """Return what lies between the two convolutions."""
        norm = self.norm1 if isinstance(self.norm1, SignalNorm) else None
        threshold = self.shrink1 if isinstance(self.shrink1, LearntShrinkage) else None
        return HiddenLayer(name, self.conv1, self.conv2, norm, threshold)


def convolve_each(x: Tensor, kernels: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve each sample with a kernel of its own.

    Parameters
    ----------
    x : Tensor, shape (B, I, L)
    kernels : Tensor, shape (B, O, I, K)
    bias : Tensor, shape (O,), optional

    Returns
    -------
    Tensor, shape (B, O, L)
    """
    samples, outputs = kernels.shape[:2]
    # One convolution of as many groups as there are samples.
    flat = functional.conv1d(
        x.reshape(1, -1, x.shape[-1]), kernels.flatten(0, 1), padding=kernels.shape[-1] // 2, groups=samples
    )
    y = flat.reshape(samples, outputs, -1)
    return y if bias is None else y + bias[:, None]
