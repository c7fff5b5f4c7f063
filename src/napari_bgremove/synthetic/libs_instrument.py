"""An instrument like ChemCam: three spectrometers with their axes, line shapes, response and readout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_bgremove._validation import check_positive, check_range
from napari_bgremove.spectra.spectra_set import Block

__all__ = ["CHEMCAM", "Readout", "Spectrometer", "chemcam_axis", "chemcam_blocks", "chemcam_response", "spread_lines"]

Array = NDArray[np.float64]

CHANNELS = 2048
WING = 80.0  # a line is followed this many Gaussian sigmas (UV: 5.8 nm), to 0.3 % of a Lorentzian share of 0.3
WIDE_WING = 15.0  # half widths of a line that the plasma broadens


@dataclass(frozen=True)
class Spectrometer:
    """One of the three.

    Parameters
    ----------
    name : str
    wavelength : tuple of float
        Coefficients (nm) of a polynomial in the channel, which runs from -1 to 1.
    width : float
        Full width at half maximum of its Gaussian, nm.
    wings : float
        Share of a Lorentzian in its line shape.
    wing_width : float
        What the Lorentzian is wider at half maximum than the Gaussian's sigma, half width, nm.
    gain : tuple of (float, float)
        Wavelength (nm) and photons per DN there; the logarithm is linear in between.
    scale : float
        Factor on the photons, for the share of the light that this spectrometer sees.
    """

    name: str
    wavelength: tuple[float, ...]
    width: float
    wings: float
    wing_width: float
    gain: tuple[tuple[float, float], ...]
    scale: float

    def axis(self) -> Array:
        """Wavelengths of the channels in vacuum, nm."""
        return np.asarray(Polynomial(self.wavelength)(np.linspace(-1, 1, CHANNELS)))

    def photons_per_dn(self) -> Array:
        """Photons that make one DN in each channel."""
        at, photons = np.array(self.gain).T
        return np.asarray(np.exp(np.interp(self.axis(), at, np.log(photons))))


# Axes: polynomials through that of the archive (0.0014 nm in the UV, where it is rounded, and 0.00004 nm elsewhere).
# Response: a few points through that of the flight instrument (doi:10.1016/j.sab.2013.02.003; the curve in
# NASA-Planetary-Science/CCAM_PROSPECT, BSD-3), which leave out 4, 2 and 5 % rms of ripple in the channels in use.
# Shapes and scales: fitted to the real spectrum of BHVO-2.
CHEMCAM = (
    Spectrometer(
        "UV", (293.28022, 49.99294, -2.47617), 0.17, 0.3, 0.04,
        ((241.2, 14900), (246.7, 5700), (261.5, 2340), (267.7, 1980), (271.6, 2500), (279.1, 1670), (289.6, 1330),
         (310.6, 1370), (321.0, 1690), (324.6, 2200), (328.0, 1630), (333.5, 2400), (338.4, 2100), (340.4, 5430)),
        1.0,
    ),
    Spectrometer(
        "VIO", (428.53714, 43.54488, -2.97102, -0.06906, 0.04781), 0.21, 0.4, 0.1,
        ((382.5, 2620), (387.9, 2190), (393.1, 1980), (399.6, 1310), (408.4, 1230), (416.9, 992), (452.3, 1070),
         (468.8, 1420)),
        2.14,
    ),
    Spectrometer(
        "VNIR", (697.68758, 216.84617, -7.85974, -0.65153, -0.449), 0.60, 0.6, 0.2,
        ((477.7, 11400), (492.7, 6690), (503.5, 3430), (517.6, 2610), (637.7, 869), (779.2, 1330), (832.3, 2070),
         (843.1, 2300), (848.9, 3830), (892.4, 39700)),
        4.12,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Readout:
    """What the detector adds to the light, and where it ends.

    Parameters
    ----------
    pedestal : tuple of float
        Offset (DN) of each spectrometer.
    pattern : float
        One sigma of the fixed pattern on the pedestal, DN per channel; the same in every shot.
    drift : float
        One sigma of the dark level from shot to shot, DN per spectrometer.
    electrons_per_dn : float
        Shot noise: electrons of the light follow Poisson's law.
    read_noise : float
        One sigma, DN.
    full_scale : float
        Largest value that can be recorded, DN.
    spike_rate : float
        Hits by cosmic particles per channel and shot.
    """

    pedestal: tuple[float, float, float] = (690.0, 850.0, 760.0)
    pattern: float = 3.0
    drift: float = 5.0
    electrons_per_dn: float = 3.0
    read_noise: float = 12.0
    full_scale: float = 65535.0
    spike_rate: float = 0.0

    def __post_init__(self) -> None:
        check_positive("electrons_per_dn", self.electrons_per_dn)
        check_positive("full_scale", self.full_scale, unit="DN")
        check_range("spike_rate", self.spike_rate, 0.0, 1.0)
        for name in ("pattern", "drift", "read_noise"):
            check_range(name, getattr(self, name), 0.0, np.inf, unit="DN")

    def draw_pattern(self, rng: np.random.Generator) -> Array:
        """Draw the pedestal with its fixed pattern, DN, shape (channels,)."""
        offsets = np.repeat(self.pedestal, CHANNELS)
        return np.asarray(offsets + self.pattern * rng.standard_normal(offsets.size))

    def draw_drift(self, rng: np.random.Generator) -> Array:
        """Draw how far the dark level of one shot is off, DN, shape (channels,)."""
        return np.repeat(self.drift * rng.standard_normal(len(self.pedestal)), CHANNELS)

    def record(self, light: Array, offset: Array, rng: np.random.Generator) -> Array:
        """Record light (DN) on an offset (DN): with shot noise, read noise and spikes, in whole DN up to full scale."""
        electrons = rng.poisson(light * self.electrons_per_dn)
        recorded = offset + electrons / self.electrons_per_dn + self.read_noise * rng.standard_normal(light.shape)
        if self.spike_rate:
            hit = rng.random(light.shape) < self.spike_rate
            recorded[hit] += rng.exponential(1000.0, int(hit.sum()))
        return np.asarray(np.clip(np.rint(recorded), 0.0, self.full_scale))


def chemcam_axis() -> Array:
    """Wavelengths of the 6144 channels, nm in vacuum."""
    return np.concatenate([spectrometer.axis() for spectrometer in CHEMCAM])


def chemcam_blocks() -> tuple[Block, ...]:
    """Channels of the three spectrometers."""
    return tuple(
        Block(spectrometer.name, number * CHANNELS, (number + 1) * CHANNELS)
        for number, spectrometer in enumerate(CHEMCAM)
    )


@lru_cache(maxsize=1)
def chemcam_response() -> Array:
    """DN per unit of radiance (photons per nm) in each channel: width of the channel over photons per DN."""
    parts = [np.gradient(spectrometer.axis()) / spectrometer.photons_per_dn() for spectrometer in CHEMCAM]
    return np.concatenate(parts)


def spread_lines(wavelength: Array, *, broadening: Array) -> csr_matrix:
    """Spread lines over the channels, each with the shape its spectrometer gives it.

    The shape is (1 - w) Gaussian + w Lorentzian, of area 1 per nm; a line that
    the plasma broadens is all Lorentzian.

    Parameters
    ----------
    wavelength : ndarray, shape (lines,)
        nm in vacuum.
    broadening : ndarray, shape (lines,)
        Half width (nm) by which the plasma broadens a line; 0 for the instrument's own shape.

    Returns
    -------
    csr_matrix, shape (channels, lines)
        Its product with the photons of the lines is the radiance, photons per nm.
    """
    values, channels, lines = [], [], []
    for number, spectrometer in enumerate(CHEMCAM):
        axis = spectrometer.axis()
        sigma = spectrometer.width / np.sqrt(8 * np.log(2))
        for line, (centre, extra) in enumerate(zip(wavelength, broadening, strict=True)):
            reach = max(WING * sigma, WIDE_WING * extra)
            first, last = np.searchsorted(axis, [centre - reach, centre + reach])
            offset = axis[first:last] - centre
            wings, half = (1.0, sigma + extra) if extra else (spectrometer.wings, sigma + spectrometer.wing_width)
            shape = (1 - wings) * _gaussian(offset, sigma) + wings * _lorentzian(offset, half)
            values.append(spectrometer.scale * shape)
            channels.append(np.arange(first, last) + number * CHANNELS)
            lines.append(np.full(last - first, line))
    places = (np.concatenate(channels), np.concatenate(lines))
    return csr_matrix((np.concatenate(values), places), shape=(len(CHEMCAM) * CHANNELS, len(wavelength)))


def _gaussian(offset: Array, sigma: float) -> Array:
    return np.asarray(np.exp(-0.5 * (offset / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)))


def _lorentzian(offset: Array, half: float) -> Array:
    return np.asarray(half / np.pi / (offset**2 + half**2))
