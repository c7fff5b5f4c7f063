"""Stacks between layers and files: frames written out for the engine, the frame that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bgremove.errors import ComputeError

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["code_for_frame", "export_frames", "file_to_name", "saturation_of", "show_frame", "untouched_file"]

# Functions behind the sample data of the manifest.
_SAMPLES = {
    "xray_only_shot": "make_xray_only_sample",
    "full_shot": "make_full_sample",
    "training_shots": "make_training_sample",
}


def untouched_file(layer: Image) -> Path | None:
    """Return the file whose frames a lazy layer shows as they are; None when that is not certain.

    Certain is only that the array is still the one our reader made, which
    wrote down its name; an array in memory can have been changed in place.
    """
    record = layer.metadata.get("napari_bgremove", {})
    path = layer.source.path
    if path is None or not record.get("array") or getattr(layer.data, "name", None) != record["array"]:
        return None
    return Path(path)


def file_to_name(layer: Image) -> str:
    """Return the file a command would name for a layer; for one without a file, the name to save it under."""
    return str(_file_of(layer) or f"{layer.name}.tif")


def saturation_of(layer: Image) -> float | None:
    """Return the value from which on a pixel of a layer says nothing, as its file states it; None where it does not."""
    value = layer.metadata.get("napari_bgremove", {}).get("saturation")
    return None if value is None else float(value)


def code_for_frame(layer: Image, index: Sequence[int]) -> str:
    """Return Python lines that make `image` from where a layer comes from.

    Parameters
    ----------
    layer : napari.layers.Image
    index : sequence of int
        Of the frame; () for a single image.
    """
    sample = layer.source.sample
    if sample is not None and sample[0] == "napari-bgremove":
        make, part = _SAMPLES[sample[1]], layer.metadata["napari_bgremove"]["part"]
        return (
            f"from napari_bgremove.synthetic.samples import {make}\n\n"
            f"layers = {make}()\n"
            f'image = next(v for v, a, _ in layers if a["metadata"]["napari_bgremove"]["part"] == {part!r})'
        )
    index = index or _frame_in_file(layer)
    frame = f", frame={index[0]}" if index else ""
    lines = ["from napari_bgremove import read_image", "", f"image = read_image({file_to_name(layer)!r}{frame})"]
    if _file_of(layer) is None:
        lines.insert(0, f"# The layer {layer.name!r} is in the viewer only: save it as this file first.")
    return "\n".join(lines)


def _file_of(layer: Image) -> str | None:
    """Return the file a layer comes from: read from it, or written for it as the part of a separation that it is."""
    record = layer.metadata.get("napari_bgremove", {})
    written = record.get("files")
    file = untouched_file(layer) or layer.source.path
    if file is None and isinstance(written, dict):
        file = written.get(record.get("role"))
    return None if file is None else str(file)


def _frame_in_file(layer: Image) -> tuple[int, ...]:
    """Return which frame of a stack of files a single image shows; () where it is the only one."""
    record = layer.metadata.get("napari_bgremove", {})
    is_one_of_many = isinstance(record.get("files"), dict) and "frame" in record
    return (int(record["frame"]),) if is_one_of_many else ()


def export_frames(data: Any, path: Path) -> Path:
    """Write the frames of a stack to an NPY file, one at a time.

    Parameters
    ----------
    data : array, shape (n, rows, columns)
        In memory or lazy; only one frame is computed at a time.
    path : Path
        Target.

    Raises
    ------
    ComputeError
        When it is no stack of real images.
    """
    if len(data.shape) != 3:
        msg = f"A stack must have 3 axes (frames, rows, columns); found {len(data.shape)}. Separate the shown frame."
        raise ComputeError(msg)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=data.dtype, shape=tuple(int(n) for n in data.shape))
    for index in range(len(out)):
        out[index] = np.asarray(data[index])
    out.flush()
    return path


def show_frame(viewer: Viewer | ViewerModel, layer: Image, index: Sequence[int]) -> None:
    """Move the sliders to a frame of a stack."""
    extra = len(index)
    position = layer.data_to_world((*index, *[0.0] * (layer.ndim - extra)))
    first = viewer.dims.ndim - layer.ndim
    for axis in range(extra):
        viewer.dims.set_point(first + axis, position[axis])
