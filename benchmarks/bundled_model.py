"""Make the training data of the bundled model, from the generator alone.

    python benchmarks/bundled_model.py patches OUT --shots 300
    python benchmarks/bundled_model.py train OUT            (resumable)
    python benchmarks/bundled_model.py ship OUT             (into the package, with its run record)
    python benchmarks/bundled_model.py ship OUT --share 0.3 (weights between the start and what was learnt)

Signal patches come from x-ray-only shots, as a user's would; background patches
from shots with the x-ray beam off, so that no scattering passes for background.
Nothing measured enters: no file of the report card is read.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_bgremove._files import atomic_write
from napari_bgremove.engine.jobs import TrainJob, read_job
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.train_run import run_training
from napari_bgremove.engine.training_data import describe_training_data
from napari_bgremove.errors import ComputeError
from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.pairs import measure_hit_share
from napari_bgremove.images.patch_set import PatchSet, join_patch_sets
from napari_bgremove.images.patches import extract_background_patches, extract_signal_patches
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.io.patch_sets import read_patch_set, write_patch_set
from napari_bgremove.learning.model_file import read_model, write_model
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.synthetic.detector import Detector
from napari_bgremove.synthetic.hits import Hits
from napari_bgremove.synthetic.saxs import Shot, make_full_shot, make_xray_only_shot
from napari_bgremove.synthetic.scattering import Scattering
from napari_bgremove.synthetic.transport import Sensor

SIGNAL_PER_SHOT = 12
SMALL = (256, 256)
BACKGROUND_PER_SHOT = 24
# A tail of the scattering that leaks past a mask would teach the network to take scattering away.
BEAM_OFF = Scattering(level_kev=1e-6, photon_kev=0.0)
LEFT_BY_BEAM_OFF = 1e-3  # keV; what is below is no hit
# Times the amplitude, up to 1000, the 99th percentile then stays below 100 keV; a brighter photon is a hit.
FEW_PHOTONS = 0.1
# Hits per pixel, and the shares of shots that are dense, sparse and without any. Dense ones have
# to outnumber the rest: where little is to be removed the error is small, and under the
# geometric mean a small error pulls hardest. With 45 % of nearly empty ones the network
# left hits in on bright signals.
DENSE = (0.01, 0.25)
SPARSE_FACTOR, NO_HITS = 0.03, 1e-6
RATE_SHARES = (0.8, 0.15, 0.05)
# Small pixels draw muons as lines through the whole patch; pitch and thickness (um) of such sensors.
FINE_SENSORS = ((10.0, 100.0), (10.0, 300.0), (15.0, 100.0), (15.0, 250.0), (25.0, 300.0))
MUON_RATE = (0.001, 0.05)
# Stops, gaps and rims hide up to half of a patch, in every second one: where hits are cut off
# by them, a network that has not seen it leaves them in.
HIDDEN_SHARE, MOST_HIDDEN = 0.5, 0.5


def harvest_signal(seed: int) -> PatchSet | None:
    """Signal patches of one x-ray-only shot of any kind, scaled so that the 99th percentile is 1 keV."""
    return _signal_patches(make_xray_only_shot(seed, detector=_quiet_detector(seed)), seed, any_angle=bool(seed % 2))


def harvest_hard_signal(seed: int) -> PatchSet | None:
    """Signal patches of what is rare among all kinds, and most easily taken for background.

    Of three seeds in sixteen, a few photons per pixel over the read noise of an
    integrating detector, no brighter than common hits. Of every sixteenth,
    compact peaks far above everything else (specular and Bragg reflections,
    the foot of the beam), on a small detector so that patches hold them. When
    they were half of all patches, and as bright as any, the network left true
    hits in.
    """
    kind = seed % 16
    if kind not in (0, 4, 8, 12):
        return None
    rng = np.random.default_rng([seed, 3])
    drawn = Scattering.draw(rng)
    if kind != 4:
        quantum = drawn.level_kev / float(np.exp(rng.uniform(np.log(0.7), np.log(10))))
        scattering = dataclasses.replace(
            drawn, photon_kev=quantum, noise_kev=quantum * float(np.exp(rng.uniform(np.log(0.03), np.log(0.4)))),
            charge_shared=bool(rng.random() < 0.5), spread_px=0.0,
        )  # fmt: skip
        shot = make_xray_only_shot(seed, scattering=scattering, detector=_quiet_detector(seed))
        return _signal_patches(shot, seed, any_angle=bool(rng.random() < 0.5), level=FEW_PHOTONS)
    shot = make_xray_only_shot(seed, shape=SMALL, detector=_quiet_detector(seed))
    cores = _draw_cores(shot.metadata["scattering"]["level_kev"], rng)
    quantum = shot.metadata["scattering"]["photon_kev"]
    counted = quantum * rng.poisson(cores / quantum) if quantum else cores
    shot = dataclasses.replace(
        shot, measured=(shot.measured + counted).astype(np.float32), valid_mask=shot.valid_mask & ~_draw_arm(rng)
    )
    return _signal_patches(shot, seed, any_angle=bool(rng.random() < 0.5))


def _draw_cores(level_kev: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw one to four peaks, 3 to 300 times the level of the pattern, a few pixels wide.

    Round or long, with the profile of a Moffat function; half of them in
    wings, as the foot of a beam behind its stop is.
    """
    rows, columns = np.mgrid[: SMALL[0], : SMALL[1]]
    cores = np.zeros(SMALL)
    for _ in range(int(rng.integers(1, 5))):
        row, column = rng.uniform(0, 1, 2) * SMALL
        angle, width = rng.uniform(0, np.pi), float(np.exp(rng.uniform(np.log(1), np.log(10))))
        along = (rows - row) * np.cos(angle) + (columns - column) * np.sin(angle)
        across = (columns - column) * np.cos(angle) - (rows - row) * np.sin(angle)
        distance = (along / width) ** 2 + (across / (width * rng.uniform(0.3, 1))) ** 2
        core = level_kev * 10 ** rng.uniform(0.5, 2.5) * (1 + distance) ** -rng.uniform(1.5, 6)
        if rng.random() < 0.5:
            wings = np.cos(rng.integers(1, 4) * (np.arctan2(across, along) - rng.uniform(0, 2 * np.pi)))
            core = core * np.maximum(wings, 0) ** rng.uniform(0.3, 20)
        cores += core
    return cores


