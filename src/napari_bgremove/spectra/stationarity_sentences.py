"""What the stationarity of a set means for a person: what was found, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_bgremove.spectra.stationarity import BlockStationarity

__all__ = ["describe_stationarity"]


def describe_stationarity(status: str, blocks: Sequence[BlockStationarity], *, n_targets: int, unsteady: float) -> str:
    """Say what was found of a set; `unsteady` is the spread of totals from which on they are mentioned."""
    said = _SENTENCES[status](blocks, n_targets)
    restless = [f"{block.name} {100 * block.unsteadiness:.0f} %" for block in blocks if block.unsteadiness > unsteady]
    if restless:
        said += f" The total varies from repeat to repeat ({', '.join(restless)}): check for misfires or saturation."
    return said


def _say_stationary(blocks: Sequence[BlockStationarity], n_targets: int) -> str:
    return (
        f"The background is the same for all {n_targets} targets: of the variance between them it makes up "
        f"{_list_shares(blocks)}. A cleaner can be trained."
    )


def _say_doubtful(blocks: Sequence[BlockStationarity], _n_targets: int) -> str:
    bounds = _list({block.name: min(block.share_bound, 1) for block in blocks})
    return (
        f"The background may depend on the target: of the variance between targets it makes up {_list_shares(blocks)}, "
        f"and by the number of repeats it could be {bounds}. Train, and compare the result with a classical baseline "
        "before it is used."
    )


def _say_not_stationary(blocks: Sequence[BlockStationarity], _n_targets: int) -> str:
    return (
        f"The background follows the target: of the variance between targets it makes up {_list_shares(blocks)}. "
        "Prefer a classical baseline such as airPLS; a cleaner can take away only what all targets share."
    )


def _say_too_few_targets(_blocks: Sequence[BlockStationarity], n_targets: int) -> str:
    return f"The set must hold at least 3 targets to learn from; found {n_targets}. Add spectra of other targets."


def _say_no_repeats(blocks: Sequence[BlockStationarity], n_targets: int) -> str:
    return (
        f"Each of the {n_targets} targets has one spectrum, so a background that follows the target cannot be told "
        f"from one that varies by chance; of the variance between spectra it makes up {_list_shares(blocks)}. Add "
        "repeats, or compare the result with a classical baseline before it is used."
    )


def _list_shares(blocks: Sequence[BlockStationarity]) -> str:
    return _list({block.name: block.share for block in blocks})


def _list(shares: Mapping[str, float]) -> str:
    said = {name: f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %" for name, share in shares.items()}
    return next(iter(said.values())) if len(said) == 1 else ", ".join(f"{name} {text}" for name, text in said.items())


_SENTENCES = {
    "stationary": _say_stationary,
    "doubtful": _say_doubtful,
    "not_stationary": _say_not_stationary,
    "too_few_targets": _say_too_few_targets,
    "no_repeats": _say_no_repeats,
}
