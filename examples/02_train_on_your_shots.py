"""Train a network for a detector, from x-ray-only shots and full shots.

    python examples/02_train_on_your_shots.py OUT

Generated shots stand in for yours; the training is a toy of two short epochs.
What it leaves in OUT/run is the folder `bgremove train` leaves, too:
`bgremove train --resume OUT/run` and `bgremove separate --model` go on with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_bgremove import SaxsUnetRecipe, estimate_signal_mask
from napari_bgremove.engine.jobs import TrainJob
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.train_run import run_training
from napari_bgremove.images.gate import gate_image
from napari_bgremove.images.patch_set import join_patch_sets
from napari_bgremove.images.patches import extract_background_patches, extract_signal_patches
from napari_bgremove.io.patch_sets import write_patch_set
from napari_bgremove.synthetic.hits import Hits
from napari_bgremove.synthetic.saxs import make_shot_pair
from napari_bgremove.synthetic.scattering import Scattering

out = Path(sys.argv[1] if len(sys.argv) > 1 else "example-training")
out.mkdir(parents=True, exist_ok=True)

# A steep pattern near one end leaves the rest of the detector for background patches.
scattering = Scattering(family="saxs", level_kev=60.0, centre=(0.5, 0.15), exponent=3.2)
signal, background = [], []
for seed in (7, 8):
    shots = make_shot_pair(seed, scattering=scattering, hits=Hits(rate=0.05))
    xray_only, full = (gate_image(shot.measured, valid_mask=shot.valid_mask).values for shot in shots)
    signal_mask = estimate_signal_mask(xray_only)
    signal.append(extract_signal_patches(xray_only, count=16, seed=seed, name=f"shot {seed}"))
    background.append(extract_background_patches(full, signal_mask, count=16, seed=seed, name=f"shot {seed}"))
write_patch_set(out / "signal.npz", join_patch_sets(signal))
write_patch_set(out / "background.npz", join_patch_sets(background))

job = TrainJob(
    recipe=SaxsUnetRecipe(preset="tiny", epochs=2, batch_size=4),
    signal=str(out / "signal.npz"),
    background=str(out / "background.npz"),
    samples_per_epoch=16,
    validation_samples=4,
)
run = RunFolder(out / "run")
run.create(job.model_dump_json(indent=1))
print(run_training(run, job, listener=lambda event: print(event["event"])))
