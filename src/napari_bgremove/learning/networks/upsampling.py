"""Nearest upsampling by two and a 3x3 convolution, done at once on the small image.

After nearest upsampling neighbouring taps meet the same small pixel, so each of
the four sub-pixel positions sees only a 2x2 neighbourhood: the nine taps add up
to four. The four 2x2 convolutions run on the small image as one with four times
the outputs, 2.25 times fewer multiplications; only the rounding differs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["upsample_and_convolve"]

# Which of three taps along an axis fall together: after an odd position [t0 + t1, t2],
# after an even one [t0, t1 + t2]. Odd comes first because the sub-pixels are
# written one pixel early, and the border that appears is cut off.
_FOLD = (((1.0, 1.0, 0.0), (0.0, 0.0, 1.0)), ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)))


def upsample_and_convolve(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Return conv2d(nearest upsampling of x by 2, kernel, bias, padding=1).

    Parameters
    ----------
    x : Tensor, shape (B, I, H, W)
    kernel : Tensor, shape (O, I, 3, 3)
    bias : Tensor, shape (O,)

    Returns
    -------
    Tensor, shape (B, O, 2 H, 2 W)
        A view into a slightly larger tensor.
    """
    fold = torch.tensor(_FOLD, dtype=kernel.dtype, device=kernel.device)
    folded = torch.einsum("oihw,pah,qbw->opqiab", kernel, fold, fold).flatten(0, 2)
    folded = folded.contiguous(memory_format=torch.channels_last)
    phases = functional.conv2d(x, folded, bias.repeat_interleave(4), padding=1)  # (B, 4 O, H + 1, W + 1)
    return functional.pixel_shuffle(phases, 2)[..., 1:-1, 1:-1]
