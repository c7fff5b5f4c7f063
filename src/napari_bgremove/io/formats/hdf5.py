"""HDF5, NeXus and NXcanSAS: find the image among the datasets, and say which one it is."""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.hdf5_gaps import check_sources, find_missing, is_complete
from napari_bgremove.io.formats.source import (
    Source,
    arrange_frames,
    check_declared_size,
    check_dtype,
    explain_failures,
    to_native,
)
from napari_bgremove.io.provenance import RECORD, metadata_of, parse_provenance

__all__ = ["list_hdf5", "open_hdf5"]

# HDF5 keeps global state; two threads in it at once have crashed Python (h5py issue 2920).
_LOCK = threading.RLock()
_DEEPEST = 32
_METRES = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "micron": 1e-6, "nm": 1e-9}


@dataclass(frozen=True)
class _DatasetFrames:
    """Frames of one dataset; the file is opened for each read and closed again."""

    path: Path
    dataset: str
    complete: bool
    dtype: np.dtype[Any]

    def __call__(self, index: int) -> NDArray[Any]:
        with explain_failures(self.path, "HDF5"), _opened(self.path) as file:
            dataset = file[self.dataset]
            subject = f"{self.path.name}: {self.dataset}"
            check_sources(subject, dataset, deep=False)
            place = tuple(int(i) for i in np.unravel_index(index, dataset.shape[:-2])) if dataset.ndim > 2 else ()
            frame = to_native(np.asarray(dataset[place])).astype(self.dtype, copy=False)
            if not self.complete:
                # Copied by the promotion to float; what nobody wrote is not zero.
                frame = np.where(find_missing(subject, dataset, place), np.nan, frame).astype(self.dtype, copy=False)
            return frame

    def read_rows(self, first: int, stop: int) -> NDArray[Any]:
        """Read some rows of every frame, (n, rows, columns), without the others where the file allows it."""
        with explain_failures(self.path, "HDF5"), _opened(self.path) as file:
            dataset = file[self.dataset]
            if self.complete and dataset.ndim == 3:
                check_sources(f"{self.path.name}: {self.dataset}", dataset, deep=False)
                return to_native(np.asarray(dataset[:, first:stop])).astype(self.dtype, copy=False)
            frames = prod(dataset.shape[:-2])
        return np.stack([self(index)[first:stop] for index in range(frames)])


def open_hdf5(path: Path, *, dataset: str | None = None) -> Source:
    """Describe one dataset of an HDF5 file: the one named, or the one that is most likely the image."""
    with explain_failures(path, "HDF5"), _opened(path) as file:
        name, notes = _choose(path.name, file, dataset)
        found = file[name]
        subject = f"{path.name}: {name}"
        frames, is_stack = arrange_frames(subject, found.shape)
        dtype = check_dtype(subject, found.dtype)
        check_declared_size(subject, frames[1:], dtype, file_bytes=_stored_bytes(path, found))
        _check_filters(subject, found)
        check_sources(subject, found)
        complete = is_complete(subject, found)
        if not complete:
            dtype = np.result_type(dtype, np.float32)
            notes = (*notes, f"'{subject}' has parts that were never written; these pixels are NaN.")
        metadata = _metadata(file, found)
    reader = _DatasetFrames(path, name, complete, dtype)
    return Source(frames, dtype, reader, is_stack, dataset=name, metadata=metadata, notes=notes)


