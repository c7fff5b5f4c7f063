"""Layers as files: File > Save and `layer.save`, with the record of their origin inside.

A stack is written frame by frame, and a file appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove._validation import describe_shape
from napari_bgremove.contributions.geometry import describe_geometry, pixel_size
from napari_bgremove.io.masks import write_mask
from napari_bgremove.io.provenance import RECORD
from napari_bgremove.io.stack_writer import StackWriter
from napari_bgremove.viewer_layers.results import PARTS

__all__ = ["write_image_layer", "write_mask_layer"]

_MASK_ROLES = {"signal_mask": "signal", "valid_mask": "valid"}


def write_image_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an image layer as TIFF or HDF5 (by its suffix) in its own dtype, with record, name and place.

    Parameters
    ----------
    path : str
        Target; what is there is replaced in one step when all is written.
    data : array-like
        (rows, columns) or (n, rows, columns); a lazy stack is read one frame at a time.
    attributes : dict
        As napari gives them: name, scale, units, metadata and so on.

    Returns
    -------
    list of str
        The file that was written.

    Raises
    ------
    TypeError
        When the layer is in colour, not real, or has more axes.
    OSError
        When it cannot be read or written, or would be written into the file it is read from.
    """
    target = Path(path)
    values = data[0] if attributes.get("multiscale") else data
    record = dict(attributes.get("metadata", {}).get(RECORD, {}))
    _check_image(attributes, values)
    _check_source(target, values, record)
    # In a TIFF a bool would be one bit, which hardly a program reads.
    dtype = np.dtype(np.uint8) if values.dtype.kind == "b" else values.dtype
    with _as_os_error(), StackWriter(
        target, provenance=_provenance(record, attributes), pixel_scale=pixel_size(attributes) or _stated(record),
        is_stack=values.ndim == 3, expected_bytes=values.size * dtype.itemsize, dtype=dtype,
    ) as writer:  # fmt: skip
        for frame in values if values.ndim == 3 else [values]:
            writer.append(np.asarray(frame))
    return [str(target)]


def write_mask_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a labels layer as a mask file, which knows inside and outside only.

    Parameters
    ----------
    path : str
        .tif, .tiff, .npy, .edf, .h5 or .hdf5.
    data : array-like
        (rows, columns); non-zero is inside.
    attributes : dict
        As napari gives them. A mask made by this package keeps what it marks.

    Raises
    ------
    TypeError
        When a layer that was never a mask has several labels, which would be merged; or is a stack.
    OSError
        When it cannot be written.
    """
    values = np.asarray(data[0] if attributes.get("multiscale") else data)
    if values.ndim != 2:
        msg = (
            f"'{attributes.get('name')}' must be one image to be saved as a mask; found "
            f"{describe_shape(values.shape)}. Save it as labels with napari's own writer."
        )
        raise TypeError(msg)
    role = _MASK_ROLES.get(attributes.get("metadata", {}).get(RECORD, {}).get("role"))
    labels = np.unique(values[values != 0])
    if role is None and len(labels) > 1:
        msg = (
            f"'{attributes.get('name')}' must have one label to be saved as a mask; found {len(labels)}, which would "
            "be merged. Save it as labels with napari's own writer."
        )
        raise TypeError(msg)
    with _as_os_error():
        return [str(write_mask(path, values, role=role))]


def _check_image(attributes: Mapping[str, Any], values: Any) -> None:
    if attributes.get("rgb") or values.ndim not in (2, 3) or values.dtype.kind not in "buif":
        found = "a colour image" if attributes.get("rgb") else f"{describe_shape(values.shape)} {values.dtype}"
        msg = (
            f"'{attributes.get('name')}' must be an image or a stack of images with one real number per pixel; found "
            f"{found}. Save it with napari's own writer."
        )
        raise TypeError(msg)


def _check_source(target: Path, values: Any, record: Mapping[str, Any]) -> None:
    """Refuse the file that a lazy stack still reads its frames from: it would read the new bytes as the old ones."""
    if isinstance(values, np.ndarray):
        return
    sources = record.get("files") or [record.get("file")]
    if any(isinstance(source, str) and Path(source).resolve() == target.resolve() for source in sources):
        msg = f"'{target.name}' is the file this layer is read from, frame by frame. Save it under another name."
        raise OSError(msg)


def _provenance(record: dict[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    field = {"field": record["role"]} if record.get("role") in PARTS else {}
    return {**record, **field, "layer": describe_geometry(attributes)}


def _stated(record: Mapping[str, Any]) -> tuple[float, float] | None:
    size = record.get("pixel_size_m")
    return None if size is None else (float(size[0]), float(size[1]))


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise ValueErrors as OSErrors: napari takes a ValueError of a writer for "no writer was found"."""
    try:
        yield
    except ValueError as error:
        raise OSError(str(error)) from error
