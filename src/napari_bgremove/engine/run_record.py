"""What a training leaves behind for people, beside its models: its origin, its curve, its pinned patch."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.jobs import TrainJob
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

if TYPE_CHECKING:
    import torch

    from napari_bgremove.learning.datasets import Dataset
    from napari_bgremove.learning.networks import AdditiveNetwork
    from napari_bgremove.learning.training import EpochDone

__all__ = ["append_metrics", "drop_old_epochs", "write_preview", "write_run_record"]

KEPT_EPOCHS = 10


def write_run_record(
    folder: RunFolder, job: TrainJob, recipe: SaxsUnetRecipe, patches: Mapping[str, PatchSet], *, processes: int
) -> None:
    """Write run.json: recipe, hashes and metadata of the patches by role, versions."""
    from napari_bgremove.learning.devices import describe_software

    record = {
        "recipe": recipe.to_dict(),
        "data": {role: _file_hash(Path(getattr(job, role))) for role in patches},
        "shots": {role: len(one.shot_names) for role, one in patches.items()},
        "patches": {role: {"patches": len(one), **one.metadata} for role, one in patches.items()},
        "versions": describe_software(),
        "processes": processes,
    }
    atomic_write(folder.path / "run.json", json.dumps(record, indent=1))


def append_metrics(folder: RunFolder, done: EpochDone) -> None:
    """Put an epoch at the end of metrics.csv."""
    names = sorted(done.training)
    header = ["epoch", "seconds", *(f"training_{n}" for n in names), *(f"validation_{n}" for n in names)]
    row: list[Any] = [done.epoch, f"{done.seconds:.3f}"]
    row += [f"{part.get(n, float('nan')):.8g}" for part in (done.training, done.validation) for n in names]
    old = folder.metrics.read_text().splitlines(keepends=True) if folder.metrics.exists() else []
    # A resumed run may repeat an epoch that was measured but not checkpointed.
    kept = [line for line in old[1:] if int(line.split(",")[0]) < done.epoch]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    text.writelines(kept)
    writer.writerow(row)
    atomic_write(folder.metrics, text.getvalue())


def write_preview(
    folder: RunFolder, epoch: int, network: AdditiveNetwork, validation: Dataset, device: torch.device
) -> None:
    """Predict the first validation pair, which is the same after every epoch, and write it."""
    from napari_bgremove.learning.inference import ApplyOptions, predict_tiles

    pair = {name: values[:, 0] for name, values in validation.batch(0, [0]).items()}
    parts = predict_tiles(network, pair["measured"], options=ApplyOptions(device=device))
    predicted = dict(zip(("predicted_signal", "predicted_background"), parts, strict=True))
    folder.write_preview(epoch, {name: values[0] for name, values in (pair | predicted).items()})


def drop_old_epochs(folder: RunFolder, epoch: int, *, keep_every: int) -> None:
    """Remove the weights of epochs that are neither among the last nor kept for good."""
    for old in list(folder.kept_epochs()):
        if old <= epoch - KEPT_EPOCHS and (old + 1) % keep_every:
            folder.epoch_model(old).unlink()


def _file_hash(path: Path) -> dict[str, str]:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"file": path.name, "sha256": digest.hexdigest()}
