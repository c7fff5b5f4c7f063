"""bgremove demo: the whole job once, on generated shots, in a few minutes."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_bgremove.cli.options import JSON, write_json
from napari_bgremove.cli.progress import SeparationProgress, TrainingProgress
from napari_bgremove.io.bundled import BUNDLED_MODEL

if TYPE_CHECKING:
    from napari_bgremove.images.patch_set import PatchSet
    from napari_bgremove.separation import Separation
    from napari_bgremove.synthetic.saxs import Shot

SHOTS = 3
TRAINING_STEPS = 100
# Says that a folder is a demo report, and what in it may be replaced.
_MARK = ".bgremove-demo"
_MADE = (
    "shots", "patches", "training", "separated", BUNDLED_MODEL.name, "before-after.png", "learning-curve.png",
    "ledger.csv", "index.html",
)  # fmt: skip


@dataclass(frozen=True)
class _Demo:
    """The folders of the demonstration."""

    out: Path

    @property
    def shots(self) -> Path:
        return self.out / "shots"

    @property
    def separated(self) -> Path:
        return self.out / "separated"

    @property
    def run(self) -> Path:
        return self.out / "training"


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="demo-report",
    show_default=True,
    help="Report folder; an old one is replaced.",
)
@click.option("--seed", default=7, show_default=True, help="Of the generated shots.")
@click.option("--viewer/--no-viewer", default=None, help="Open napari at the end; by default when a person is there.")
@JSON
def command(out: Path, seed: int, viewer: bool | None, json_file: Path | None) -> None:
    """Run the main job on generated shots and write a report folder.

    Shots are generated, masked and cut into patches; a tiny network learns
    for about 100 steps, to show that learning works and not to show quality;
    the bundled model separates a full shot. Everything lands in one folder.
    """
    started = time.monotonic()
    demo = _Demo(out)
    _clear(out)
    click.echo("1/4 generating shots")
    shots = _write_shots(demo, seed)
    click.echo("2/4 signal masks and patches")
    patches = _write_patches(demo, shots)
    click.echo(f"3/4 a tiny network learns for {TRAINING_STEPS} steps")
    steps = _train(demo)
    click.echo("4/4 the bundled model separates a full shot")
    separation = _separate(demo)
    figures = _write_page(demo, shots[0][1], separation, patches, steps, time.monotonic() - started)
    click.echo(f"\nReport: {(out / 'index.html').resolve()}  ({time.monotonic() - started:.0f} s)")
    write_json(json_file, figures)
    if _person_is_there() if viewer is None else viewer:
        _open_viewer(separation)


def _clear(out: Path) -> None:
    """Make the folder anew; only what an earlier demo made is removed, also one that was interrupted."""
    from napari_bgremove._files import atomic_write

    if (out / _MARK).exists():
        for made in (out / name for name in _MADE):
            if made.is_dir():
                shutil.rmtree(made)
            else:
                made.unlink(missing_ok=True)
    elif out.exists() and any(out.iterdir()):
        msg = (
            f"'--out' {out} must be a new or empty folder, or an old demo report; it holds other files. Choose "
            "another folder."
        )
        raise ValueError(msg)
    atomic_write(out / _MARK, "Made by `bgremove demo`, which replaces what it made here.\n")


def _write_shots(demo: _Demo, seed: int) -> list[tuple[Shot, Shot]]:
    import numpy as np

    from napari_bgremove.io.results import write_image
    from napari_bgremove.synthetic.hits import Hits
    from napari_bgremove.synthetic.saxs import make_shot_pair
    from napari_bgremove.synthetic.scattering import Scattering

    pairs = []
    for i in range(SHOTS):
        scattering = Scattering(family="saxs", level_kev=60.0, centre=(0.5, 0.15), exponent=3.2)
        pair = make_shot_pair(seed + i, scattering=scattering, hits=Hits(rate=0.05))
        for kind, shot in zip(("xray-only", "full"), pair, strict=True):
            usable = np.where(shot.valid_mask, shot.measured, np.nan)
            write_image(
                demo.shots / f"{kind}-{i}.tif", usable, provenance={"kind": kind, "seed": seed + i, "unit": "keV"}
            )
        pairs.append(pair)
    return pairs


def _write_patches(demo: _Demo, shots: list[tuple[Shot, Shot]]) -> dict[str, PatchSet]:
    from napari_bgremove.images.gate import gate_image
    from napari_bgremove.images.masks import estimate_signal_mask
    from napari_bgremove.images.patch_set import join_patch_sets
    from napari_bgremove.images.patches import extract_background_patches, extract_signal_patches
    from napari_bgremove.io.masks import write_mask
    from napari_bgremove.io.patch_sets import write_patch_set

    signal, background = [], []
    for i, pair in enumerate(shots):
        xray_only, full = (gate_image(s.measured, valid_mask=s.valid_mask).values for s in pair)
        mask = estimate_signal_mask(xray_only)
        write_mask(demo.shots / f"signal-mask-{i}.tif", mask)
        signal.append(extract_signal_patches(xray_only, count=60, seed=i, name=f"xray-only-{i}"))
        background.append(extract_background_patches(full, mask, count=60, seed=i, name=f"full-{i}"))
    patches = {"signal": join_patch_sets(signal), "background": join_patch_sets(background)}
    for role, joined in patches.items():
        write_patch_set(demo.out / "patches" / f"{role}.npz", joined)
    return patches


def _train(demo: _Demo) -> list[dict[str, Any]]:
    from napari_bgremove.engine.jobs import TrainJob
    from napari_bgremove.engine.run_folder import RunFolder
    from napari_bgremove.engine.train_run import run_training
    from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

    batch = 8
    job = TrainJob(
        recipe=SaxsUnetRecipe(preset="tiny", epochs=1, batch_size=batch, learning_rate=1e-3, warmup_steps=20),
        signal=str(demo.out / "patches" / "signal.npz"),
        background=str(demo.out / "patches" / "background.npz"),
        samples_per_epoch=batch * TRAINING_STEPS,
        validation_samples=32,
        precision="bfloat16",
    )
    folder = RunFolder(demo.run)
    folder.create(job.model_dump_json(indent=1))
    run_training(folder, job, listener=TrainingProgress(job.samples))
    return [event for event in folder.read_events()[0] if event["event"] == "step"]


def _separate(demo: _Demo) -> Separation:
    from napari_bgremove.engine.jobs import SeparateJob
    from napari_bgremove.engine.separate_run import run_separation
    from napari_bgremove.io.images import read_image
    from napari_bgremove.separation import Separation

    source = demo.shots / "full-0.tif"
    job = SeparateJob(inputs=[str(source)], out=str(demo.separated), kev_per_unit=1.0)
    (files,) = run_separation(job, emit=SeparationProgress())
    shutil.copy(BUNDLED_MODEL, demo.out / BUNDLED_MODEL.name)
    parts = {name: read_image(files[name]) for name in ("signal", "background", "uncertainty")}
    return Separation(measured=read_image(source), provenance={"report": str(demo.out)}, **parts)


def _write_page(
    demo: _Demo,
    full: Shot,
    separation: Separation,
    patches: dict[str, PatchSet],
    steps: list[dict[str, Any]],
    seconds: float,
) -> dict[str, Any]:
    import numpy as np

    from napari_bgremove._files import atomic_write
    from napari_bgremove.evaluation.card_figures import write_figure
    from napari_bgremove.evaluation.figures import draw_learning_curve, draw_separation
    from napari_bgremove.evaluation.html_page import HtmlPage
    from napari_bgremove.evaluation.metrics import measure_flux_bias, measure_psnr

    truth = np.where(full.valid_mask, full.signal, np.nan).astype(np.float32)
    ledger = separation.ledger()
    first, last = (float(np.mean([s["loss"] for s in part])) for part in (steps[:10], steps[-10:]))
    figures = {
        "ledger_kev": ledger,
        "psnr_db": measure_psnr(separation.signal, truth, separation.measured),
        "psnr_measured_db": measure_psnr(separation.measured, truth, separation.measured),
        "flux_bias": measure_flux_bias(separation.signal, truth),
        "flux_bias_measured": measure_flux_bias(separation.measured, truth),
        "tiny_training_loss": {"first_10_steps": first, "last_10_steps": last},
        "seconds": seconds,
    }
    write_figure(demo.out / "before-after.png", draw_separation(separation, truth=truth))
    write_figure(demo.out / "learning-curve.png", draw_learning_curve(steps, title=f"tiny network, {len(steps)} steps"))
    rows = [[name, f"{value:.6g}"] for name, value in ledger.items()]
    atomic_write(demo.out / "ledger.csv", "part,keV\n" + "".join(f"{n},{v}\n" for n, v in rows))
    page = HtmlPage("Signal and background of a generated full shot")
    page.text(
        "A generated JUNGFRAU module (512 x 1024 pixels): small-angle scattering plus bremsstrahlung hits, "
        "taken apart by the bundled model."
    )
    page.image("before-after.png", "Measured, separated, and the true signal, on one logarithmic scale.")
    page.heading("Where the energy went")
    page.table(["part", "keV"], rows)
    page.text(
        f"Flux of the signal: {figures['flux_bias']:+.1%} from the truth; as measured it was "
        f"{figures['flux_bias_measured']:+.1%}."
    )
    page.text(f"PSNR {figures['psnr_db']:.1f} dB after separation, {figures['psnr_measured_db']:.1f} dB before.")
    page.heading("A network learns")
    counts = ", ".join(f"{len(p)} {role} patches" for role, p in patches.items())
    page.text(f"{counts}. {len(steps)} steps of a tiny network show that learning works, not how good it gets.")
    page.image("learning-curve.png", "Loss per step.")
    page.heading("Files")
    page.text(
        "shots/ generated images and masks; patches/ training patches; training/ the run folder; "
        "separated/ signal, background and uncertainty as TIFF, ledger as JSON; ledger.csv."
    )
    page.code("bgremove separate shots/full-1.tif --out separated")
    atomic_write(demo.out / "index.html", page.render())
    return figures


def _person_is_there() -> bool:
    display = sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    return display and sys.stdin is not None and sys.stdin.isatty() and not os.environ.get("CI")


def _open_viewer(separation: Separation) -> None:
    try:
        import napari
    except ImportError:
        click.echo('The viewer needs a Qt binding: pip install "napari-bgremove[all]"', err=True)
        return
    from napari_bgremove.viewer_layers.results import put_separation

    viewer = napari.Viewer(title="napari-bgremove demo")
    # napari shares the memory of what it is given: the layer gets its own.
    image = viewer.add_image(separation.measured.copy(), name="full shot", colormap="magma")
    parts = {"background": separation.background, "signal": separation.signal}
    put_separation(viewer, image, parts, record=dict(separation.provenance))
    napari.run()
