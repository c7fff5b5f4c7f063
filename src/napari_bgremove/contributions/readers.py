"""Image and mask files as layers: File > Open, a drop on the viewer, `viewer.open`.

Of a stack the headers and one frame are read; the frames stay in the file until
they are looked at. A layer lies in pixels even where its file states a pixel
size: few formats do, and napari would show images of one detector in different
sizes. The pixel size is in the metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.contributions.geometry import recorded_geometry
from napari_bgremove.contributions.notices import refuse, tell
from napari_bgremove.errors import NoUsablePixelsError, ReadError
from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.normalization import measure_percentile_range
from napari_bgremove.io.images import ImageStack, image_name, open_images
from napari_bgremove.io.masks import read_mask, read_mask_role
from napari_bgremove.io.provenance import to_plain
from napari_bgremove.io.results import read_provenance
from napari_bgremove.viewer_layers.results import PARTS

__all__ = ["get_image_reader", "read_images"]

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[str | Sequence[str]], Sequence[tuple[Any, ...]]]
_MASK_OPACITY = 0.4


def get_image_reader(path: str | Sequence[str]) -> Reader:
    """Return what reads a file, or several files that are to be one stack.

    The manifest names the suffixes; whether the content is sound, `read_images` finds out.
    """
    return read_images


def read_images(path: str | Sequence[str]) -> Sequence[tuple[Any, ...]]:
    """Read a file, or several as one stack, into layer data.

    Parameters
    ----------
    path : str or sequence of str
        Any format of `open_images`. A mask file that says what it marks becomes a Labels layer.

    Returns
    -------
    list of tuple
        napari's layer data; no layer where a file was refused in the window.

    Raises
    ------
    ReadError
        One sentence, when a file is refused and there is no window to say it in.
    """
    paths = [Path(path)] if isinstance(path, str) else [Path(one) for one in path]
    try:
        stacks = [open_images(one) for one in paths]
        role = read_mask_role(paths[0]) if len(paths) == 1 else None
        layer = _image_layer(stacks) if role is None else _mask_layer(stacks[0], role)
    except ReadError as error:
        return refuse(error)
    tell(note for stack in stacks for note in stack.notes)
    return [layer]


def _image_layer(stacks: Sequence[ImageStack]) -> LayerData:
    data = _join(stacks)
    first = stacks[0].frame(0)
    own = {key: value for key, value in stacks[0].metadata.items() if all(s.metadata.get(key) == value for s in stacks)}
    record = _record(stacks, own)
    if len(stacks) == 1 and not stacks[0].is_stack:
        data = first
    elif len(stacks) == 1:
        record["array"] = data.name  # tells later whether the layer still shows this file and nothing else
    attributes = {
        "name": stacks[0].name if len(stacks) == 1 else f"{stacks[0].name} to {stacks[-1].name}",
        "contrast_limits": _contrast(first, saturation=own.get("saturation")),
        "metadata": {"napari_bgremove": record},
        **recorded_geometry(record, ndim=data.ndim),
    }
    return data, attributes, "image"


def _mask_layer(stack: ImageStack, role: str) -> LayerData:
    record = {"role": f"{role}_mask", "file": str(stack.path.absolute())}
    attributes = {"name": stack.name, "opacity": _MASK_OPACITY, "metadata": {"napari_bgremove": record}}
    return read_mask(stack.path, role=role).astype(np.uint8), attributes, "labels"


def _join(stacks: Sequence[ImageStack]) -> Any:
    """Return the frames of all files behind each other, not read yet."""
    first = stacks[0]
    for other in stacks[1:]:
        if other.shape != first.shape or other.data.dtype != first.data.dtype:
            msg = (
                f"'{other.path.name}' must have the size and type of '{first.path.name}' "
                f"({describe_shape(first.shape)} {first.data.dtype}) to be in one stack; found "
                f"{describe_shape(other.shape)} {other.data.dtype}. Open it as a layer of its own."
            )
            raise ReadError(msg)
    return da.concatenate([stack.data for stack in stacks]) if len(stacks) > 1 else first.data


def _record(stacks: Sequence[ImageStack], own: dict[str, Any]) -> dict[str, Any]:
    """Say where the pixels are from, in plain JSON values: what a file of ours tells, else what the format states."""
    first = stacks[0]
    told = _provenance(first.path) if len(stacks) == 1 else {}
    # What the saved layer had been read from is another file than this one.
    earlier = {key: told.pop(key) for key in ("file", "files", "dataset") if key in told}
    own = {**own, "dataset": first.dataset, "notes": [note for stack in stacks for note in stack.notes]}
    record = told | {key: value for key, value in own.items() if value not in (None, [])}
    if earlier:
        record["read_from"] = earlier
    if len(stacks) > 1:
        record["files"] = [str(stack.path.absolute()) for stack in stacks]
    else:
        record["file"] = str(first.path.absolute())
    part = told.get("field")
    if part in PARTS:
        record |= {"role": part, "of": told.get("of") or _measured_name(first, told, part)}
    plain: dict[str, Any] = to_plain(record)
    return plain


def _provenance(path: Path) -> dict[str, Any]:
    try:
        return read_provenance(path)
    except ReadError:  # a file of others, which are most
        return {}


def _measured_name(stack: ImageStack, told: dict[str, Any], part: str) -> str:
    """Return the name of the layer a result belongs to: that of the file it was separated from."""
    source = told.get("input")
    file = source.get("file") if isinstance(source, dict) else None
    return image_name(file) if isinstance(file, str) else stack.name.removesuffix(f"-{part}")


def _contrast(frame: NDArray[Any], *, saturation: float | None) -> tuple[float, float]:
    """Return limits from the usable pixels of one frame; gap values of 2^32-1 would make the rest black."""
    try:
        usable = gate_image(frame, saturation=saturation).values
    except NoUsablePixelsError:
        return 0.0, 1.0
    limits = measure_percentile_range(usable)
    low, high = float(limits.low), float(limits.high)
    return low, high if high > low else low + 1.0
