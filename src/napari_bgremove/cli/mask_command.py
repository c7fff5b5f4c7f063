"""`bgremove mask`: where signal is."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from napari_bgremove.cli.options import GROW, JSON, OUT, THRESHOLD, existing_files, gate_options, write_json
from napari_bgremove.cli.shots import Gate, open_shots, show_progress
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe


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
    one mask, of its mean image.
    """
    import numpy as np

    from napari_bgremove.images.mask_rules import find_hot_pixels
    from napari_bgremove.images.masks import count_free_positions, estimate_signal_mask
    from napari_bgremove.images.stacks import mean_image
    from napari_bgremove.io.masks import write_mask

    figures = []
    for path in existing_files(images):
        shots = open_shots([path], dataset=dataset, gate=Gate(**gate))
        stack = shots[0].stack
        several = show_progress(shots, label=f"averaging {stack.path.name}", length=len(shots))
        with several if len(shots) > 1 else nullcontext(shots) as frames:
            image = mean_image(shot.read() for shot in frames)
        if leave_out_hot_pixels:
            image = np.where(find_hot_pixels(image), np.nan, image)
        mask = estimate_signal_mask(image, threshold=threshold, window=window, grow=grow, minimum_size=minimum_size)
        target = write_mask(out / f"{stack.name}-signal-mask.tif", mask, role="signal")
        free = count_free_positions(~mask, patch)
        figures.append({"file": path, "mask": str(target), "coverage": float(mask.mean()), "free_positions": free})
        click.echo(
            f"{stack.path.name}: signal covers {mask.mean():.1%}; {free} free positions for {patch} x "
            f"{patch} patches -> {target}"
        )
    write_json(json_file, {"masks": figures})
