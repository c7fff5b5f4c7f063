"""The claims, each with what was measured and whether it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from layer_bench.results import Result

__all__ = ["Verdict", "list_verdicts"]

_GATED, _BELOW = "gated-lorentzian", ("none", "l2", "l1", "group-lasso")


@dataclass(frozen=True)
class Verdict:
    """A claim.

    Attributes
    ----------
    claim : str
    holds : bool
    measured : str
        The figures it rests on.
    """

    claim: str
    holds: bool
    measured: str


def list_verdicts(task: str, results: Sequence[Result], initial: Mapping[str, float]) -> list[Verdict]:
    """Judge the test figures of a task, means over seeds; `initial` are the layers before any training."""
    found = {one.method: one for one in results}
    dense = float(found["none"].at(1.0).mean())
    own = _judge_digits(found, dense) if task == "digits" else _judge_spectra(found, dense)
    return [*own, *_judge_layers(found, initial), *_judge_speed(found)]


def _judge_digits(found: Mapping[str, Result], dense: float) -> Iterator[Verdict]:
    gated, line = found[_GATED], 100 - dense - 1
    whole, quarter = (100 - float(gated.at(share).mean()) for share in (1.0, 0.25))
    yield Verdict(
        "mean accuracy within 0.5 point of no term",
        whole >= 100 - dense - 0.5,
        f"{whole:.2f} % with it, {100 - dense:.2f} % without",
    )
    yield Verdict(
        "25 % of the hidden neurons kept, no fine-tuning: at most 1 point below the dense network",
        quarter >= line,
        f"{quarter:.2f} %, line {line:.2f} %",
    )
    others = {name: 100 - float(found[name].at(0.25).mean()) for name in (*_BELOW, "reweighted-lasso", "gated-shirley")}
    yield Verdict(
        "none, L2, L1 and group lasso below that line, each at the strength chosen by the same rule",
        all(others[name] < line for name in _BELOW),
        ", ".join(f"{name} {value:.2f} %" for name, value in others.items()),
    )


def _judge_spectra(found: Mapping[str, Result], dense: float) -> Iterator[Verdict]:
    eighth = {name: float(one.at(0.125).mean()) / dense for name, one in found.items()}
    yield Verdict(
        "12.5 % of the hidden channels kept, no fine-tuning: RMSE at most 1.05 times that of the dense network",
        eighth[_GATED] <= 1.05,
        ", ".join(f"{name} {ratio:.3f}" for name, ratio in eighth.items()),
    )


def _judge_layers(found: Mapping[str, Result], initial: Mapping[str, float]) -> Iterator[Verdict]:
    snr, ratio = (float(np.mean([one[name] for one in found[_GATED].layers])) for name in ("snr", "participation"))
    yield Verdict(
        "layer SNR at least 5 times that before training, participation ratio at most 0.2; no evidence by itself",
        snr >= 5 * initial["snr"] and ratio <= 0.2,
        f"SNR {initial['snr']:.2f} to {snr:.2f}, participation ratio {initial['participation']:.2f} to {ratio:.2f}",
    )


def _judge_speed(found: Mapping[str, Result]) -> Iterator[Verdict]:
    """The claim of the paper, by the hardest error that all seeds of both reach, or else as not reached."""
    for mark in found["none"].reached:
        epochs = {name: [one[0] for one in found[name].reached[mark] if one] for name in ("none", _GATED)}
        seeds = len(found["none"].test)
        means = {name: float(np.mean(values)) if values else np.inf for name, values in epochs.items()}
        yield Verdict(
            f"training is faster: fewer epochs to a validation error of {mark:g}",
            len(epochs[_GATED]) == seeds and means[_GATED] < means["none"],
            ", ".join(
                f"{name} {means[name]:.1f} (reached by {len(values)} of {seeds})" for name, values in epochs.items()
            ),
        )
