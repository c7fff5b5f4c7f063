"""Electrons on their way through a silicon sensor, all of a shot at once.

A condensed-history random walk: every electron takes steps of a fraction of a
pixel, loses energy by the Bethe formula with straggling, is deflected by
multiple scattering that grows as it slows down, and may knock out delta rays.
The walk is vectorised over the electrons, so that a shot with 50 000 hits
takes about a second. Coordinates are (row, column, depth) in um; depth 0 is
the entrance face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_bgremove._validation import check_positive
from napari_bgremove.synthetic.silicon import (
    COLLISION_CONSTANT,
    ELECTRON_MASS,
    electron_range,
    scattering_power,
    squared_velocity,
    stopping_power,
)

__all__ = ["Deposits", "Electrons", "Sensor", "join_electrons", "track_electrons"]

DELTA_CUT = 25.0  # keV; knocked-out electrons above it are tracked, below they are part of the straggling
LOCAL_CUT = 16.0  # keV; below it the remaining range (< 3 um) is a point for any pixel
MAX_STEPS = 4000
LONGEST_STEP = 0.25  # of the pitch; short enough that the track is continuous over pixels
# Tuned on the real 1.46 mm Sr-90 frames (benchmarks/generator_calibration.py). Highland's logarithm gives 0.65 to 0.78.
SCATTERING_SCALE = 0.9

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sensor:
    """Silicon sensor: pixel `pitch` and `thickness` in um, charge cloud widths (one sigma) in um.

    `cloud_start` is the cloud at the place of the deposit, `cloud_drift` what
    diffusion adds to a charge that drifts through the whole thickness.
    """

    pitch: float = 75.0
    thickness: float = 320.0
    cloud_start: float = 3.0
    cloud_drift: float = 6.5

    def __post_init__(self) -> None:
        """Refuse impossible geometry."""
        check_positive("pitch", self.pitch, unit="um")
        check_positive("thickness", self.thickness, unit="um")

    def cloud(self, depth: Floats) -> Floats:
        """Width of the charge cloud (um) collected at the far face from a deposit at `depth` (um)."""
        left = np.clip(1 - depth / self.thickness, 0.0, 1.0)
        return np.asarray(np.sqrt(self.cloud_start**2 + self.cloud_drift**2 * left))


class Electrons(NamedTuple):
    """Electrons inside the sensor: position (N, 3) um, unit direction (N, 3), energy (N,) keV, hit number (N,)."""

    position: Floats
    direction: Floats
    energy: Floats
    hit: NDArray[np.intp]

    @classmethod
    def none(cls) -> Electrons:
        """No electrons at all."""
        return cls(np.empty((0, 3)), np.empty((0, 3)), np.empty(0), np.empty(0, dtype=np.intp))


class Deposits(NamedTuple):
    """Energy left in the sensor: position (M, 3) um, energy (M,) keV, hit number (M,); `leaving` is what went out."""

    position: Floats
    energy: Floats
    hit: NDArray[np.intp]
    leaving: Electrons


def _select(electrons: Electrons, chosen: NDArray[np.bool_]) -> Electrons:
    position, direction, energy, hit = electrons
    return Electrons(position[chosen], direction[chosen], energy[chosen], hit[chosen])


def join_electrons(parts: Sequence[Electrons]) -> Electrons:
    """Put groups of electrons into one."""
    return Electrons(
        np.concatenate([part.position for part in parts]),
        np.concatenate([part.direction for part in parts]),
        np.concatenate([part.energy for part in parts]),
        np.concatenate([part.hit for part in parts]),
    )


def _deflect(direction: Floats, angle: Floats, rng: np.random.Generator) -> Floats:
    """Turn unit vectors by a random angle of the given plane r.m.s.; large angles tend to isotropic."""
    turned = direction + angle[:, None] * rng.standard_normal(direction.shape)
    return np.asarray(turned / np.sqrt(np.einsum("ij,ij->i", turned, turned))[:, None])


def _soft_loss(energy: Floats, step: Floats, rng: np.random.Generator) -> Floats:
    """Energy lost to collisions below the delta cut: gamma distributed, mean and variance of the restricted loss."""
    strength = COLLISION_CONSTANT / squared_velocity(energy)
    top = np.minimum(DELTA_CUT, energy / 2)
    hard = strength * np.log(np.maximum(energy / 2, top) / top)
    mean = np.maximum(stopping_power(energy) - hard, 0.02) * step
    variance = strength * top * step
    return np.asarray(np.minimum(rng.standard_gamma(mean**2 / variance) * variance / mean, energy))


def _knock_out(state: Electrons, step: Floats, rng: np.random.Generator) -> tuple[NDArray[np.intp], Electrons]:
    """Draw the delta rays of one step: which electrons made one, and the rays (Moller, 1/T^2 only)."""
    top = state.energy / 2
    strength = COLLISION_CONSTANT / squared_velocity(state.energy)
    expected = strength * step * np.maximum(1 / DELTA_CUT - 1 / top, 0.0)
    made = np.flatnonzero(rng.random(step.size) < expected)
    total = state.energy[made]
    energy = DELTA_CUT / (1 - rng.random(made.size) * (1 - DELTA_CUT / top[made]))
    cosine = np.sqrt(energy * (total + 2 * ELECTRON_MASS) / (total * (energy + 2 * ELECTRON_MASS)))
    sideways = rng.standard_normal((made.size, 3))
    forward = state.direction[made]
    sideways -= np.einsum("ij,ij->i", sideways, forward)[:, None] * forward
    sideways /= np.linalg.norm(sideways, axis=1)[:, None]
    direction = cosine[:, None] * forward + np.sqrt(1 - cosine**2)[:, None] * sideways
    return made, Electrons(state.position[made], direction, energy, state.hit[made])


def _share_inside(depth: Floats, move: Floats, thickness: float) -> Floats:
    """Share of a step in depth that lies inside the sensor (1 where it does not reach a face)."""
    end = depth + move
    room = np.where(move > 0, thickness - depth, depth)
    return np.asarray(np.where((end < 0) | (end > thickness), room / np.maximum(np.abs(move), 1e-12), 1.0))


def track_electrons(
    electrons: Electrons,
    *,
    sensor: Sensor,
    rng: np.random.Generator,
    scattering_scale: float = SCATTERING_SCALE,
) -> Deposits:
    """Follow electrons until they rest in the sensor or leave through a face.

    The sensor is infinitely wide. Energy is conserved exactly: the deposits
    and `leaving` add up to the energies of the electrons put in (radiative
    losses, below 1 % in 0.3 mm silicon, are left out).

    Parameters
    ----------
    electrons : Electrons
        Start positions (depth between the faces), directions, energies, hit numbers.
    sensor : Sensor
    rng : numpy.random.Generator
    scattering_scale : float
        Multiplies the plane angle of multiple scattering.

    Returns
    -------
    Deposits
    """
    parts: list[tuple[Floats, Floats, NDArray[np.intp]]] = []
    gone = [Electrons.none()]
    longest = LONGEST_STEP * sensor.pitch
    for _ in range(MAX_STEPS):
        low = electrons.energy < LOCAL_CUT
        if low.any():
            parts.append((electrons.position[low], electrons.energy[low], electrons.hit[low]))
            electrons = _select(electrons, ~low)
        if electrons.energy.size == 0:
            break
        electrons, deposit, left = _one_step(electrons, longest, sensor, scattering_scale, rng)
        parts.append(deposit)
        gone.append(left)
    parts.append((electrons.position, electrons.energy, electrons.hit))
    position, energy, hit = (np.concatenate(fields) for fields in zip(*parts, strict=True))
    return Deposits(position, energy, hit, join_electrons(gone))


def _one_step(
    electrons: Electrons, longest: float, sensor: Sensor, scale: float, rng: np.random.Generator
) -> tuple[Electrons, tuple[Floats, Floats, NDArray[np.intp]], Electrons]:
    """Advance every electron by one step: the survivors with their delta rays, the deposits, those that left."""
    step = np.minimum(longest, 0.2 * electron_range(electrons.energy))
    depth_move = electrons.direction[:, 2] * step
    share = _share_inside(electrons.position[:, 2], depth_move, sensor.thickness)
    inside = share >= 1.0
    step = step * share
    made, rays = _knock_out(electrons, step, rng)
    energy = electrons.energy.copy()
    energy[made] -= rays.energy
    loss = np.minimum(_soft_loss(electrons.energy, np.maximum(step, 1e-9), rng), energy)
    middle = electrons.position + 0.5 * step[:, None] * electrons.direction
    end = electrons.position + step[:, None] * electrons.direction
    angle = scale * np.sqrt(scattering_power(electrons.energy) * step)
    rest = energy - loss
    going_on = Electrons(end, _deflect(electrons.direction, angle, rng), rest, electrons.hit)
    survivors = join_electrons([_select(going_on, inside), rays])
    return survivors, (middle, loss, electrons.hit), _select(going_on._replace(direction=electrons.direction), ~inside)
