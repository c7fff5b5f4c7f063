"""Whole detector shots: x-ray-only and full ones, with their truth.

`make_xray_only_shot` and `make_full_shot` with the same seed share the
geometry of the experiment (family, beam centre, beam stop, mirror, detector);
photons, hits and electronics are drawn apart. A real full shot differs from
its x-ray-only partner in the same way: the laser changes the sample, so the
streaks turn and the intensity changes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_positive
from napari_bgremove.synthetic.detector import Detector, make_electronic_noise, make_valid_mask
from napari_bgremove.synthetic.hits import Hits, make_hits
from napari_bgremove.synthetic.scattering import Scattering, count_photons, make_expected

__all__ = ["MODULE_SHAPE", "Shot", "make_full_shot", "make_shot_pair", "make_xray_only_shot"]

TIMEPIX_PITCH = 55.0  # um; the range of hit rates is meant for pixels from this size on
MODULE_SHAPE = (512, 1024)  # one JUNGFRAU module, rows x columns


@dataclass(frozen=True)
class Shot:
    """One detector image and what it was made of, keV per pixel, float32, shape (rows, columns).

    `measured` = `signal` + `background` + electronic noise where the pixel is
    usable (`valid_mask`) and below saturation. `signal` holds the counting
    noise of its photons; `background` is zero in an x-ray-only shot.
    """

    measured: NDArray[np.float32]
    signal: NDArray[np.float32]
    background: NDArray[np.float32]
    valid_mask: NDArray[np.bool_]
    metadata: dict[str, Any]


def _stream(seed: int, purpose: int) -> np.random.Generator:
    """Independent random stream of one purpose within a seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose,)))


_PARAMETERS, _GEOMETRY, _PIXELS, _XRAY_ONLY, _FULL, _HITS = range(6)


def _experiment(seed: int, scattering: Scattering | None, detector: Detector | None) -> tuple[Scattering, Detector]:
    """Draw what both shots of a seed share, unless it is given."""
    rng = _stream(seed, _PARAMETERS)
    drawn, module = Scattering.draw(rng), Detector.draw(rng)
    return scattering or drawn, detector or module


def _assemble(
    seed: int,
    shape: tuple[int, int],
    scattering: Scattering,
    detector: Detector,
    hits: Hits | None,
) -> Shot:
    for name, length in zip(("rows", "columns"), shape, strict=True):
        check_positive(name, length, unit="pixels")
    rng = _stream(seed, _XRAY_ONLY if hits is None else _FULL)
    expected = make_expected(shape, scattering, _stream(seed, _GEOMETRY))
    signal = count_photons(expected, scattering, rng, sensor=detector.sensor)
    background, count = np.zeros(shape), 0
    if hits is not None:
        background, count = make_hits(shape, hits, sensor=detector.sensor, rng=_stream(seed, _HITS))
    charge = signal + background
    recorded = np.minimum(charge + make_electronic_noise(charge, detector, rng), detector.saturation)
    valid = make_valid_mask(shape, detector, _stream(seed, _PIXELS))
    # Unusable pixels are dead or hot, as in a raw file; only `valid_mask` says which they are.
    recorded[~valid] = np.where(rng.random(int((~valid).sum())) < 0.7, 0.0, detector.saturation)
    metadata = {
        "seed": seed,
        "kind": "x-ray-only" if hits is None else "full",
        "unit": "keV",
        "hit_count": count,
        "scattering": asdict(scattering),
        "detector": asdict(detector),
        "hits": None if hits is None else asdict(hits),
    }
    fields = (recorded.astype(np.float32), signal.astype(np.float32), background.astype(np.float32))
    return Shot(*fields, valid_mask=valid, metadata=metadata)


def make_xray_only_shot(
    seed: int,
    *,
    shape: tuple[int, int] = MODULE_SHAPE,
    scattering: Scattering | None = None,
    detector: Detector | None = None,
) -> Shot:
    """Make a shot without high-energy background.

    Parameters
    ----------
    seed : int
        Fixes everything; the same seed gives the same arrays.
    shape : (int, int)
        Rows and columns.
    scattering, detector : Scattering, Detector, optional
        Drawn from the seed where not given.

    Returns
    -------
    Shot

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    chosen, module = _experiment(seed, scattering, detector)
    return _assemble(seed, shape, chosen, module, None)


def make_full_shot(
    seed: int,
    *,
    shape: tuple[int, int] = MODULE_SHAPE,
    scattering: Scattering | None = None,
    hits: Hits | None = None,
    detector: Detector | None = None,
) -> Shot:
    """Make a shot with scattering and high-energy background.

    Parameters
    ----------
    seed : int
        Fixes everything; the same seed gives the same arrays.
    shape : (int, int)
        Rows and columns.
    scattering, hits, detector : Scattering, Hits, Detector, optional
        Drawn from the seed where not given. A drawn scattering has the
        geometry of the x-ray-only shot of this seed, with streaks turned and
        another brightness.

    Returns
    -------
    Shot

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    chosen, module = _experiment(seed, scattering, detector)
    rng = _stream(seed, _HITS + 1)
    if scattering is None:
        brighter = float(np.exp(rng.normal(0, 0.4)))
        chosen = replace(chosen, turn=float(rng.uniform(0, np.pi)), level_kev=chosen.level_kev * brighter)
    return _assemble(seed, shape, chosen, module, hits or _drawn_hits(module, rng))


def _drawn_hits(detector: Detector, rng: np.random.Generator) -> Hits:
    """Draw a background; a track covers more of the smaller pixels, so these get fewer hits each."""
    hits = Hits.draw(rng)
    return replace(hits, rate=hits.rate * min(1.0, detector.sensor.pitch / TIMEPIX_PITCH))


def make_shot_pair(
    seed: int,
    *,
    shape: tuple[int, int] = MODULE_SHAPE,
    scattering: Scattering | None = None,
    hits: Hits | None = None,
    detector: Detector | None = None,
) -> tuple[Shot, Shot]:
    """Make the x-ray-only and the full shot of one experiment (same beam centre, beam stop, mirror, detector)."""
    xray_only = make_xray_only_shot(seed, shape=shape, scattering=scattering, detector=detector)
    return xray_only, make_full_shot(seed, shape=shape, scattering=scattering, hits=hits, detector=detector)
