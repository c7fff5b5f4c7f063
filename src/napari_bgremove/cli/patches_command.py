"""bgremove patches: signal and background patches from two kinds of shots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from napari_bgremove.cli.options import JSON, OUT, existing_files, write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@click.command("patches")
@click.option(
    "--xray-only", multiple=True, required=True, help="X-ray-only shots: files, folders or wildcards; repeatable."
)
@click.option(
    "--full",
    multiple=True,
    required=True,
    help="Full shots, as many as x-ray-only ones and in the same order, or any number.",
)
@click.option(
    "--mask",
    type=click.Path(exists=True, dir_okay=False),
    help="Signal mask for all full shots, in place of the automatic one.",
)
@OUT
@click.option("--patch", default=128, show_default=True, help="Patch side in pixels.")
@click.option("--signal-patches", default=1754, show_default=True, help="Signal patches in all.")
@click.option("--background-patches", default=4711, show_default=True, help="Background patches in all.")
@click.option(
    "--min-intensity",
    type=float,
    help="Least integrated intensity of a signal patch; a tenth of the average otherwise.",
)
@click.option(
    "--threshold",
    default=4.0,
    show_default=True,
    help="Signal mask: height above the local background, in its scatter.",
)
@click.option("--grow", default=8, show_default=True, help="Signal mask: pixels to grow it by.")
@click.option("--dataset", help="Dataset in HDF5 files; guessed and said otherwise.")
@click.option("--seed", default=0, show_default=True)
@JSON
def command(
    xray_only: tuple[str, ...],
    full: tuple[str, ...],
    mask: str | None,
    out: Path,
    patch: int,
    signal_patches: int,
    background_patches: int,
    min_intensity: float | None,
    threshold: float,
    grow: int,
    dataset: str | None,
    seed: int,
    json_file: Path | None,
) -> None:
    """Cut training patches: OUT/signal.npz and OUT/background.npz.

    Signal patches come from x-ray-only shots, at random positions and
    orientations. Background patches come from full shots, where the
    corresponding x-ray-only shot shows no signal, and are left as they are.
    With as many x-ray-only as full frames they correspond one to one;
    otherwise the mask comes from the mean of all x-ray-only frames.
    """
    from napari_bgremove.images.masks import estimate_signal_mask
    from napari_bgremove.images.patches import extract_background_patches, extract_signal_patches, join_patch_sets
    from napari_bgremove.images.stacks import mean_image
    from napari_bgremove.io.masks import read_mask
    from napari_bgremove.io.patch_sets import write_patch_set

    references = list(_frames(existing_files(xray_only), dataset))
    shots = list(_frames(existing_files(full), dataset))
    per_shot = -(-signal_patches // len(references))
    signal = join_patch_sets(
        [
            extract_signal_patches(
                image, count=per_shot, seed=seed + i, patch=patch, min_intensity=min_intensity, name=name
            )
            for i, (name, image) in enumerate(references)
        ]
    )
    if mask is not None:
        masks = [read_mask(mask, shape=shots[0][1].shape)] * len(shots)
    elif len(references) == len(shots):
        masks = [estimate_signal_mask(image, threshold=threshold, grow=grow) for _, image in references]
    else:
        masks = [estimate_signal_mask(mean_image(i for _, i in references), threshold=threshold, grow=grow)] * len(
            shots
        )
    per_shot = -(-background_patches // len(shots))
    background = join_patch_sets(
        [
            extract_background_patches(image, m, count=per_shot, seed=seed + i, patch=patch, name=name)
            for i, ((name, image), m) in enumerate(zip(shots, masks, strict=True))
        ]
    )
    figures = {}
    for role, patches in (("signal", signal), ("background", background)):
        target = write_patch_set(out / f"{role}.npz", patches)
        figures[role] = {"patches": len(patches), "shots": len(patches.shot_names), "file": str(target)}
        click.echo(
            f"{len(patches)} {role} patches of {patch} x {patch} from {len(patches.shot_names)} shots -> {target}"
        )
        if patches.metadata.get("remark"):
            click.echo(f"  {patches.metadata['remark']}")
    click.echo(f"Next: bgremove train --signal {out / 'signal.npz'} --background {out / 'background.npz'} --out RUN")
    write_json(json_file, figures)


def _frames(paths: list[str], dataset: str | None) -> list[tuple[str, NDArray[np.float32]]]:
    from napari_bgremove.images.gate import gate_image
    from napari_bgremove.io.images import open_images

    frames = []
    for path in paths:
        stack = open_images(path, dataset=dataset)
        for note in stack.notes:
            click.echo(f"  {note}")
        for i in range(len(stack)):
            name = f"{stack.name}[{i}]" if stack.is_stack else stack.name
            frames.append((name, gate_image(stack.frame(i), saturation=stack.metadata.get("saturation")).values))
    return frames
