"""What goes through the layers, by name."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from numpy.typing import NDArray

__all__ = ["Array", "Weights"]

#: Maps (B, C, L) between the layers; signals (B, L) outside the network.
Array: TypeAlias = NDArray[Any]

#: Parameters and running statistics by the names they have in torch.
Weights: TypeAlias = Mapping[str, Array]
