"""What the patches panel computes in a thread: images in, patch sets out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ComputeError
from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.patch_set import PatchSet
from napari_bgremove.images.patches import extract_background_patches, extract_signal_patches
from napari_bgremove.io.images import open_images
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.recipes.signal_masks import pair_shots, signal_masks

__all__ = ["Extraction", "PatchNumbers", "SourceImage", "extract", "open_files"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SourceImage:
    """One image to cut patches from, not read yet.

    Attributes
    ----------
    name : str
        Tells the images of an extraction apart.
    frame : array
        Numpy or dask.
    signal_mask : ndarray of bool, optional
    path : str
        The file, where it is not a layer.
    frames : int
        That the file has; they share the patches that are cut from one image.
    saturation : float, optional
        Values from here on are not usable.
    """

    name: str
    frame: Any
    signal_mask: Mask | None = None
    path: str = ""
    frames: int = 1
    saturation: float | None = None

    @property
    def file(self) -> str:
        """What it is called in a message."""
        return Path(self.path).name or self.name

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = self.frame.shape
        return rows, columns

    def read(self) -> NDArray[np.float32]:
        """Read the frame; NaN where a pixel is not usable."""
        try:
            return gate_image(np.asarray(self.frame), saturation=self.saturation).values
        except ComputeError as error:
            raise ComputeError(str(error).replace("'image'", f"'{self.file}'", 1)) from error


def open_files(paths: Sequence[str], *, taken: Collection[str] = ()) -> list[SourceImage]:
    """Open image files without reading their pixels: every frame is a source of a name that is not taken yet."""
    sources: list[SourceImage] = []
    names = set(taken)
    for path in paths:
        stack = open_images(path)
        for index in range(len(stack)):
            name = wanted = f"{stack.name}[{index}]" if stack.is_stack else stack.name
            for number in count(2):
                if name not in names:
                    break
                name = f"{wanted} ({number})"
            names.add(name)
            saturation = stack.metadata.get("saturation")
            sources.append(SourceImage(name, stack.data[index], None, str(path), len(stack), saturation))
    return sources


@dataclass(frozen=True)
class PatchNumbers:
    """What the form says."""

    patch: int
    signal_count: int
    background_count: int
    min_intensity: float | None
    any_angle: bool
    seed: int


@dataclass(frozen=True)
class Extraction:
    """Patch sets by image."""

    signal: dict[str, PatchSet]
    background: dict[str, PatchSet]


def extract(
    signal: Sequence[SourceImage],
    background: Sequence[SourceImage],
    numbers: PatchNumbers,
    files: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Extraction:
    """Cut all patches.

    Parameters
    ----------
    signal, background : sequence of SourceImage
        X-ray-only images, and full shots with their masks.
    numbers : PatchNumbers
    files : mapping
        More of both, by role; the masks are those that `bgremove patches`
        takes: proposed from the x-ray-only files, or from `signal` without any.
    """
    taken = {source.name for source in (*signal, *background)}
    xray_files = open_files(files.get("signal", ()), taken=taken)
    full_files = open_files(files.get("background", ()), taken=taken | {source.name for source in xray_files})
    pairing = pair_shots(xray_files or signal, full_files) if full_files else ""
    sets = {}
    for number, source in enumerate((*signal, *xray_files)):
        patches = extract_signal_patches(
            source.read(), count=-(-numbers.signal_count // source.frames), seed=numbers.seed + number,
            patch=numbers.patch, min_intensity=numbers.min_intensity, any_angle=numbers.any_angle, name=source.name,
        )  # fmt: skip
        sets[source.name] = _note(patches, source)
    free = {}
    masks = chain((source.signal_mask for source in background), _masks_of(xray_files or signal, full_files))
    for number, (source, mask) in enumerate(zip((*background, *full_files), masks, strict=True)):
        image = source.read()
        patches = extract_background_patches(
            image, np.zeros(image.shape, bool) if mask is None else mask, patch=numbers.patch, name=source.name,
            count=-(-numbers.background_count // source.frames), seed=numbers.seed + number,
        )  # fmt: skip
        free[source.name] = _note(patches, source, pairing=pairing)
    return Extraction(sets, free)


def _masks_of(references: Sequence[SourceImage], full: Sequence[SourceImage]) -> Iterator[Mask]:
    return signal_masks(references, full, None, SaxsUnetRecipe()) if full else iter(())


def _note(patches: PatchSet, source: SourceImage, *, pairing: str = "") -> PatchSet:
    """Note of a file what `bgremove patches` notes."""
    if not source.path:
        return patches
    noted: dict[str, Any] = {"files": [source.path]}
    if pairing:
        recipe = SaxsUnetRecipe()
        noted |= {"mask_threshold": recipe.mask_threshold, "mask_grow": recipe.mask_grow, "pairing": pairing}
        noted["remark"] = f"signal masks of the files: {pairing}"
    return replace(patches, metadata={**patches.metadata, **noted})
