"""The gate of a layer: which share of a unit of some energy is background."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_bgremove._validation import check_choice
from napari_bgremove.spectra.layer_background import GATES, Gate
from napari_bgremove.spectra.layer_spectrum import make_layer_spectrum

__all__ = ["measure_gate"]

# erfc is 1/2 here: it puts the quartiles of a Gaussian at E0 - gamma and E0 + gamma.
_QUARTILE = 0.4769362762044699


@torch.no_grad()
def measure_gate(x: Tensor, *, gate: Gate = "lorentzian", e0: float = 1.0, gamma: float = 0.3) -> Tensor:
    """Measure the share of background at each energy of a layer.

    "lorentzian" is the paper's B_L with I1 = 1 and I2 = 0: rho(x) = 1/2 -
    arctan((x - e0) / gamma) / pi. "gaussian" is the step of a Gaussian with
    the same quartiles. "shirley" is B / J of the direct Shirley background of
    the spectrum that these very energies have, 1 where none exists.

    Parameters
    ----------
    x : Tensor
        Energies in units of their root mean square; any shape. Only
        "shirley" looks at all of them together.
    gate : {"lorentzian", "gaussian", "shirley"}
    e0, gamma : float
        Energy at which the closed gates are 1/2, and its distance to those of
        3/4 and 1/4; not used by "shirley".

    Returns
    -------
    Tensor, shape of `x`
        From 0 to 1, without gradient.

    Notes
    -----
    Since it has no gradient, the Shirley gate is that of
    `spectra.layer_spectrum`, the code that draws it, on a processor; one
    layer at a time that is ten times as fast as its twin of tensors.

    References
    ----------
    A. Qajar, "Gaussian-Lorentzian Layer Background Removal", equation of B_L.
    """
    check_choice("gate", gate, GATES)
    if gate == "lorentzian":
        return 0.5 - torch.atan((x - e0) / gamma) / math.pi
    if gate == "gaussian":
        return 0.5 * torch.erfc(_QUARTILE * (x - e0) / gamma)
    energies = x.double().cpu().numpy()
    drawn = make_layer_spectrum(energies.ravel())
    return torch.from_numpy(drawn.measure_gate(energies)).to(x)
