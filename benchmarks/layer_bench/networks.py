"""The two networks of the experiments: residual blocks, whose hidden layers are between their two maps."""

from __future__ import annotations

from torch import Tensor, nn

from napari_bgremove.learning.hidden_layers import HiddenLayer

__all__ = ["Block", "ResidualDenoiser", "ResidualMLP"]


class Block(nn.Module):
    """y = x + W2 relu(W1 x)."""

    def __init__(self, widen: nn.Module, narrow: nn.Module) -> None:
        super().__init__()
        self.widen, self.narrow, self.activation = widen, narrow, nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Add what passes through the hidden units."""
        return x + self.narrow(self.activation(self.widen(x)))


class _Residual(nn.Module):
    """Blocks that name what is hidden in them."""

    blocks: nn.Sequential

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """Return one for each block."""
        return tuple(HiddenLayer(f"block.{i}", one.widen, one.narrow) for i, one in enumerate(self.blocks))


class ResidualMLP(_Residual):
    """Numbers, as many as a block takes, to one score for each class; the numbers themselves are the first stream."""

    def __init__(self, width: int = 64, hidden: int = 128, classes: int = 10, blocks: int = 3) -> None:
        super().__init__()
        pairs = ((nn.Linear(width, hidden), nn.Linear(hidden, width)) for _ in range(blocks))
        self.blocks = nn.Sequential(*(Block(*pair) for pair in pairs))
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (B, classes)."""
        return self.head(self.blocks(x))


class ResidualDenoiser(_Residual):
    """Signals (B, L) to signals (B, L), of any length."""

    def __init__(self, width: int = 16, hidden: int = 48, kernel: int = 5, blocks: int = 3) -> None:
        super().__init__()

        def convolve(channels: int, out: int) -> nn.Conv1d:
            return nn.Conv1d(channels, out, kernel, padding=kernel // 2)

        self.stem, self.head = convolve(1, width), convolve(width, 1)
        self.blocks = nn.Sequential(*(Block(convolve(width, hidden), convolve(hidden, width)) for _ in range(blocks)))

    def forward(self, measured: Tensor) -> Tensor:
        """Return what is left without noise."""
        return self.head(self.blocks(self.stem(measured[:, None])))[:, 0]
