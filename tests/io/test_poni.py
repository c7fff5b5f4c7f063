"""Profiles over q from a geometry file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.errors import ReadError
from napari_bgremove.io.poni import profile_by_poni

pyFAI = pytest.importorskip("pyFAI")
SHAPE = (120, 160)


@pytest.fixture
def poni(tmp_path: Path) -> Path:
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    detector = Detector(pixel1=75e-6, pixel2=75e-6, max_shape=SHAPE)
    geometry = AzimuthalIntegrator(dist=0.5, poni1=3e-3, poni2=1e-3, detector=detector, wavelength=1e-10)
    geometry.save(str(tmp_path / "setup.poni"))
    return tmp_path / "setup.poni"


def test_a_function_of_q_comes_back(poni: Path) -> None:
    """Closed form: q = 4 pi / wavelength * sin(theta), with tan(2 theta) = radius / distance."""
    rows, columns = (np.indices(SHAPE) + 0.5) * 75e-6
    two_theta = np.arctan(np.hypot(rows - 3e-3, columns - 1e-3) / 0.5)
    q = 4 * np.pi / 0.1 * np.sin(two_theta / 2)
    image = 5 + 2 * np.cos(3 * q)
    image[10:20] = np.nan
    axis, mean = profile_by_poni(image, poni, bins=60)
    good = np.isfinite(mean)
    assert good.sum() > 50
    np.testing.assert_allclose(mean[good], 5 + 2 * np.cos(3 * axis[good]), atol=0.1)


def test_another_detector_is_refused(poni: Path) -> None:
    with pytest.raises(ReadError, match="is the geometry of 120 x 160 pixels; found 50 x 60"):
        profile_by_poni(np.ones((50, 60)), poni)


def test_a_file_that_is_no_geometry_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.poni").write_text("nothing: of the kind")
    with pytest.raises(ReadError, match=r"'no\.poni'"):
        profile_by_poni(np.ones(SHAPE), tmp_path / "no.poni")
    with pytest.raises(ReadError, match=r"'missing\.poni'"):
        profile_by_poni(np.ones(SHAPE), tmp_path / "missing.poni")
