"""The fast upsampling convolution is the slow one: same values, same gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from napari_bgremove.learning.networks.upsampling import upsample_and_convolve


def slow(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(functional.interpolate(x, scale_factor=2, mode="nearest"), kernel, bias, padding=1)


def random_arguments(shape: tuple[int, int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 3, *shape), (5, 3, 3, 3), (5,)]
    return [torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes]


@pytest.mark.parametrize("shape", [(8, 8), (3, 7), (1, 1)])
def test_upsample_and_convolve_equals_upsampling_then_convolving(shape):
    arguments = random_arguments(shape)
    fast = upsample_and_convolve(*arguments)
    torch.testing.assert_close(fast, slow(*arguments), rtol=0, atol=1e-13)


def test_upsample_and_convolve_has_the_gradients_of_upsampling_then_convolving():
    arguments = random_arguments((4, 6))
    expected = torch.autograd.grad(slow(*arguments).square().sum(), arguments)
    found = torch.autograd.grad(upsample_and_convolve(*arguments).square().sum(), arguments)
    for gradient, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-12, atol=1e-12)
