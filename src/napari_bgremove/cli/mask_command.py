"""`bgremove mask`: where signal is."""

from __future__ import annotations

from pathlib import Path

import click

from napari_bgremove.cli.options import JSON, OUT, existing_files, write_json


@click.command("mask")
@click.argument("images", nargs=-1, required=True)
@OUT
@click.option("--threshold", default=4.0, show_default=True, help="Height above the local background, in its scatter.")
@click.option(
    "--window", default=257, show_default=True, help="Window of the local background in pixels; wider than the signal."
)
@click.option("--grow", default=8, show_default=True, help="Pixels to grow the mask by; negative shrinks it.")
@click.option("--minimum-size", default=64, show_default=True, help="Smaller regions (pixels) are dropped.")
@click.option("--patch", default=128, show_default=True, help="Patch side for which free positions are counted.")
@click.option("--dataset", help="Dataset in an HDF5 file; guessed and said otherwise.")
@JSON
def command(
    images: tuple[str, ...], out: Path, threshold: float, window: int, grow: int, minimum_size: int, patch: int,
    dataset: str | None, json_file: Path | None,
) -> None:  # fmt: skip
    """Mark the signal regions of x-ray-only IMAGES.

    Writes NAME-signal-mask.tif (1 where signal is) and prints how much of the
    image it covers and how many patch positions stay free. A stack gives one
    mask, of its mean image.
    """
    from napari_bgremove.images.gate import gate_image
    from napari_bgremove.images.masks import count_free_positions, estimate_signal_mask
    from napari_bgremove.images.stacks import mean_image
    from napari_bgremove.io.images import open_images
    from napari_bgremove.io.masks import write_mask

    figures = []
    for path in existing_files(images):
        stack = open_images(path, dataset=dataset)
        for note in stack.notes:
            click.echo(f"  {note}")
        image = mean_image(gate_image(stack.frame(i)).values for i in range(len(stack)))
        mask = estimate_signal_mask(image, threshold=threshold, window=window, grow=grow, minimum_size=minimum_size)
        target = write_mask(out / f"{stack.name}-signal-mask.tif", mask)
        free = count_free_positions(~mask, patch)
        figures.append({"file": path, "mask": str(target), "coverage": float(mask.mean()), "free_positions": free})
        click.echo(
            f"{stack.path.name}: signal covers {mask.mean():.1%}; {free} free positions for {patch} x "
            f"{patch} patches -> {target}"
        )
    write_json(json_file, {"masks": figures})
