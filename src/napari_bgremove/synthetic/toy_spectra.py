"""A toy for the separation of spectra: lines that come and go with the target, on a background that does not.

Small enough to train on in minutes, and known to the last count: what a method
gets wrong here it will get wrong on a real instrument, where nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_positive
from napari_bgremove.spectra.spectra_set import SpectraSet, make_spectra_set

__all__ = ["ToySpectra", "make_toy_spectra"]

Array = NDArray[np.float64]

LINES, ALWAYS_PRESENT = 48, 4
LINE_SIGMA = 1.5  # channels
PRESENT_SHARE = 0.35  # of the varying lines, in each target
PEDESTAL, HUMPS = 0.35, ((0.3, 0.22, 0.4), (0.75, 0.16, 0.25))  # (centre, width) as shares of the axis, height
SHOT_SPREAD, CONTINUUM_SPREAD = 0.05, 0.05  # relative, of signal and of continuum from shot to shot
NOISE = 0.01


@dataclass(frozen=True)
class ToySpectra:
    """Spectra with their truth.

    Attributes
    ----------
    spectra : SpectraSet
    signal, background : ndarray, shape (n, N)
        measured = signal + background + noise.
    varying, always_present : ndarray of int
        Channels of the lines that targets have or lack, and of those all have.
    """

    spectra: SpectraSet
    signal: Array
    background: Array
    varying: NDArray[np.int64]
    always_present: NDArray[np.int64]


def make_toy_spectra(seed: int = 0, *, targets: int = 60, shots: int = 20, channels: int = 512) -> ToySpectra:
    """Make spectra of several targets, each shot several times.

    48 lines, Gaussians of sigma 1.5 channels at random places; each target has
    a third of them, of log-normal heights around 0.6. Four more are in every
    target, 0.8 high. The background is a pedestal of 0.35 with two broad
    humps, rms 0.65. From shot to shot all lines rise and fall together by 5 %,
    the humps by 5 %; the noise is 0.01 in each channel.

    Parameters
    ----------
    seed : int
        The same seed gives the same arrays.
    targets, shots, channels : int

    Raises
    ------
    ValueError
        When a number is not above zero.
    """
    for name, value in {"targets": targets, "shots": shots, "channels": channels}.items():
        check_positive(name, value)
    rng = np.random.default_rng(seed)
    axis = np.arange(channels, dtype=np.float64)
    places = rng.choice(np.arange(8, channels - 8), LINES + ALWAYS_PRESENT, replace=False)
    shapes = np.exp(-0.5 * ((axis - places[:, None]) / LINE_SIGMA) ** 2)
    heights = rng.lognormal(np.log(0.6), 0.5, (targets, len(places)))
    heights *= rng.random((targets, len(places))) < PRESENT_SHARE
    heights[:, LINES:] = 0.8
    signal = np.repeat(heights @ shapes, shots, axis=0)
    rows = len(signal)
    signal *= rng.normal(1, SHOT_SPREAD, (rows, 1))
    humps = sum(high * np.exp(-0.5 * ((axis / channels - at) / wide) ** 2) for at, wide, high in HUMPS)
    background = PEDESTAL + rng.normal(1, CONTINUUM_SPREAD, (rows, 1)) * humps
    measured = signal + background + rng.normal(0, NOISE, signal.shape)
    names = np.repeat([f"target {i + 1}" for i in range(targets)], shots)
    spectra = make_spectra_set(
        axis, measured.astype(np.float32), targets=names, axis_unit="channel", provenance={"kind": "toy", "seed": seed}
    )
    return ToySpectra(spectra, signal, background, np.sort(places[:LINES]), np.sort(places[LINES:]))
