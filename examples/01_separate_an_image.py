"""Take one detector image apart in Python, and check the result.

python examples/01_separate_an_image.py                 a generated shot
python examples/01_separate_an_image.py image.tif       your own
"""

from __future__ import annotations

import sys

from napari_bgremove import BUNDLED_MODEL, read_image, read_model, separate_image
from napari_bgremove.learning.inference import options_of
from napari_bgremove.synthetic.saxs import make_full_shot

image = read_image(sys.argv[1]) if len(sys.argv) > 1 else make_full_shot(7, shape=(256, 256)).measured

model = read_model(BUNDLED_MODEL)
result = separate_image(model.network, image, options=options_of(model))

# measured = signal + background + residual, pixel by pixel
for name, value in result.ledger().items():
    print(f"{name:20s} {value}")