def list_hdf5(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Name, shape and dtype of each numeric dataset with at least one axis."""
    with explain_failures(path, "HDF5"), _opened(path) as file:
        return {name: (dataset.shape, dataset.dtype) for name, dataset in _walk(file) if _is_numeric(dataset)}


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    _load_filters()
    with _LOCK, h5py.File(path, "r", locking="best-effort") as file:
        yield file


@cache
def _load_filters() -> None:
    """Make bitshuffle, LZ4 and Zstandard known to HDF5 where hdf5plugin is installed."""
    if importlib.util.find_spec("hdf5plugin") is not None:
        importlib.import_module("hdf5plugin")


def _stored_bytes(path: Path, dataset: h5py.Dataset) -> int:
    # A virtual dataset is small itself; what it points at is checked one by one.
    return int(dataset.nbytes) if dataset.is_virtual or dataset.external else path.stat().st_size


def _check_filters(subject: str, dataset: h5py.Dataset) -> None:
    settings = dataset.id.get_create_plist()
    for number in range(settings.get_nfilters()):
        code, _, _, label = settings.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            known = label.decode(errors="replace") or f"number {code}"
            msg = (
                f"'{subject}' is compressed with the HDF5 filter {known[:60]}, which is not installed; "
                'type: pip install "napari-bgremove[xray]"'
            )
            raise ReadError(msg)


def _choose(name: str, file: h5py.File, dataset: str | None) -> tuple[str, tuple[str, ...]]:
    if dataset is not None:
        return _named(name, file, dataset), ()
    images = {key: item for key, item in _walk(file) if _is_numeric(item) and item.ndim >= 2 and item.size}
    if not images:
        broken = _broken_links(file)
        found = f"only links whose target is missing ({', '.join(broken)[:300]})" if broken else "none"
        remedy = "Put the files they point at beside this one." if broken else "Is it the file with the images?"
        msg = f"'{name}' must hold a numeric dataset with rows and columns; found {found}. {remedy}"
        raise ReadError(msg)
    chosen, reason = _guess(file, images)
    # Its own name may be that in another file, behind an external link.
    chosen_name = next((key for key, item in images.items() if item == chosen), chosen.name)
    others = f"; {len(images) - 1} others have two or more axes" if len(images) > 1 else ""
    shape = describe_shape(chosen.shape)
    return chosen_name, (f"'{name}': the dataset '{chosen_name}' ({shape}) was chosen because {reason}{others}.",)


def _broken_links(file: h5py.File) -> list[str]:
    """Name the links of the file that lead nowhere, with what they point at."""
    broken = []

    def look(group: h5py.Group, depth: int = 0) -> None:
        for key in group:
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.HardLink):
                item = group[key]
                if isinstance(item, h5py.Group) and depth < _DEEPEST:
                    look(item, depth + 1)
            elif group.get(key) is None:
                target = f" -> {link.filename}" if isinstance(link, h5py.ExternalLink) else ""
                broken.append(f"{group.name.rstrip('/')}/{key}{target}")

    look(file)
    return broken


def _named(name: str, file: h5py.File, dataset: str) -> str:
    try:
        item = file[dataset]
    except (KeyError, OSError) as error:
        known = (
            ", ".join(key for key, found in _walk(file) if _is_numeric(found) and found.ndim >= 2)
            or "none with two axes"
        )
        broken = " (a link whose target is missing)" if file.get(dataset, getlink=True) is not None else ""
        msg = f"'{name}' must hold the dataset '{dataset}'{broken}; found {known[:500]}. Choose one of them."
        raise ReadError(msg) from error
    if isinstance(item, h5py.Group):
        dataset = f"{dataset.rstrip('/')}/{_text(item, 'signal')}".rstrip("/")
        item = _signal_of(item) or item
    if not isinstance(item, h5py.Dataset):
        msg = f"'{name}' must hold a dataset called '{dataset}'; found a group. Choose a dataset inside it."
        raise ReadError(msg)
    if item.shape is None:
        msg = f"'{name}: {dataset}' must contain pixels; found an empty dataset. Choose another one."
        raise ReadError(msg)
    return f"/{dataset.lstrip('/')}"


def _guess(file: h5py.File, images: dict[str, h5py.Dataset]) -> tuple[h5py.Dataset, str]:
    """Most trusted first: NeXus default, a signal attribute, the largest."""
    marked = [*_default_signal(file), *_all_signals(file), *(d for d in images.values() if _text(d, "signal") == "1")]
    for dataset in marked:
        if _is_numeric(dataset) and dataset.ndim >= 2 and dataset.size:
            return dataset, "the file names it as its signal"
    largest = max(images.values(), key=lambda item: item.size)
    return largest, "it is the largest"


def _default_signal(file: h5py.File) -> Iterator[h5py.Dataset]:
    group: Any = file
    for _ in range(_DEEPEST):
        signal = _signal_of(group)
        if signal is not None:
            yield signal
        following = _follow(group, _text(group, "default"))
        if not isinstance(following, h5py.Group):
            return
        group = following


def _all_signals(file: h5py.File) -> Iterator[h5py.Dataset]:
    seen = set()
    for _, dataset in _walk(file):
        parent = dataset.parent
        if parent.name not in seen:
            seen.add(parent.name)
            signal = _signal_of(parent)
            if signal is not None:
                yield signal


def _signal_of(group: h5py.Group) -> h5py.Dataset | None:
    found = _follow(group, _text(group, "signal"))
    return found if isinstance(found, h5py.Dataset) and found.shape is not None else None


def _follow(group: h5py.Group, name: str) -> Any:
    try:
        return group[name] if name else None
    except (KeyError, OSError):  # a link without a target
        return None


def _text(item: Any, attribute: str) -> str:
    value = item.attrs.get(attribute, "")
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _walk(group: h5py.Group, *, depth: int = 0, seen: set[Any] | None = None) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield all datasets, through soft and external links too, each once."""
    seen = set() if seen is None else seen
    for key in group:
        item = _follow(group, key)
        if not isinstance(item, h5py.Dataset | h5py.Group):
            continue
        info = h5py.h5o.get_info(item.id)
        if (info.fileno, info.addr) in seen:
            continue
        seen.add((info.fileno, info.addr))
        if isinstance(item, h5py.Dataset):
            yield f"{group.name.rstrip('/')}/{key}", item
        elif depth < _DEEPEST:
            yield from _walk(item, depth=depth + 1, seen=seen)


def _is_numeric(dataset: h5py.Dataset) -> bool:
    return dataset.shape is not None and dataset.ndim > 0 and dataset.dtype.kind in "buif"


def _metadata(file: h5py.File, dataset: h5py.Dataset) -> dict[str, Any]:
    record = parse_provenance(_text(dataset, RECORD) or _text(file, RECORD))
    metadata = metadata_of(record) if record is not None else {}
    if _text(dataset, "units"):
        metadata.setdefault("unit", _text(dataset, "units"))
    size = (_length(dataset.parent, "y_pixel_size"), _length(dataset.parent, "x_pixel_size"))
    if None not in size:
        metadata.setdefault("pixel_size_m", size)
    saturation = _scalar(dataset.parent, "saturation_value")
    if saturation is not None:
        metadata.setdefault("saturation", saturation)
    return metadata


def _scalar(group: h5py.Group, name: str) -> float | None:
    item = _follow(group, name)
    if not isinstance(item, h5py.Dataset) or item.size != 1 or item.dtype.kind not in "uif":
        return None
    return float(np.asarray(item[()]).ravel()[0])


def _length(group: h5py.Group, name: str) -> float | None:
    value = _scalar(group, name)
    return None if value is None else value * _METRES.get(_text(group[name], "units") or "m", float("nan"))
