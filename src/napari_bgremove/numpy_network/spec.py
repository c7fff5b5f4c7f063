"""What decides the shape of the prior-guided denoiser; the numpy and the torch network are both built from it.

H. Fang, "Advanced Project Updating", NYU Tandon School of Engineering (2021):
a small U-Net over 1-D signals whose deepest kernels are modulated by what a
second encoder makes of the Wiener filter of the same signal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from napari_bgremove._validation import check_choice, check_range
from napari_bgremove.numpy_network.hidden_widths import check_hidden, name_widths

__all__ = ["SHORTEST_SIGNAL", "Activation", "NormMode", "PriorGuidedSpec", "PriorMode", "ThresholdMode"]

NormMode = Literal["fixed", "batch", "signal"]
"""Whose mean and variance batch normalization uses.

"fixed": the running statistics, learnt in training. "batch" and "signal" are
the paper's unfixed mode: those of the current batch, or of each signal by
itself, which is a batch of one. In "fixed" and "signal" the result for a signal
does not depend on what else is in the batch.
"""

PriorMode = Literal["off", "per-sample", "batch-mean"]
Activation = Literal["relu", "soft", "half", "hard", "firm"]
ThresholdMode = Literal["learnt", "adaptive"]

#: Four halvings leave one sample of it.
SHORTEST_SIGNAL = 16

_WIDEST = 256

# Channels between the two convolutions of each block of the U-Net, in widths w.
_BETWEEN = {"inc": 1, "down1": 2, "down2": 4, "down3": 8, "down4": 8, "up1": 8, "up2": 4, "up3": 2, "up4": 1}
# The prior speaks to each channel behind the first convolution here.
_GUIDED = "down4"


@dataclass(frozen=True)
class PriorGuidedSpec:
    """Everything that decides the shape of the network, and nothing else.

    Attributes
    ----------
    width : int
        Channels at full resolution w, 1 to 256; going down w, 2w, 4w, 8w, 8w,
        coming up 4w, 2w, w, w. 2 in the paper.
    prior : {"off", "per-sample", "batch-mean"}
        Whether the deepest kernel K is modulated, K (1 + beta g), by the prior
        g of each signal, or, as published, by the mean of g over the batch; the
        latter makes the result for a signal depend on the others.
    wiener_window : int
        Samples of a local mean and variance, odd, 3 or more: in the Wiener
        filter of the prior and under an adaptive threshold.
    normalized : bool
        Batch normalization after each convolution of the U-Net, or none. The
        prior's encoder always has it.
    activation : {"relu", "soft", "half", "hard", "firm"}
        What follows in the U-Net: ReLU, or the shrinkage u = prox(z) of
        Lambda |u|^p for p = 1, 1/2, 0, or of the firm penalty. Shrinkage acts
        on both signs and takes the place of the ReLU; the two in a row would be
        ReLU(z - Lambda), no new function. The prior's encoder always has ReLU.
    threshold : {"learnt", "adaptive"}
        Lambda of a shrinkage: softplus(theta) with one theta per channel, or
        nu / sqrt(v - nu) from the local variance v and its mean nu over the
        samples of a channel. A learnt "hard" threshold stays where it started:
        its slope is zero wherever there is one.
    firm_gamma : float
        Ratio of the two knees of the firm shrinkage, between 0 and 1.
    family : "prior_guided"
        Which network this is, in a model file.
    hidden : tuple of int
        Channels that are left between the two convolutions of each block of the
        U-Net, in the order of `whole_widths`; empty where none was taken out.

    Raises
    ------
    ValueError
        A value is of the wrong kind or out of its range.
    """

    width: int = 2
    prior: PriorMode = "per-sample"
    wiener_window: int = 3
    normalized: bool = True
    activation: Activation = "relu"
    threshold: ThresholdMode = "learnt"
    firm_gamma: float = 0.5
    family: Literal["prior_guided"] = "prior_guided"
    hidden: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_integer("width", self.width, 1, _WIDEST)
        _check_integer("wiener_window", self.wiener_window, 3, 2**20)
        if self.wiener_window % 2 == 0:
            msg = f"'wiener_window' must be odd, so that it has a middle; found {self.wiener_window} samples."
            raise ValueError(msg)
        for name, choices in _CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        if not isinstance(self.normalized, bool):
            msg = f"'normalized' must be True or False; found {self.normalized!r}."
            raise ValueError(msg)
        if not 0 < self.firm_gamma < 1:
            msg = f"'firm_gamma' must lie between 0 and 1, both excluded; found {self.firm_gamma}."
            raise ValueError(msg)
        if not isinstance(self.hidden, tuple):
            msg = f"'hidden' must be a tuple of whole numbers; found {self.hidden!r}."
            raise ValueError(msg)
        check_hidden(self.hidden, self.whole_widths)

    @property
    def whole_widths(self) -> dict[str, int]:
        """Channels between the two convolutions of each block before any was taken out.

        Without those of the deepest block where a prior guides them.
        """
        free = (name for name in _BETWEEN if name != _GUIDED or self.prior == "off")
        return {name: _BETWEEN[name] * self.width for name in free}

    @property
    def hidden_widths(self) -> dict[str, int]:
        """Channels between the two convolutions of the same blocks."""
        return name_widths(self.hidden, self.whole_widths)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a model file or a note; without `hidden` where nothing was taken out."""
        return {name: value for name, value in asdict(self).items() if name != "hidden" or value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PriorGuidedSpec:
        """Read what `to_dict` gave; what is missing has its default, and a name nobody knows is refused."""
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            msg = f"'values' must hold fields of a PriorGuidedSpec only; found {', '.join(sorted(unknown))}."
            raise ValueError(msg)
        hidden = values.get("hidden", ())  # JSON has lists alone
        return cls(**{**values, "hidden": tuple(hidden) if isinstance(hidden, list) else hidden})


_CHOICES = {
    "prior": get_args(PriorMode),
    "activation": get_args(Activation),
    "threshold": get_args(ThresholdMode),
    "family": ("prior_guided",),
}


def _check_integer(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"'{name}' must be a whole number; found {value!r}."
        raise ValueError(msg)
    check_range(name, value, low, high)
