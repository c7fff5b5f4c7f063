"""Electronics of a pixel detector: what it adds to the charge, and what it makes unusable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_range
from napari_bgremove.synthetic.transport import Sensor

__all__ = ["Detector", "make_electronic_noise", "make_valid_mask"]

Floats = NDArray[np.float64]
# Pitch and thickness (um): JUNGFRAU, Timepix, a 100 um hybrid, Pilatus, a CCD; and how often each is drawn.
GEOMETRIES = ((75.0, 320.0), (55.0, 300.0), (100.0, 300.0), (172.0, 450.0), (15.0, 100.0))
GEOMETRY_SHARES = (0.42, 0.4, 0.08, 0.05, 0.05)


@dataclass(frozen=True)
class Detector:
    """A detector module: sensor and electronics (defaults: JUNGFRAU in its high gain).

    Parameters
    ----------
    sensor : Sensor
    read_noise : float
        One sigma per pixel, keV; 0 for counting detectors. 0.29 keV was measured on a real JUNGFRAU dark pair.
    common_mode : float
        One sigma of the offset each readout chip shares, keV.
    column_residue : float
        One sigma of the pedestal left over per group of `group_columns` columns, keV.
    asic_shape, group_columns : (int, int), int
        Size of a readout chip and of a column group, pixels.
    bad_share : float
        Share of unusable pixels.
    saturation : float
        Largest recorded value, keV.
    gap_px : int
        Width of a module gap across the image, pixels; 0 for none.
    gain_switch : float
        Energy (keV) above which the gain switches and `switched_noise` (keV) replaces the read noise; inf for never.
    """

    sensor: Sensor = field(default_factory=Sensor)
    read_noise: float = 0.29
    common_mode: float = 0.25
    column_residue: float = 0.05
    asic_shape: tuple[int, int] = (256, 256)
    group_columns: int = 64
    bad_share: float = 1e-3
    saturation: float = 1.2e5
    gap_px: int = 0
    gain_switch: float = np.inf
    switched_noise: float = 5.0

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1 and noise below zero."""
        check_range("bad_share", self.bad_share, 0.0, 1.0)
        check_range("read_noise", self.read_noise, 0.0, np.inf, unit="keV")

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Draw one detector at random: JUNGFRAU, Timepix and larger pixels, counting or integrating."""
        pitch, thickness = GEOMETRIES[int(rng.choice(len(GEOMETRIES), p=GEOMETRY_SHARES))]
        reach = min(1.0, pitch / 40)
        sensor = Sensor(pitch, thickness, float(reach * rng.uniform(2, 5)), float(reach * rng.uniform(4, 9)))
        counting = rng.random() < 0.3
        return cls(
            sensor=sensor,
            read_noise=0.0 if counting else float(rng.uniform(0.05, 1.0)),
            common_mode=0.0 if counting else float(rng.uniform(0, 0.3)),
            column_residue=0.0 if counting else float(rng.uniform(0, 0.1)),
            bad_share=(0.0, 1e-3, 2e-3)[rng.integers(3)],
            saturation=float(np.exp(rng.uniform(np.log(2e4), np.log(1e6)))),
            gap_px=int(rng.integers(1, 12)) if rng.random() < 0.5 else 0,
            gain_switch=np.inf if counting or rng.random() < 0.6 else 320.0,
        )


def make_valid_mask(shape: tuple[int, int], detector: Detector, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw which pixels are usable: all but single bad ones and a straight module gap."""
    valid = rng.random(shape) >= detector.bad_share
    if detector.gap_px > 0:
        axis = int(rng.integers(2))
        start = int(rng.integers(0, max(shape[axis] - detector.gap_px, 1)))
        gap = slice(start, start + detector.gap_px)
        valid[(gap, slice(None)) if axis == 0 else (slice(None), gap)] = False
    return valid


def make_electronic_noise(charge: Floats, detector: Detector, rng: np.random.Generator) -> Floats:
    """Noise (keV per pixel) the electronics add to `charge`: read noise, common mode, column residue."""
    height, width = charge.shape
    sigma = np.where(charge > detector.gain_switch, detector.switched_noise, detector.read_noise)
    noise = sigma * rng.standard_normal(charge.shape)
    rows, columns = np.arange(height) // detector.asic_shape[0], np.arange(width) // detector.asic_shape[1]
    chips = detector.common_mode * rng.standard_normal((rows[-1] + 1, columns[-1] + 1))
    groups = detector.column_residue * rng.standard_normal(-(-width // detector.group_columns))
    return np.asarray(noise + chips[rows][:, columns] + groups[np.arange(width) // detector.group_columns])
