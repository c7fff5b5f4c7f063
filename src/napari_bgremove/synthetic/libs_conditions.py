"""Under which conditions LIBS shots are generated: plasma, instrument, and how much shots differ."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from napari_bgremove._validation import check_positive, check_range
from napari_bgremove.synthetic.libs_instrument import Readout
from napari_bgremove.synthetic.plasma import Plasma

__all__ = ["Conditions", "Scatter"]


@dataclass(frozen=True)
class Scatter:
    """How much shots, locations and targets differ: standard deviations, as shares.

    The defaults make shots of one place scatter as those of ChemCam on sol 13
    do, in the total of each spectrometer (4.9, 6.1 and 6.4 %) and in shape.

    Parameters
    ----------
    total : float
        Of the light of all lines, from shot to shot (log-normal).
    temperature, density : float
        Of the plasma, from shot to shot.
    temperature_correlation : float
        Of the temperature with `total`: below zero, a larger plasma is cooler.
    first_shot : float
        Light of the first shot, through the dust, as a share of the others'.
    continuum, continuum_correlation : float
        Of the continuum from shot to shot (log-normal), and its correlation with `total`.
    location : float
        Of the light, from location to location (log-normal).
    matrix : float
        Half width of the range in which the temperature differs from target to target.
    coupling : float
        Of the light, from target to target (log-normal): how well the laser couples to a rock, and from how far.
    target_background : float
        Of the continuum, from target to target (log-normal). Above zero the background is not stationary any more.
    """

    total: float = 0.063
    temperature: float = 0.01
    density: float = 0.1
    temperature_correlation: float = -0.5
    first_shot: float = 0.89
    continuum: float = 0.2
    continuum_correlation: float = 0.7
    location: float = 0.05
    matrix: float = 0.05
    coupling: float = 0.0
    target_background: float = 0.0

    def __post_init__(self) -> None:
        """Refuse spreads below zero and correlations beyond one."""
        for name, value in asdict(self).items():
            low, high = (-1.0, 1.0) if name.endswith("correlation") else (0.0, np.inf)
            check_range(name, value, low, high)


@dataclass(frozen=True)
class Conditions:
    """Everything a set is made under.

    Parameters
    ----------
    plasma, scatter, readout
    exposure : float
        Factor on all light; at 1 the brightest line of BHVO-2 has 10,000 DN.
    continuum : float
        Mean continuum of a spectrometer, as a share of the 99th percentile of BHVO-2's lines there.
    """

    plasma: Plasma = field(default_factory=Plasma)
    scatter: Scatter = field(default_factory=Scatter)
    readout: Readout = field(default_factory=Readout)
    exposure: float = 1.0
    continuum: float = 0.1

    def __post_init__(self) -> None:
        """Refuse a shot without light."""
        check_positive("exposure", self.exposure)
        check_range("continuum", self.continuum, 0.0, np.inf)
