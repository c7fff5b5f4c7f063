"""What a training leaves behind for people, beside its models: its origin and its curve."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.run_folder import RunFolder

if TYPE_CHECKING:
    from napari_bgremove.learning.training import EpochDone

__all__ = ["append_metrics", "drop_old_epochs", "hash_file", "write_run_record"]

KEPT_EPOCHS = 10


def write_run_record(folder: RunFolder, record: Mapping[str, Any], *, processes: int) -> None:
    """Write run.json: what the trainee tells of its recipe and data, and the versions."""
    from napari_bgremove.learning.devices import describe_software

    whole = {**record, "versions": describe_software(), "processes": processes}
    atomic_write(folder.path / "run.json", json.dumps(whole, indent=1))


def append_metrics(folder: RunFolder, done: EpochDone) -> None:
    """Put an epoch at the end of metrics.csv."""
    header, row = ["epoch", "seconds"], [str(done.epoch), f"{done.seconds:.3f}"]
    for part, measured in (("training", done.training), ("validation", done.validation)):
        header += [f"{part}_{name}" for name in sorted(measured)]
        row += [f"{measured[name]:.8g}" for name in sorted(measured)]
    old = folder.metrics.read_text().splitlines(keepends=True) if folder.metrics.exists() else []
    # A resumed run may repeat an epoch that was measured but not checkpointed.
    kept = [line for line in old[1:] if int(line.split(",")[0]) < done.epoch]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    text.writelines(kept)
    writer.writerow(row)
    atomic_write(folder.metrics, text.getvalue())


def drop_old_epochs(folder: RunFolder, epoch: int, *, keep_every: int) -> None:
    """Remove the weights of epochs that are neither among the last nor kept for good."""
    for old in list(folder.kept_epochs()):
        if old <= epoch - KEPT_EPOCHS and (old + 1) % keep_every:
            folder.epoch_model(old).unlink()


def hash_file(path: Path) -> dict[str, str]:
    """Return name and SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"file": path.name, "sha256": digest.hexdigest()}
