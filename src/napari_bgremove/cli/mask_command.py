"""`bgremove mask`: where signal is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove.cli.options import GROW, JSON, OUT, THRESHOLD, existing_files, gate_options, write_json
from napari_bgremove.cli.shots import Gate, Shot, open_shots, show_progress
from napari_bgremove.errors import ComputeError, ReadError
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.recipes.signal_masks import propose_mask

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@click.command("mask")
@click.argument("images", nargs=-1, required=True)
@OUT
@THRESHOLD
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=257,
    show_default=True,
    help="Window of the local background in pixels; wider than the signal.",
)
@GROW
@click.option(
    "--minimum-size",
    type=click.IntRange(min=0),
    default=64,
    show_default=True,
    help="Smaller regions (pixels) are dropped.",
)
@click.option(
    "--leave-out-hot-pixels",
    is_flag=True,
    help="Hot pixels are no signal: smoothed and grown, one would become a disc of the mask.",
)
@click.option(
    "--patch",
    type=click.IntRange(min=1),
    default=SaxsUnetRecipe.patch,
    show_default=True,
    help="Patch side for which free positions are counted.",
)
@click.option("--dataset", help="Dataset in an HDF5 file; guessed and said otherwise.")
@gate_options
@JSON
def command(
    images: tuple[str, ...], out: Path, threshold: float, window: int, grow: int, minimum_size: int, patch: int,
    leave_out_hot_pixels: bool, dataset: str | None, json_file: Path | None, **gate: Any,
) -> None:  # fmt: skip
    """Mark the signal regions of x-ray-only IMAGES.

    Writes NAME-signal-mask.tif (white where signal is) and prints how much of
    the image it covers and how many patch positions stay free. A stack gives
    one mask, of its mean image. An image without signal gives no mask and is
    named at the end (exit code 1); the masks of the others are written.
    """
    from napari_bgremove.io.masks import write_mask
    from napari_bgremove.io.targets import check_targets

    gated = Gate(**gate)
    inputs = [open_shots([path], dataset=dataset, gate=gated) for path in existing_files(images)]
    targets = [out / f"{shots[0].stack.name}-signal-mask.tif" for shots in inputs]
    check_targets([(str(shots[0].stack.path), [target]) for shots, target in zip(inputs, targets, strict=True)])
    numbers = {"threshold": threshold, "window": window, "grow": grow, "minimum_size": minimum_size}
    figures, failures = [], []
    several = show_progress(inputs, label="signal masks", length=len(inputs)) if len(inputs) > 1 else None
    with several or nullcontext(inputs) as bar:
        for shots, target in zip(bar, targets, strict=True):
            try:
                mask = _mask_of(shots, numbers, leave_out_hot_pixels=leave_out_hot_pixels, alone=several is None)
            except (ReadError, ComputeError) as error:
                failures.append(str(error))
                continue
            write_mask(target, mask, role="signal")
            figures.append(_figures(shots, mask, patch) | {"mask": str(target)})
    for line in figures:
        click.echo(
            f"{Path(line['file']).name}: signal covers {line['coverage']:.1%}; {line['free_positions']} free positions "
            f"for {patch} x {patch} patches -> {line['mask']}"
        )
    write_json(json_file, {"masks": figures})
    if failures:
        others = f"{len(failures)} of {len(inputs)} images gave no mask, the others are written. "
        raise ComputeError((others if len(inputs) > 1 else "") + failures[0])


def _mask_of(
    shots: Sequence[Shot], numbers: dict[str, Any], *, leave_out_hot_pixels: bool, alone: bool
) -> NDArray[np.bool_]:
    """Estimate the mask of the mean of all frames of a file; a file alone shows its own progress."""
    import numpy as np

    from napari_bgremove.images.mask_rules import find_hot_pixels
    from napari_bgremove.images.stacks import mean_image

    file = shots[0].stack.path.name
    bar = show_progress(shots, label=f"averaging {file}", length=len(shots)) if alone and len(shots) > 1 else None
    with bar or nullcontext(shots) as frames:
        image = mean_image(shot.read() for shot in frames)
    if leave_out_hot_pixels:
        image = np.where(find_hot_pixels(image), np.nan, image)
    return propose_mask(image, name=file, **numbers)


def _figures(shots: Sequence[Shot], mask: NDArray[np.bool_], patch: int) -> dict[str, Any]:
    from napari_bgremove.images.masks import count_free_positions

    return {
        "file": str(shots[0].stack.path),
        "coverage": float(mask.mean()),
        "free_positions": count_free_positions(~mask, patch),
    }
