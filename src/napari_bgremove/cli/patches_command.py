"""bgremove patches: signal and background patches from two kinds of shots."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove.cli.options import GROW, JSON, OUT, THRESHOLD, existing_files, gate_options, write_json
from napari_bgremove.cli.shots import Gate, Shot, open_shots, show_progress
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.recipes.signal_masks import pair_shots, signal_masks

if TYPE_CHECKING:
    from napari_bgremove.images.patch_set import PatchSet


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
@click.option("--patch", default=SaxsUnetRecipe.patch, show_default=True, help="Patch side in pixels, a multiple of 8.")
@click.option(
    "--signal-patches", default=SaxsUnetRecipe.signal_patches, show_default=True, help="Signal patches in all."
)
@click.option(
    "--background-patches",
    default=SaxsUnetRecipe.background_patches,
    show_default=True,
    help="Background patches in all.",
)
@click.option(
    "--min-intensity",
    type=float,
    help="Least integrated intensity of a signal patch; a tenth of the average otherwise.",
)
@click.option(
    "--any-angle/--right-angles", default=True, show_default=True, help="How signal patches are turned at random."
)
@THRESHOLD
@GROW
@click.option("--dataset", help="Dataset in HDF5 files; guessed and said otherwise.")
@gate_options
@click.option("--seed", default=SaxsUnetRecipe.seed, show_default=True, help="Of the random positions.")
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
    any_angle: bool,
    threshold: float,
    grow: int,
    dataset: str | None,
    seed: int,
    json_file: Path | None,
    **gate_values: Any,
) -> None:
    """Cut training patches: OUT/signal.npz and OUT/background.npz.

    Signal patches come from x-ray-only shots, at random positions and
    orientations. Background patches come from full shots, where the
    corresponding x-ray-only shot shows no signal, and are left as they are.
    With as many x-ray-only as full frames they correspond one to one;
    otherwise the mask comes from the mean of all x-ray-only frames. Which of
    the two it was is printed, and kept in the files with all numbers.
    """
    from napari_bgremove.io.patch_sets import write_patch_set

    recipe = SaxsUnetRecipe(
        patch=patch, signal_patches=signal_patches, background_patches=background_patches,
        min_intensity=min_intensity, mask_threshold=threshold, mask_grow=grow, seed=seed,
    )  # fmt: skip
    gate = Gate(**gate_values)
    references = open_shots(existing_files(xray_only), dataset=dataset, gate=gate)
    shots = open_shots(existing_files(full), dataset=dataset, gate=gate)
    pairing = pair_shots(references, shots, mask)
    click.echo(f"Signal masks: {pairing}.")
    made_of = {"gate": gate.to_dict(), "dataset": dataset}
    signal = _note(_cut_signal(references, recipe, any_angle=any_angle), references, made_of)
    # With a mask of the person's own, no threshold was used.
    used = {name: None if mask else getattr(recipe, name) for name in ("mask_threshold", "mask_grow")}
    background, coverage = _cut_background(references, shots, mask, recipe)
    _print_coverage(coverage)
    background = _note(background, shots, {**made_of, **used, "signal_mask": mask, "pairing": pairing})
    figures: dict[str, Any] = {"pairing": pairing, "mask_coverage": coverage}
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


def _cut_signal(references: Sequence[Shot], recipe: SaxsUnetRecipe, *, any_angle: bool) -> PatchSet:
    from napari_bgremove.images.patch_set import join_patch_sets
    from napari_bgremove.images.patches import extract_signal_patches

    count = -(-recipe.signal_patches // len(references))
    with show_progress(references, label="signal patches", length=len(references)) as bar:
        sets = [
            extract_signal_patches(
                shot.read(), count=count, seed=recipe.seed + i, patch=recipe.patch,
                min_intensity=recipe.min_intensity, any_angle=any_angle, name=shot.name,
            )
            for i, shot in enumerate(bar)
        ]  # fmt: skip
    return join_patch_sets(sets)


def _cut_background(
    references: Sequence[Shot], shots: Sequence[Shot], mask: str | None, recipe: SaxsUnetRecipe
) -> tuple[PatchSet, list[tuple[str, float]]]:
    """Return the patches, and the name of each full shot with the share that its signal mask covers."""
    from napari_bgremove.images.patch_set import join_patch_sets
    from napari_bgremove.images.patches import extract_background_patches

    count = -(-recipe.background_patches // len(shots))
    masks = signal_masks(references, shots, mask, recipe)
    sets, coverage = [], []
    with show_progress(zip(shots, masks, strict=True), label="background patches", length=len(shots)) as bar:
        for i, (shot, signal_mask) in enumerate(bar):
            coverage.append((shot.file, float(signal_mask.mean())))
            patches = extract_background_patches(
                shot.read(), signal_mask, count=count, seed=recipe.seed + i, patch=recipe.patch, name=shot.name
            )
            sets.append(patches)
    return join_patch_sets(sets), coverage


def _print_coverage(coverage: Sequence[tuple[str, float]]) -> None:
    for file, share in coverage[:20]:
        click.echo(f"  {file}: signal mask covers {share:.1%}")
    if len(coverage) > 20:
        click.echo(f"  ... and {len(coverage) - 20} more")


def _note(patches: PatchSet, shots: Sequence[Shot], made_of: dict[str, Any]) -> PatchSet:
    files = list(dict.fromkeys(str(shot.stack.path) for shot in shots))
    return dataclasses.replace(patches, metadata={**patches.metadata, "files": files, **made_of})
