"""The direct solution beside the iteration, on every spectrum of the shared data that one can be read from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.testing import assert_allclose

from napari_bgremove.io.spectra import read_spectra
from napari_bgremove.spectra.ends import Anchor, Window
from napari_bgremove.spectra.shirley import separate_shirley

IMAGES = {".h5"}  # the detector image has a test of its own


def test_wherever_the_iteration_settles_it_settles_on_the_direct_solution(shared_data: Path) -> None:
    files = [path for path in sorted((shared_data / "xps").rglob("*")) if path.is_file() and path.suffix not in IMAGES]
    settled = 0
    for spectrum in (spectrum for path in files for spectrum in read_spectra(path)):
        axis = np.sort(spectrum.axis)
        ends = Anchor(Window(axis[0], axis[4])), Anchor(Window(axis[-5], axis[-1]))
        direct, swept = (
            separate_shirley(spectrum.axis, spectrum.intensity, ends=ends, method=method, tolerance=1e-14,
                             max_sweeps=5000)
            for method in ("direct", "iterate")
        )  # fmt: skip
        if swept.status == "ok":
            settled += 1
            step = abs(np.diff(direct.end_levels).item())
            assert direct.status == "ok", spectrum.label
            assert_allclose(direct.background, swept.background, rtol=0, atol=1e-11 * step, err_msg=spectrum.label)
    assert settled > 30
