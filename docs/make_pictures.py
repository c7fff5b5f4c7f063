"""Make the picture of the README: a generated full shot, taken apart by the bundled model.

python docs/make_pictures.py
"""

from __future__ import annotations

from pathlib import Path

from napari_bgremove.evaluation.card_figures import write_figure
from napari_bgremove.evaluation.figures import draw_separation
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.learning.inference import options_of, separate_image
from napari_bgremove.learning.model_file import read_model
from napari_bgremove.synthetic.hits import Hits
from napari_bgremove.synthetic.saxs import make_full_shot
from napari_bgremove.synthetic.scattering import Scattering

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    scattering = Scattering(family="saxs", level_kev=60.0, centre=(0.5, 0.15), exponent=3.2)
    shot = make_full_shot(7, scattering=scattering, hits=Hits(rate=0.05))
    model = read_model(BUNDLED_MODEL)
    result = separate_image(model.network, shot.measured, options=options_of(model), valid_mask=shot.valid_mask)
    write_figure(IMAGES / "separation.png", draw_separation(result))


if __name__ == "__main__":
    main()
