"""What the mask, patches and compare panels do, as text that does it without a window."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from napari_bgremove.engine import compare_scripts, scripts
from napari_bgremove.viewer_layers.frames import code_for_frame, file_to_name
from napari_bgremove.viewer_layers.geometry import frame_index
from napari_bgremove.widgets.mask_forms import MaskRequest
from napari_bgremove.widgets.patches_work import PatchNumbers

__all__ = ["mask_as_command", "mask_as_python", "patches_as_command", "patches_as_python", "profiles_as_python"]


def mask_as_python(viewer: Any, image: Any, request: MaskRequest) -> str:
    """Return a script that makes the mask that is ticked; with nothing ticked, the proposal."""
    load = code_for_frame(image, frame_index(viewer, image))
    numbers = request.numbers if request.propose or request.is_empty else {}
    rules = None if request.rules.is_empty else request.rules
    return scripts.mask_as_python(load, numbers, leave_out_hot_pixels=request.leave_out_hot_pixels, rules=rules)


def mask_as_command(image: Any, request: MaskRequest) -> str:
    """Return the command that makes the proposal; rules and what was painted are not in it."""
    hot = request.leave_out_hot_pixels
    return scripts.mask_as_command(file_to_name(image), request.numbers, leave_out_hot_pixels=hot)


def patches_as_python(
    viewer: Any, sources: tuple[Sequence[Any], Sequence[Any]], mask: Any | None, numbers: PatchNumbers
) -> str:
    """Return a script that cuts the patches; without those that were rejected by hand it knows nothing of."""
    loads = {
        kind: [(layer.name, code_for_frame(layer, frame_index(viewer, layer))) for layer in layers]
        for kind, layers in zip(("xray_only", "full"), sources, strict=True)
    }
    return scripts.patches_as_python(loads, dataclasses.asdict(numbers), mask=_mask_file(mask))


def patches_as_command(sources: tuple[Sequence[Any], Sequence[Any]], mask: Any | None, numbers: PatchNumbers) -> str:
    """Return the command that cuts the patches."""
    signal, full = sources
    files = {"xray_only": [file_to_name(layer) for layer in signal], "full": [file_to_name(layer) for layer in full]}
    given = {
        "patch": numbers.patch, "signal_patches": numbers.signal_count * len(signal),
        "background_patches": numbers.background_count * len(full), "min_intensity": numbers.min_intensity,
        "any_angle": numbers.any_angle, "seed": numbers.seed,
    }  # fmt: skip
    return scripts.patches_as_command(files, given, mask=_mask_file(mask))


def profiles_as_python(viewer: Any, images: Sequence[Any], how: Mapping[str, Any]) -> str:
    """Return a script that averages images over rings, or over q; `how` is as in `rings_form.profile_images`."""
    loads = {image.name: code_for_frame(image, frame_index(viewer, image)) for image in images}
    return compare_scripts.profiles_as_python(loads, **how)


def _mask_file(mask: Any | None) -> str | None:
    if mask is None:
        return None
    return str(mask.source.path or f"{mask.name}.tif")
