"""Units taken out of the hidden layers of a model: what it would cost, the smaller model, a short training of it."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove.engine.layer_models import read_any_model
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.errors import ComputeError, ReadError

if TYPE_CHECKING:
    from napari_bgremove.engine.layer_models import AnyModel
    from napari_bgremove.engine.removal_judge import RemovalJudge
    from napari_bgremove.learning.model_description import Description
    from napari_bgremove.learning.networks import Network
    from napari_bgremove.learning.unit_removal import Rule

__all__ = [
    "PredictedRemoval",
    "Removal",
    "check_new",
    "fine_tuning_folder",
    "predict_removal",
    "remove_units_of",
]

# The smaller network computes what the masked one does: by so much may their losses differ.
_SAME = 1e-4
# Tiles, spectra or signals of one timed forward pass.
_TIMED = {"images": 1, "spectra": 1, "signals": 64}


@dataclass(frozen=True, eq=False)
class PredictedRemoval:
    """What a model would be without some of its hidden units; nothing is written yet.

    Attributes
    ----------
    model : str
        Name of its file.
    sha256 : str
        Of its tensors.
    rule : str
        How units were ranked, or "chosen" where they were named.
    kept : dict of str to ndarray of bool, shape (units,)
        By hidden layer, True for a unit that stays.
    parameters, sizes : (int, int)
        Of the network, and bytes of its file, before and after.
    whole, masked : dict of str to float
        Terms of the task on validation data, of the whole network and of the
        one whose units are masked; empty without a judge.
    data : str
        What the judgement rests on, in words.
    """

    model: str
    sha256: str
    rule: str
    kept: Mapping[str, NDArray[np.bool_]]
    parameters: tuple[int, int]
    sizes: tuple[int, int]
    whole: Mapping[str, float]
    masked: Mapping[str, float]
    data: str = ""

    @property
    def share(self) -> float:
        """Share of all hidden units that stay."""
        return float(np.concatenate(list(self.kept.values())).mean())

    def as_record(self) -> dict[str, Any]:
        """Return it as plain values, with the numbers of the units that go."""
        return {
            "model": self.model, "sha256": self.sha256, "rule": self.rule, "share": self.share,
            "units": {name: [int(keep.sum()), len(keep)] for name, keep in self.kept.items()},
            "removed": {name: np.flatnonzero(~keep).tolist() for name, keep in self.kept.items()},
            "parameters": list(self.parameters), "bytes": list(self.sizes),
            "validation": {"whole": dict(self.whole), "predicted": dict(self.masked), "data": self.data},
        }  # fmt: skip


@dataclass(frozen=True)
class Removal:
    """A smaller model that was written.

    Attributes
    ----------
    path : Path
    measured : dict of str to float
        Terms of the task on the same validation data, of the network as it was read back from a file.
    seconds : (float, float)
        Of one forward pass on the CPU, before and after.
    """

    path: Path
    measured: Mapping[str, float]
    seconds: tuple[float, float]


def predict_removal(
    model: AnyModel,
    *,
    share: float | None = None,
    kept: Mapping[str, ArrayLike] | None = None,
    rule: Rule = "relative",
    judge: RemovalJudge | None = None,
) -> PredictedRemoval:
    """Predict what a model would be without some of its hidden units.

    Parameters
    ----------
    model : LoadedModel, LoadedSpectraModel or LoadedSignalModel
        Not modified.
    share : float, optional
        Of all hidden units that stay, the strongest by `rule`; at least one of each layer.
    kept : mapping of str to array_like of bool, optional
        In place of `share`: for each hidden layer by name, the units that stay.
    rule : {"energy", "relative"}
        As for `learning.unit_removal.rank_units`.
    judge : RemovalJudge, optional
        Measures the whole network, and the one whose units are masked.

    Returns
    -------
    PredictedRemoval

    Raises
    ------
    ValueError
        Unless one of `share` and `kept` is given; when it is wrong, or the
        network has no hidden layer.
    ComputeError
        When a weight is not finite.
    """
    from napari_bgremove.learning.networks import count_parameters
    from napari_bgremove.learning.unit_removal import choose_units, mask_units, remove_units

    if (share is None) == (kept is None):
        found = "both" if kept is not None else "none"
        msg = f"'share' or 'kept' must say what stays, and only one of them; found {found}."
        raise ValueError(msg)
    network = model.network
    chosen = choose_units(network, share, rule=rule) if share is not None else _take(kept or {})
    smaller = remove_units(network, chosen)
    return PredictedRemoval(
        model.path.name, model.sha256, rule if share is not None else "chosen", chosen,
        (count_parameters(network), count_parameters(smaller)),
        (_measure_file(network, model.description), _measure_file(smaller, _narrow(model.description, smaller))),
        {} if judge is None else judge.whole,
        {} if judge is None else judge.measure(mask_units(network, chosen)),
        "" if judge is None else judge.data,
    )  # fmt: skip


def remove_units_of(model: AnyModel, predicted: PredictedRemoval, out: Path, *, judge: RemovalJudge) -> Removal:
    """Write the model without its units, as a new file, once it was seen to compute what the masked one does.

    Parameters
    ----------
    model : LoadedModel, LoadedSpectraModel or LoadedSignalModel
        The one that was predicted for; neither it nor its file is modified.
    predicted : PredictedRemoval
        With the judgement of the same judge.
    out : Path
        A new file. Its provenance says what was removed from which model, and
        what that cost on which data.
    judge : RemovalJudge

    Returns
    -------
    Removal

    Raises
    ------
    ReadError
        When the file exists already.
    ComputeError
        When the smaller network computes something else; nothing is then written.
    """
    from napari_bgremove.learning.model_file import write_model
    from napari_bgremove.learning.unit_removal import remove_units

    check_new(out)
    smaller = remove_units(model.network, predicted.kept)
    description = _narrow(model.description, smaller)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / out.name
        write_model(draft, smaller, description)
        measured = judge.measure(read_any_model(draft).network)
    _check_same(predicted.masked, measured)
    record = predicted.as_record()
    record["validation"]["measured"] = measured
    earlier = description.provenance.get("units_removed", [])
    provenance = {
        **description.provenance, "units_removed": [*earlier, record],
        "validation_loss": float(f"{measured['loss']:.6g}"),
    }  # fmt: skip
    check_new(out)
    write_model(out, smaller, description.model_copy(update={"provenance": provenance}))
    before, after = _time(model.description, (model.network, smaller))
    return Removal(out, measured, (before, after))


def check_new(out: Path) -> None:
    """Raise ReadError when a file is there already: a removal never overwrites one."""
    if out.exists():
        msg = f"'{out}' exists already; a model without some of its units is a new file. Choose another name."
        raise ReadError(msg)


def fine_tuning_folder(out: Path) -> RunFolder:
    """Return the run in which a smaller model is trained further: beside its file, which stays as it is."""
    return RunFolder(out.with_name(f"{out.stem}-fine-tuned"))


def _take(kept: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.bool_]]:
    return {name: np.asarray(keep) for name, keep in kept.items()}  # checked when they are removed


def _narrow(description: Description, smaller: Network) -> Description:
    """Return the description of the smaller network; of a checkpoint, how far it got is left out."""
    spec = smaller.spec
    recipe = {**description.recipe, "hidden": list(spec.hidden)} if spec.hidden else description.recipe
    return description.model_copy(update={"network": spec, "recipe": recipe, "progress": {}})


def _measure_file(network: Network, description: Description) -> int:
    from napari_bgremove.learning.model_file import write_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        write_model(path, network, description)
        return path.stat().st_size


def _check_same(predicted: Mapping[str, float], measured: Mapping[str, float]) -> None:
    if not predicted:
        msg = "'predicted' must come with a judgement, which the smaller network is compared with; found none."
        raise ValueError(msg)
    for name, expected in predicted.items():
        if not math.isclose(measured[name], expected, rel_tol=_SAME, abs_tol=_SAME * 1e-3):
            msg = (
                f"The smaller network has a validation {name} of {measured[name]:.6g}, the masked one of "
                f"{expected:.6g}; nothing is written. Take the units from a model that was read anew."
            )
            raise ComputeError(msg)


def _time(described: Any, networks: tuple[Network, ...]) -> tuple[float, ...]:
    from napari_bgremove.learning.forward_speed import measure_forward_seconds

    if described.subject == "images":
        shape: tuple[int, ...] = (described.tile, described.tile)
    elif described.subject == "spectra":
        shape = (sum(block.channels for block in described.blocks),)
    else:
        shape = (described.length,)
    return measure_forward_seconds(networks, shape, batch=_TIMED[described.subject])
