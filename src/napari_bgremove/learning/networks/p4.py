"""Convolutions that commute exactly with rotations by 90 degrees.

A *field* is a regular representation of the group C4: four channels, one per
orientation, that are cyclically shifted when the image turns. A kernel between
two fields is one small pattern per orientation difference, rotated into the
four frames of the output. A 3x3 pattern is not free in its nine taps: it lies
in the six-dimensional subspace that a band-limited steerable basis spans, so
one pair of fields has 4 x 6 = 24 coefficients (Cesa, Lang, Weiler, "A program
to build E(n)-equivariant steerable CNNs", ICLR 2022, and its library escnn).

Only the free coefficients are parameters; `expand` turns them into an ordinary
convolution kernel, which is all that runs on the image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ORIENTATIONS", "Kind", "P4Conv", "fill_normal", "steerable_basis"]

ORIENTATIONS = 4
Kind = str  # "trivial" (one channel, turns with the image) or "regular" (a field)

# Radial weight of the four corner taps (radius sqrt 2) on the ring of radius 1:
# a Gaussian of width 0.4 pixels, the default of escnn for the outermost ring.
_CORNER = math.exp(-((math.sqrt(2.0) - 1.0) ** 2) / (2 * 0.4**2))


def steerable_basis(kernel_size: int) -> Tensor:
    """Return the orthonormal patterns a steerable kernel is made of.

    Parameters
    ----------
    kernel_size : {1, 3}

    Returns
    -------
    Tensor, shape (n, kernel_size, kernel_size), float64
        One pattern for a 1x1 kernel; for 3x3 the centre, the ring, its two
        dipoles and its two quadrupoles.
    """
    if kernel_size == 1:
        return torch.ones(1, 1, 1, dtype=torch.float64, device="cpu")
    c = _CORNER
    patterns = torch.tensor(
        [
            [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
            [[c, 1, c], [1, 0, 1], [c, 1, c]],
            [[-c, 0, c], [-math.sqrt(2), 0, math.sqrt(2)], [-c, 0, c]],
            [[c, math.sqrt(2), c], [0, 0, 0], [-c, -math.sqrt(2), -c]],
            [[0, -1, 0], [1, 0, 1], [0, -1, 0]],
            [[-1, 0, 1], [0, 0, 0], [1, 0, -1]],
        ],
        dtype=torch.float64,
        device="cpu",  # also where networks are laid out without memory: arithmetic on "meta" is slow Python
    )
    norms: Tensor = patterns.flatten(1).norm(dim=1)
    return patterns / norms[:, None, None]


def fill_normal(parameter: Tensor, std: float) -> None:
    """Draw a parameter from a normal distribution, unless it has no memory (device "meta")."""
    if not parameter.is_meta:  # torch would import 800 modules to do nothing
        nn.init.normal_(parameter, std=std)


def _invariant_basis(kernel_size: int) -> Tensor:
    """Return the patterns that do not change when turned: the centre and the ring."""
    return steerable_basis(kernel_size)[: 1 if kernel_size == 1 else 2]


class P4Conv(nn.Module):
    """Convolution between trivial channels and C4 regular fields.

    Shape: (B, in_width, H, W) -> (B, out_width, H, W), where a width counts
    four channels per regular field and one per trivial channel. A channel of a
    field is addressed as `field * 4 + orientation`.

    Parameters
    ----------
    in_fields, out_fields : int
        Number of fields (regular) or channels (trivial).
    kernel_size : {1, 3}
        Zero padding keeps the image size.
    in_kind, out_kind : {"regular", "trivial"}
    gain : float
        Variance gain of the initialisation: 2 before a ReLU, 1 elsewhere. The
        variance of the *expanded* kernel is set (He et al., ICCV 2015), because
        that is what the image meets; scaling the coefficients alone starts the
        network so small that its ReLU head can die (docs/saxs.md).
    """

    def __init__(
        self,
        in_fields: int,
        out_fields: int,
        kernel_size: int = 3,
        *,
        in_kind: Kind = "regular",
        out_kind: Kind = "regular",
        gain: float = 2.0,
    ) -> None:
        super().__init__()
        self.in_fields, self.out_fields, self.kernel_size = in_fields, out_fields, kernel_size
        self.in_kind, self.out_kind = in_kind, out_kind
        both_trivial = in_kind == out_kind == "trivial"
        basis = _invariant_basis(kernel_size) if both_trivial else steerable_basis(kernel_size)
        self.register_buffer("basis", basis.to(torch.get_default_dtype()), persistent=False)
        steps = ORIENTATIONS if in_kind == out_kind == "regular" else 1
        self.coefficients = nn.Parameter(torch.empty(out_fields, in_fields, steps, len(basis)))
        self.bias = nn.Parameter(torch.zeros(out_fields))
        in_width = in_fields * (ORIENTATIONS if in_kind == "regular" else 1)
        fill_normal(self.coefficients, math.sqrt(gain / (in_width * len(basis))))

    def expand(self) -> tuple[Tensor, Tensor]:
        """Return the ordinary kernel (out, in, k, k) and bias (out,) this layer is."""
        patterns = torch.einsum("oism,mhw->oishw", self.coefficients, self.basis)  # (O, I, S, k, k)
        if self.in_kind == self.out_kind == "trivial":
            return patterns[:, :, 0], self.bias
        if self.in_kind == "trivial":  # lifting: the pattern in four frames
            frames = [torch.rot90(patterns[:, :, 0], r, (-2, -1)) for r in range(ORIENTATIONS)]
            return torch.stack(frames, dim=1).flatten(0, 1), self.bias.repeat_interleave(ORIENTATIONS)
        if self.out_kind == "trivial":  # projection: all four frames add up
            frames = [torch.rot90(patterns[:, :, 0], r, (-2, -1)) for r in range(ORIENTATIONS)]
            return torch.stack(frames, dim=2).flatten(1, 2), self.bias
        # Output frame r looks at input frame s through pattern s - r, turned by r.
        frames = [torch.rot90(patterns.roll(r, dims=2), r, (-2, -1)) for r in range(ORIENTATIONS)]
        kernel = torch.stack(frames, dim=1)  # (O, r, I, s, k, k)
        return kernel.flatten(2, 3).flatten(0, 1), self.bias.repeat_interleave(ORIENTATIONS)

    def forward(self, x: Tensor) -> Tensor:  # (B, in_width, H, W) -> (B, out_width, H, W)
        kernel, bias = self.expand()
        # A kernel laid out channels last makes its output so, and the next
        # convolution finds the layout it would otherwise reorder to.
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        return functional.conv2d(x, kernel, bias, padding=self.kernel_size // 2)

    def extra_repr(self) -> str:
        return f"{self.in_fields} {self.in_kind} -> {self.out_fields} {self.out_kind}, kernel_size={self.kernel_size}"
