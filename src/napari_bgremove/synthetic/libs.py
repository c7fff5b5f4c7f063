"""LIBS spectra as ChemCam records them, generated with their truth: rocks, plasma, instrument and readout.

A spectrum depends only on (seed, target, location, shot) and the conditions:
a larger set begins with the rows that a smaller one has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from napari_bgremove._validation import check_positive, check_range
from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.spectra_set import SpectraSet
from napari_bgremove.synthetic.libs_conditions import Conditions, Scatter
from napari_bgremove.synthetic.libs_instrument import (
    Readout,
    chemcam_axis,
    chemcam_blocks,
    chemcam_response,
    spread_lines,
)
from napari_bgremove.synthetic.libs_lines import load_atomic_data
from napari_bgremove.synthetic.plasma import Plasma, emit_continuum, emit_lines
from napari_bgremove.synthetic.rocks import BHVO2, BHVO2_TRACES, OXIDES, count_moles, draw_rock, draw_traces

__all__ = ["GeneratedSpectra", "make_chemcam_set", "make_line_radiance"]

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

BRIGHTEST_DN = 10_000.0  # of BHVO-2 at exposure 1; single shots of a ChemCam-like testbed reach 5000 to 10,000
STARK_NM = {"H": 0.6}  # half width of hydrogen's lines: they are 1.6 nm wide in the real spectrum
# One stream of random numbers for each purpose; the others of a key are counted from 0.
TARGET, LOCATION, SHOT, PATTERN, DARK = range(5)


@dataclass(frozen=True, eq=False)
class GeneratedSpectra:
    """Generated shots with what they were made of.

    Attributes
    ----------
    set : SpectraSet
        As recorded, whole DN, with the composition of every target.
    signal, background : ndarray, shape (n_spectra, n_channels), float32
        DN: the light of the lines; the continuum, the pedestal with its fixed pattern and the drift of the dark level.
        Recorded minus both is noise, but where a channel is saturated or hit.
    dark : SpectraSet
        The same detector without the laser: pedestal, pattern, drift and read noise.
    saturated : ndarray of int, shape (found, 2)
        Row and channel of each value at full scale.
    """

    set: SpectraSet
    signal: Floats
    background: Floats
    dark: SpectraSet
    saturated: NDArray[np.intp]


class _Optics(NamedTuple):
    """From photons of lines to DN, and the continuum of share 1 in DN."""

    spread: csr_matrix
    dn_per_radiance: Array
    continuum: Array


class _Place(NamedTuple):
    """What all shots at one location share: factors on the temperature, on all light, and on the continuum alone."""

    temperature: float
    light: float
    continuum: float


class _Shots(NamedTuple):
    """Shots at one location, shape (shots, channels) each."""

    measured: Array
    signal: Array
    background: Array


def make_line_radiance(
    rock: Mapping[str, float],
    *,
    traces: Mapping[str, float] | None = None,
    plasma: Plasma | None = None,
) -> Array:
    """Radiance of a rock's lines on the ChemCam axis, without continuum, scatter or noise.

    Parameters
    ----------
    rock : mapping
        wt% of oxides.
    traces : mapping, optional
        ppm of Li, Sr, Ba and Cr; those of BHVO-2 without it.
    plasma : Plasma, optional

    Returns
    -------
    ndarray, shape (6144,)
        Photons per nm in arbitrary units: what cleaned spectra of the archive are in.

    Raises
    ------
    ValueError
        When the rock is not one, see `count_moles`.
    """
    moles = count_moles(rock, BHVO2_TRACES if traces is None else traces)
    emitted = emit_lines(load_atomic_data(), moles, plasma=plasma or Plasma())
    return np.asarray(_spread() @ emitted[0])


def make_chemcam_set(
    *,
    n_targets: int = 120,
    locations: int = 2,
    shots: int = 25,
    darks: int = 50,
    seed: int = 0,
    conditions: Conditions | None = None,
    rocks: Sequence[Mapping[str, float]] | None = None,
) -> GeneratedSpectra:
    """Make raw shots of many rocks, and dark spectra, with signal and background of each.

    recorded = Poisson(lines + continuum) + pedestal + pattern + drift + read
    noise. The lines are those of a plasma in equilibrium (`emit_lines`), the
    continuum is that of its electrons (`emit_continuum`); by default the
    background does not know the target, which is what SpectroscopyNet assumes.

    Parameters
    ----------
    n_targets, locations, shots, darks : int
        Rocks, locations on each, shots at each, and dark spectra. A spectrum takes 74 kB with its truth: the full set
        of 6000 takes 440 MB, `n_targets=12, shots=5` 9 MB.
    seed : int
        Not negative. The same seed gives the same rows.
    conditions : Conditions, optional
    rocks : sequence of mapping, optional
        wt% of oxides of each target instead of `n_targets` that are drawn.

    Returns
    -------
    GeneratedSpectra

    Raises
    ------
    ValueError
        When a number is not above zero, the seed is negative, or a rock is not one.
    """
    sizes = {"n_targets": n_targets if rocks is None else len(rocks), "locations": locations, "shots": shots}
    for name, value in {**sizes, "darks": darks}.items():
        check_positive(name, value)
    check_range("seed", seed, 0, np.inf)
    conditions = conditions or Conditions()
    n_targets = sizes["n_targets"]
    pattern = conditions.readout.draw_pattern(_stream(seed, PATTERN))
    recorded = np.empty((n_targets * locations * shots, pattern.size), np.float32)
    signal, background = np.empty_like(recorded), np.empty_like(recorded)
    compositions = []
    for target in range(n_targets):
        drawn = _stream(seed, TARGET, target)
        rock, traces = draw_rock(drawn), draw_traces(drawn)
        rock = dict(rock if rocks is None else rocks[target])
        compositions.append([rock.get(name, 0.0) for name in OXIDES])
        for location in range(locations):
            key = (seed, target, location)
            made = _make_shots(count_moles(rock, traces), key, shots, pattern=pattern, conditions=conditions)
            first = (target * locations + location) * shots
            for whole, part in zip((recorded, signal, background), made, strict=True):
                whole[first : first + shots] = part
    names = tuple(f"rock {target:03d}" for target in range(n_targets))
    saturated = np.argwhere(recorded >= conditions.readout.full_scale)
    about = {
        "generator": "ChemCam-like LIBS", "seed": seed, "conditions": asdict(conditions),
        "saturated_values": len(saturated),
    }  # fmt: skip
    labelled = SpectraSet(
        axis=chemcam_axis(),
        spectra=recorded,
        targets=np.repeat(names, locations * shots),
        locations=np.tile(np.repeat(np.arange(locations), shots), n_targets),
        shots=np.tile(np.arange(shots), n_targets * locations),
        blocks=chemcam_blocks(),
        value_unit="DN",
        composition=Composition(names, OXIDES, np.array(compositions, float)),
        provenance=about,
    )
    dark = _make_darks(darks, seed, pattern=pattern, readout=conditions.readout, provenance=about)
    return GeneratedSpectra(labelled, signal, background, dark, saturated)


def _make_shots(
    moles: Mapping[str, float], key: tuple[int, int, int], shots: int, *, pattern: Array, conditions: Conditions
) -> _Shots:
    """Shots at one location; the `key` is seed, target and location."""
    scatter, readout, optics = conditions.scatter, conditions.readout, _optics()
    place = _draw_place(key, scatter)
    seed, target, location = key
    streams = [_stream(seed, SHOT, target, location, shot) for shot in range(shots)]
    total, density, hotter, whiter = np.array([stream.standard_normal(4) for stream in streams]).T
    emitted = emit_lines(
        load_atomic_data(),
        moles,
        plasma=conditions.plasma,
        temperature=place.temperature
        * (1 + scatter.temperature * _correlate(total, hotter, scatter.temperature_correlation)),
        density=np.exp(scatter.density * density),
    )
    light = conditions.exposure * place.light * np.where(np.arange(shots) == 0, scatter.first_shot, 1.0)
    signal = (optics.spread @ emitted.T).T * optics.dn_per_radiance * (light * np.exp(scatter.total * total))[:, None]
    whiteness = np.exp(scatter.continuum * _correlate(total, whiter, scatter.continuum_correlation))
    continuum = (light * conditions.continuum * place.continuum * whiteness)[:, None] * optics.continuum
    offset = pattern + np.array([readout.draw_drift(stream) for stream in streams])
    measured = [readout.record(*row) for row in zip(signal + continuum, offset, streams, strict=True)]
    return _Shots(np.array(measured), signal, offset + continuum)


def _draw_place(key: tuple[int, int, int], scatter: Scatter) -> _Place:
    seed, target, location = key
    of_target, of_location = _stream(seed, TARGET, target, 1), _stream(seed, LOCATION, target, location)
    temperature = 1 + scatter.matrix * of_target.uniform(-1, 1)
    background, coupling = of_target.standard_normal(2)
    light = scatter.coupling * coupling + scatter.location * of_location.standard_normal()
    return _Place(temperature, float(np.exp(light)), float(np.exp(scatter.target_background * background)))


def _correlate(given: Array, other: Array, correlation: float) -> Array:
    """Standard normal numbers that are correlated with the `given` ones."""
    return np.asarray(correlation * given + np.sqrt(1 - correlation**2) * other)


def _make_darks(
    count: int, seed: int, *, pattern: Array, readout: Readout, provenance: Mapping[str, Any]
) -> SpectraSet:
    recorded = np.empty((count, pattern.size), np.float32)
    for row in range(count):
        stream = _stream(seed, DARK, row)
        recorded[row] = readout.record(np.zeros(pattern.size), pattern + readout.draw_drift(stream), stream)
    return SpectraSet(
        axis=chemcam_axis(),
        spectra=recorded,
        targets=np.full(count, "dark"),
        locations=np.zeros(count, np.int64),
        shots=np.arange(count),
        blocks=chemcam_blocks(),
        value_unit="DN",
        provenance=provenance,
    )


@lru_cache(maxsize=1)
def _spread() -> csr_matrix:
    atoms = load_atomic_data()
    broadening = np.array([STARK_NM.get(str(element), 0.0) for element in atoms.line_elements])
    return spread_lines(atoms.wavelength, broadening=broadening)


@lru_cache(maxsize=1)
def _optics() -> _Optics:
    """Scaled by the lines of BHVO-2, so that 1 means the same for every target."""
    radiance = make_line_radiance(BHVO2)
    response = chemcam_response()
    dn_per_radiance = BRIGHTEST_DN / (radiance * response).max() * response
    axis, hot, continuum = chemcam_axis(), Plasma().temperature_ev, np.empty_like(radiance)
    for block in chemcam_blocks():
        level = np.percentile(radiance[block.channels], 99)
        continuum[block.channels] = level * emit_continuum(axis[block.channels], hot)
    return _Optics(_spread(), dn_per_radiance, continuum * dn_per_radiance)


def _stream(seed: int, purpose: int, *place: int) -> np.random.Generator:
    # Shorter keys are padded: numpy takes a key and the same key with zeros behind it for one.
    return np.random.default_rng([seed, purpose, *place, *[0] * (3 - len(place))])
