"""Make the pictures of README and docs that need no window.

    python docs/make_pictures.py

separation.png: a generated full shot, taken apart by the bundled model.
shirley-doublet.png: a clean doublet on which Shirley's iteration never settles.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from scipy.integrate import cumulative_trapezoid

from napari_bgremove.evaluation.card_figures import write_figure
from napari_bgremove.evaluation.figures import draw_separation
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.learning.inference import options_of, separate_image
from napari_bgremove.learning.model_file import read_model
from napari_bgremove.spectra.ends import Endpoint
from napari_bgremove.spectra.iteration import sweep_backgrounds
from napari_bgremove.spectra.one_pole import make_grid
from napari_bgremove.spectra.shirley import separate_shirley
from napari_bgremove.synthetic.hits import Hits
from napari_bgremove.synthetic.saxs import make_full_shot
from napari_bgremove.synthetic.scattering import Scattering

IMAGES = Path(__file__).parent / "images"
SWEEPS = (9, 10, 11, 12)  # those drawn


def main() -> None:
    draw_shot()
    draw_doublet()


def draw_shot() -> None:
    """A full shot and its parts."""
    scattering = Scattering(family="saxs", level_kev=60.0, centre=(0.5, 0.15), exponent=3.2)
    shot = make_full_shot(7, scattering=scattering, hits=Hits(rate=0.05))
    model = read_model(BUNDLED_MODEL)
    result = separate_image(model.network, shot.measured, options=options_of(model), valid_mask=shot.valid_mask)
    write_figure(IMAGES / "separation.png", draw_separation(result))


def draw_doublet() -> None:
    """The doublet 14 apart on a step of 120, free of noise; the background it was made with, ours, and some sweeps."""
    from matplotlib.figure import Figure

    energy = np.linspace(0, 30, 301)
    net = sum(h * np.exp(-((energy - 15 - s * 7) ** 2) / 0.98) for h, s in ((75, -1), (100, 1)))
    rest = cumulative_trapezoid(net, energy, initial=0)
    truth = 500 + 120 * (1 - rest / rest[-1])
    ends = Endpoint(0.0), Endpoint(30.0)
    direct = separate_shirley(energy, truth + net, ends=ends)
    figure = Figure(figsize=(7, 4), layout="constrained")
    plot = figure.subplots()
    plot.plot(energy, truth + net, color="0.6", linewidth=1.2, label="spectrum")
    plot.plot(energy, direct.background, color="C0", linewidth=2.5, label="direct")
    plot.plot(energy, truth, "k--", linewidth=1, label="truth")
    grid = make_grid(energy)
    above = (truth + net)[None, ::-1] - 500
    for number, swept in enumerate(islice(sweep_backgrounds(grid, above, np.array([120.0])), 12), start=1):
        if number in SWEEPS:
            plot.plot(energy, swept[0, ::-1] + 500, color="C3", alpha=0.3 + 0.05 * number, linewidth=1,
                      label=f"sweep {number}")  # fmt: skip
    plot.set(xlabel="kinetic energy (eV)", ylabel="counts", ylim=(440, 760))
    plot.legend(frameon=False)
    write_figure(IMAGES / "shirley-doublet.png", figure)


if __name__ == "__main__":
    main()