def _draw_arm(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw the arm of a beam stop, where nothing is measured, in half of the cases."""
    rows, columns = np.mgrid[: SMALL[0], : SMALL[1]]
    row, column = rng.uniform(0, 1, 2) * SMALL
    angle = rng.uniform(0, 2 * np.pi)
    along = (rows - row) * np.cos(angle) + (columns - column) * np.sin(angle)
    across = (columns - column) * np.cos(angle) - (rows - row) * np.sin(angle)
    arm: NDArray[np.bool_] = (np.abs(across) < rng.uniform(0.5, 3)) & (along > 0) & (rng.random() < 0.5)
    return arm


def _quiet_detector(seed: int) -> Detector:
    # Read noise belongs to the background patch: scaled with the signal it would
    # become as large as the signal itself.
    detector = Detector.draw(np.random.default_rng([seed, 1]))
    return dataclasses.replace(detector, read_noise=0.0, common_mode=0.0, column_residue=0.0)


def _signal_patches(shot: Shot, seed: int, *, any_angle: bool, level: float = 1.0) -> PatchSet | None:
    """Cut patches and scale them so that the 99th percentile, or the peak of a very dark one, is `level` keV."""
    image = gate_image(shot.measured, valid_mask=shot.valid_mask).values
    try:
        patches = extract_signal_patches(
            image, count=SIGNAL_PER_SHOT, seed=seed, any_angle=any_angle, name=f"shot {seed}"
        )
    except ComputeError:
        return None  # a shot without scattering on the detector
    high = np.nanpercentile(patches.patches, 99, axis=(1, 2))
    peak = np.nanmax(patches.patches, axis=(1, 2))
    scale = np.where(high > 0.02 * peak / 100, high, peak)
    keep = scale > 0
    scaled = level * patches.patches[keep] / scale[keep, None, None]
    rng = np.random.default_rng([seed, 4])
    for one in scaled:
        if rng.random() < HIDDEN_SHARE:
            one[_draw_hidden(one.shape, rng)] = np.nan
    return PatchSet(
        scaled.astype(np.float32), "signal", patches.positions[keep], patches.angles[keep], patches.shots[keep],
        patches.shot_names, patches.metadata,
    )  # fmt: skip


def _draw_hidden(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw what a stop, a gap or the rim of a module hides: a disc, a strip or a half-plane."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    while True:
        angle, centre = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 1.2, 2) * shape
        along = (rows - centre[0]) * np.cos(angle) + (columns - centre[1]) * np.sin(angle)
        across = (columns - centre[1]) * np.cos(angle) - (rows - centre[0]) * np.sin(angle)
        if rng.random() < 0.3:  # gaps and rims mostly follow the pixels
            along, across = rows - centre[0], columns - centre[1]
        hidden: NDArray[np.bool_] = (
            np.hypot(along, across) < rng.uniform(5, 80),
            np.abs(across) < rng.uniform(0.5, 10),
            across > 0,
        )[rng.integers(3)]
        if hidden.mean() < MOST_HIDDEN:
            return hidden


def harvest_background(seed: int) -> PatchSet | None:
    """Background patches of one shot with the x-ray beam off: hits and read noise, nothing else.

    Every sixth seed is a sensor of small pixels under muons.
    """
    rng = np.random.default_rng([seed, 2])
    hits = Hits.draw(rng)
    dense = float(np.exp(rng.uniform(*np.log(DENSE))))
    hits = dataclasses.replace(hits, rate=float(rng.choice([dense, hits.rate * SPARSE_FACTOR, NO_HITS], p=RATE_SHARES)))
    shot = make_full_shot(seed, scattering=BEAM_OFF, hits=hits) if seed % 6 else _make_muon_shot(seed, hits, rng)
    image = gate_image(shot.measured, valid_mask=shot.valid_mask).values
    nothing = np.zeros(image.shape, bool)
    try:
        return extract_background_patches(image, nothing, count=BACKGROUND_PER_SHOT, seed=seed, name=f"shot {seed}")
    except ComputeError:
        return None  # the module gap leaves no room


def _make_muon_shot(seed: int, hits: Hits, rng: np.random.Generator) -> Shot:
    pitch, thickness = FINE_SENSORS[rng.integers(len(FINE_SENSORS))]
    reach = min(1.0, pitch / 15)
    sensor = Sensor(pitch, thickness, float(reach * rng.uniform(1, 4)), float(reach * rng.uniform(2, 8)))
    muons = float(rng.uniform(0.3, 1))
    hits = dataclasses.replace(
        hits, muon_share=muons, electron_share=float(rng.uniform(0, 1 - muons)), pixel_threshold=0.0, frames=1,
        rate=float(np.exp(rng.uniform(*np.log(MUON_RATE)))),
    )  # fmt: skip
    detector = dataclasses.replace(Detector.draw(rng), sensor=sensor)
    return make_full_shot(seed, scattering=BEAM_OFF, hits=hits, detector=detector)


KINDS = {"signal": (harvest_signal, harvest_hard_signal), "background": (harvest_background,)}


def train(
    out: Path, run: str, *, epochs: int, preset: str, start_from: str | None, threads: int | None
) -> dict[str, Any]:
    """Train, or go on, in OUT/RUN, and return its epochs; an empty file `stop` in it stops the run."""
    recipe = SaxsUnetRecipe(
        preset=preset, guides=(3, 5, 9), amplitude_decades=(0.3, 3.0), hit_free_share=0.08, sample_mean="geometric",
        rmse_weight=2.0, flux_weight=0.5, epochs=epochs, batch_size=8, warmup_steps=100,
        # A start is worth keeping: at 1e-3 thirty epochs went by before it was reached again.
        learning_rate=3e-4 if start_from else 1e-3,
        schedule="cosine",
    )  # fmt: skip
    job = TrainJob(
        recipe=recipe, signal=str(out / "signal.npz"), background=str(out / "background.npz"), precision="bfloat16",
        samples_per_epoch=800, validation_samples=64, threads=threads, start_from=start_from,
    )  # fmt: skip
    folder = RunFolder(out / run)
    if not folder.job.exists():
        folder.create(job.model_dump_json(indent=1))
    outcome = run_training(folder, read_job(folder.job), listener=_print_epochs)
    print(outcome)
    return {"outcome": outcome, "epochs": [e for e in folder.read_events()[0] if e["event"] == "epoch"]}


def harvest(out: Path, *, shots: int, first_seed: int, processes: int) -> dict[str, Any]:
    """Write OUT/signal.npz and OUT/background.npz, and return how many patches they hold."""
    figures: dict[str, Any] = {}
    seeds = range(first_seed, first_seed + shots)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for name, kinds in KINDS.items():
            sets = [s for one_shot in kinds for s in pool.imap(one_shot, seeds) if s is not None]
            joined = join_patch_sets(sets)
            write_patch_set(out / f"{name}.npz", joined)
            figures[name] = {"patches": len(joined), "shots": len(joined.shot_names), "tried": len(kinds) * len(seeds)}
            print(f"{name}: {figures[name]}", flush=True)
    return figures


def ship(out: Path, run: str, share: float) -> dict[str, Any]:
    """Put the best model of OUT/RUN into the package, and beside it the record of its run; return the record.

    With a share below 1 the weights lie between those of the start and those
    that were learnt: two models of one descent, of which each does better
    than the other somewhere (Wortsman et al. 2022, arXiv:2109.01903).
    """
    folder = RunFolder(out / run)
    told, _ = folder.read_events()
    epochs = {event["epoch"]: event for event in told if event["event"] == "epoch"}
    losses = [epochs[number]["validation"]["loss"] for number in sorted(epochs)]
    about = json.loads((folder.path / "run.json").read_text())
    loaded = read_model(folder.best)
    provenance = dict(loaded.description.provenance)
    signal, background = (
        dataclasses.replace(patches, metadata={**patches.metadata, "generated": True})
        for patches in (read_patch_set(out / f"{role}.npz") for role in ("signal", "background"))
    )
    hits = np.where(np.abs(background.patches) < LEFT_BY_BEAM_OFF, 0, background.patches)
    provenance["hit_share"] = round(measure_hit_share(hits), 5)
    provenance["trained_on"] = describe_training_data(signal, background)
    if share < 1:
        provenance["weights"] = f"{share:g} of this training, {1 - share:g} of its start"
    description = loaded.description.model_copy(update={"provenance": provenance})
    job = read_job(folder.job)
    assert isinstance(job, TrainJob)
    if share < 1 and job.start_from is None:
        raise SystemExit("A training that began with random weights has no start to share with.")
    stage = {
        "data": {role: _describe(about, role) for role in ("signal", "background")},
        "started_from": "random weights" if job.start_from is None else "the stage before",
        "share_of_the_weights": share,
        "epochs": len(losses),
        "best_epoch": int(np.argmin(losses)) + 1,
        "steps": len(losses) * told[0]["steps"],
        "hours": round(sum(event["seconds"] for event in epochs.values()) / 3600, 2),
        "device": told[0]["device"],
        "recipe": about["recipe"],
        "versions": about["versions"],
        "validation_loss": [round(loss, 4) for loss in losses],
    }
    stages = [*([] if job.start_from is None else _stages_before(Path(job.start_from))), stage]
    record = {
        "model": BUNDLED_MODEL.name,
        "made": "benchmarks/bundled_model.py: patches, train, ship; generated shots only. The last stage by the script "
        "as it stood then, those before it by its earlier states.",
        "steps": sum(stage["steps"] for stage in stages),
        "hours_on_2_cores": round(sum(stage.get("hours", stage.get("hours_on_2_cores")) for stage in stages), 2),
        "stages": stages,
    }
    if job.start_from is not None:
        mix(loaded.network, read_model(job.start_from).network, share)
    write_model(BUNDLED_MODEL, loaded.network, description)
    atomic_write(BUNDLED_MODEL.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
    return record


def mix(network: nn.Module, start: nn.Module, share: float) -> None:
    """Put the weights of a network between those of its start (0) and its own (1)."""
    before = start.state_dict()
    network.load_state_dict({name: torch.lerp(before[name], own, share) for name, own in network.state_dict().items()})


def _stages_before(start: Path) -> list[dict[str, Any]]:
    """Return the stages of the bundled model as it is, which must be what the training started from."""
    hashes = {read_model(path).description.tensors_sha256 for path in (start, BUNDLED_MODEL)}
    if len(hashes) > 1:
        raise SystemExit(f"'{start}' is not the bundled model, so nothing is known of how it was made.")
    stages: list[dict[str, Any]] = json.loads(BUNDLED_MODEL.with_suffix(".json").read_text())["stages"]
    return stages


def _describe(about: dict[str, Any], role: str) -> dict[str, Any]:
    seeds = about["patches"][role]["seed"]
    return {
        "patches": about["patches"][role]["patches"], "shots": about["shots"][role], "sha256": about["data"][role],
        "seeds": [min(seeds), max(seeds)],
    }  # fmt: skip


def _print_epochs(event: dict[str, Any]) -> None:
    if event["event"] != "step":
        print(event, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["patches", "train", "ship"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--shots", type=int, default=220)
    parser.add_argument("--first-seed", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--epochs", type=int, default=80, help="of 800 samples each")
    parser.add_argument("--run", default="run", help="name of the run folder in OUT")
    parser.add_argument("--start-from", help="model file with the initial weights")
    parser.add_argument("--share", type=float, default=1.0, help="of the learnt weights in the model that is shipped")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path, help="write the printed figures here")
    a = parser.parse_args()
    if a.step == "patches":
        figures = harvest(a.out, shots=a.shots, first_seed=a.first_seed, processes=a.processes)
    elif a.step == "ship":
        figures = ship(a.out, a.run, a.share)
    else:
        figures = train(a.out, a.run, epochs=a.epochs, preset=a.preset, start_from=a.start_from, threads=a.threads)
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
