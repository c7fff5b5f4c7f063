"""The objective of Castorena & Oyen: signal and background told apart by spectra of different targets.

Eq. (3) as printed has no lower bound: with z_n = c e for one fixed direction e
and z_x = y - <y, e> e the residual grows like |c|, the reward of the alignment
like c^2, so the loss falls without end. The stable form keeps its three roles
and divides each by the size of what it compares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from napari_bgremove._validation import check_choice, check_range
from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.channel_masks import bridge_channels
from napari_bgremove.learning.networks.spectroscopy_net import SpectroscopyNet

__all__ = ["DisentanglingObjective"]

# Added under each root: a norm has no gradient at zero.
_EPS = 1e-8
# A literal loss below this will not come back.
_RUN_AWAY = -1e6


class _Parts(NamedTuple):
    """z_x of y^j; z_n of y^k and of y^k'; and, where it is asked for, z_n of y^j."""

    signal: Tensor
    second: Tensor
    third: Tensor
    own: Tensor | None = None


@dataclass(frozen=True)
class DisentanglingObjective:
    r"""Fidelity, relaxed orthogonality and alignment over triplets j, k, k' of different targets.

    The stable form is the mean over the triplets of

    ||y^j - z_x^j - z_n^k|| / ||y^j||
    + orthogonality cos^2(z_x^j, z_n^k) - alignment cos(z_n^k, z_n^k')
    + sparsity |z_x^j|_1 / |y^j|_1
    + same_target ||y^i - z_x^j - z_n^j|| / ||y^i||,

    where i is another shot of the target of j; it is never below -alignment.
    The literal form is Eq. (3) as printed, a sum over the triplets with one k'
    each, computed at once; the weights and the last two terms are then not used.

    Parameters
    ----------
    form : {"stable", "literal"}
    alignment : float
        1, as in Eq. (3).
    orthogonality : float
        1 in Eq. (3). Less here: lines are positive, and so is a background, so
        that even the true parts are not orthogonal, and the term alone draws
        them apart by a constant. With b the background, s the signal and t the
        constant, <s - t, b + t> = 0 has one root close to zero and one where
        the background has mean zero and the signal carries the pedestal; which
        of them a training ends in is chance.
    sparsity : float
        Weight of the signal's size (ours; 0 as published). Eq. (3) leaves open
        which constant belongs to which part; the size of a signal of few lines
        is least where it is zero between them. Ten times the orthogonality
        puts the optimum close to the truth on the toy of `synthetic.toy_spectra`.
    same_target : float
        Weight of the pair of one target (ours, after Noise2Noise; 0 as
        published): the parts of one shot have to explain the other, so that
        neither holds shot noise. For a target with a single spectrum i = j.

    References
    ----------
    J. Castorena and D. Oyen, SpectroscopyNet, arXiv:2110.13748 (2021), Eq. (3).
    J. Lehtinen et al., Noise2Noise, arXiv:1803.04189 (2018).
    """

    form: Literal["stable", "literal"] = "stable"
    orthogonality: float = 0.03
    alignment: float = 1.0
    sparsity: float = 0.3
    same_target: float = 0.0

    def __post_init__(self) -> None:
        check_choice("form", self.form, ("stable", "literal"))
        for name in ("orthogonality", "alignment", "sparsity", "same_target"):
            check_range(name, getattr(self, name), 0, math.inf)

    def __call__(self, network: SpectroscopyNet, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss` and its terms for a batch of triplets; see `learning.triplets.SpectraTriplets`.

        Channels where `free` is 0 were marked as signal: they are left out of
        orthogonality and alignment, and the background is bridged across them.

        Raises
        ------
        ComputeError
            When the loss is not finite, or the literal one runs away.
        """
        parts = self._predict(network, batch)
        terms = _measure_terms(parts, batch)
        loss = _literal_loss(parts, batch) if self.form == "literal" else self._stable_loss(terms)
        self._guard(float(loss.detach()))
        return {"loss": loss, **{name: value.mean() for name, value in terms.items()}}

    def _predict(self, network: SpectroscopyNet, batch: Mapping[str, Tensor]) -> _Parts:
        signal = network.signal(batch["measured"]).float()
        # One call for all backgrounds, or batch normalisation would let each
        # look like the others of its own call.
        seen = [batch["second"], batch["third"], *([batch["measured"]] if self.same_target else [])]
        raw = network.background(torch.cat(seen), batch["block"].repeat(len(seen), 1)).float()
        return _Parts(signal, *bridge_channels(raw, batch["free"].repeat(len(seen), 1, 1)).chunk(len(seen)))

    def _stable_loss(self, terms: Mapping[str, Tensor]) -> Tensor:
        loss = terms["residual"] + self.orthogonality * terms["orthogonality"] - self.alignment * terms["alignment"]
        loss = loss + self.sparsity * terms["sparsity"]
        if self.same_target:
            loss = loss + self.same_target * terms["same_target"]
        return loss.mean()

    def _guard(self, loss: float) -> None:
        if math.isfinite(loss) and loss >= _RUN_AWAY:
            return
        remedy = (
            "Eq. (3) as printed has no lower bound; train with the stable form"
            if self.form == "literal"
            else "lower the learning rate"
        )
        msg = f"The {self.form} loss must stay finite and above {_RUN_AWAY:g}; found {loss:.3g}: {remedy}."
        raise ComputeError(msg)


def _measure_terms(parts: _Parts, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return each term of the stable form, one value per triplet."""
    measured, free = batch["measured"], batch["free"]
    terms = {
        "residual": _norm(measured - parts.signal - parts.second) / _norm(measured),
        "orthogonality": _cosine(parts.signal * free, parts.second * free).square(),
        "alignment": _cosine(parts.second * free, parts.third * free),
        "sparsity": parts.signal.abs().mean((1, 2)) / (measured.abs().mean((1, 2)) + _EPS),
        "background_share": (_norm(parts.second) / _norm(batch["second"])).detach(),
    }
    if parts.own is not None:
        terms["same_target"] = _norm(batch["repeat"] - parts.signal - parts.own) / _norm(batch["repeat"])
    return terms


def _literal_loss(parts: _Parts, batch: Mapping[str, Tensor]) -> Tensor:
    """Return Eq. (3) as printed."""
    free = batch["free"]
    overlap = _inner(parts.signal * free, parts.second * free)
    likeness = _inner(parts.second * free, parts.third * free)
    return (_norm(batch["measured"] - parts.signal - parts.second) + overlap.square() - likeness).sum()


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2))


def _norm(values: Tensor) -> Tensor:
    return (_inner(values, values) + _EPS).sqrt()


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return _inner(a, b) / (_norm(a) * _norm(b))
