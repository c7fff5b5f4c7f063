"""Building blocks of a scattering pattern: each returns expected intensity on a pixel grid.

Everything here is a plain function of geometry and random numbers, without
units: intensities are about one at their brightest place. scattering.py
combines and scales them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import expit

__all__ = [
    "Grid",
    "add_spots",
    "beamstop",
    "bragg_spots",
    "comb",
    "form_factor",
    "gisaxs",
    "halo",
    "lobes",
    "mirror_edge",
    "powder_rings",
    "power_law",
    "speckle",
    "streak",
]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """Pixel coordinates relative to the beam centre (pixels): rows, columns, radius, azimuth."""

    rows: Floats
    columns: Floats
    radius: Floats
    azimuth: Floats

    @classmethod
    def around(cls, shape: tuple[int, int], centre: tuple[float, float]) -> Grid:
        """Grid of `shape` around `centre` (row, column in pixels)."""
        rows = (np.arange(shape[0], dtype=np.float32) - np.float32(centre[0]))[:, None]
        columns = (np.arange(shape[1], dtype=np.float32) - np.float32(centre[1]))[None, :]
        return cls(rows, columns, np.hypot(rows, columns), np.arctan2(rows, columns))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.radius.shape[0], self.radius.shape[1]

    def turned(self, angle: float) -> tuple[Floats, Floats]:
        """Coordinates along and across a direction at `angle` (rad) through the centre."""
        along = self.columns * np.float32(np.cos(angle)) + self.rows * np.float32(np.sin(angle))
        across = self.rows * np.float32(np.cos(angle)) - self.columns * np.float32(np.sin(angle))
        return along, across


def power_law(radius: Floats, exponent: float, core: float) -> Floats:
    """Porod-like fall-off q^-p with a flat top inside `core` pixels."""
    return np.asarray((1 + (radius / np.float32(core)) ** 2) ** np.float32(-exponent / 2))


def form_factor(radius: Floats, size: float, polydispersity: float, shell: float = 0.0) -> Floats:
    """Scattering of polydisperse spheres, or core-shell spheres, as a function of distance from the beam.

    `size` is the distance of the first minimum in pixels, `shell` the (signed)
    weight of a core of 0.7 times the radius, `polydispersity` the relative
    width of the radius distribution.
    """
    axis = np.linspace(0, float(radius.max()) + 1, 3000)
    sizes = 1 + polydispersity * np.linspace(-2.5, 2.5, 21)
    weights = np.exp(-0.5 * ((sizes - 1) / max(polydispersity, 1e-6)) ** 2)
    sizes, weights = sizes[sizes > 0.05], weights[sizes > 0.05]

    def amplitude(x: NDArray[np.float64]) -> NDArray[np.float64]:
        x = np.maximum(x, 1e-3)
        return np.asarray(3 * (np.sin(x) - x * np.cos(x)) / x**3)

    x = 4.4934 * axis[:, None] / size * sizes
    wave = sizes**3 * (amplitude(x) + shell * 0.343 * amplitude(0.7 * x))
    profile = (wave**2 * weights).sum(axis=1)
    return np.asarray(np.interp(radius, axis, profile / profile[0]), dtype=np.float32)


def streak(grid: Grid, angle: float, *, width: float, exponent: float, core: float, lorentzian: bool) -> Floats:
    """A line of scattering through the beam centre: power law along, Gauss or Lorentz across."""
    along, across = grid.turned(angle)
    x = across / np.float32(width)
    profile = 1 / (1 + x**2) if lorentzian else np.exp(-0.5 * x**2)
    return np.asarray(profile * power_law(np.abs(along), exponent, core))


def comb(grid: Grid, angle: float, *, spacing: float, width: float, across_width: float, damping: float) -> Floats:
    """Grating orders along a direction: Gaussian peaks every `spacing` pixels under a Debye-Waller envelope."""
    along, across = grid.turned(angle)
    order = np.rint(along / np.float32(spacing))
    peaks = np.exp(-0.5 * ((along - order * np.float32(spacing)) / np.float32(width)) ** 2)
    envelope = np.exp(-((along / np.float32(damping)) ** 2)) / (1 + np.abs(order)) ** 2
    return np.asarray(peaks * envelope * np.exp(-0.5 * (across / np.float32(across_width)) ** 2))


def lobes(grid: Grid, angle: float, *, radius: float, width: float, folds: int, sharpness: float) -> Floats:
    """Broad anisotropic lobes on a ring, `folds` of them, as of oriented fibres or flowing micelles."""
    ring = np.exp(-0.5 * ((grid.radius - np.float32(radius)) / np.float32(width)) ** 2)
    direction = np.cos(np.float32(folds / 2) * (grid.azimuth - np.float32(angle))) ** 2
    return np.asarray(ring * direction ** np.float32(sharpness))


def halo(radius: Floats, position: float, width: float) -> Floats:
    """The broad ring of a liquid, glass or protein solution, steeper inside than outside."""
    x = (radius - np.float32(position)) / np.float32(width)
    return np.asarray(np.where(x < 0, np.exp(-0.5 * (1.4 * x) ** 2), 1 / (1 + 0.5 * x**2)), dtype=np.float32)


def powder_rings(grid: Grid, rng: np.random.Generator, *, count: int, width: float, texture: float) -> Floats:
    """Debye-Scherrer rings at square roots of integers, with optional texture along the ring."""
    first = rng.uniform(0.05, 0.4) * float(grid.radius.max())
    numbers = np.sort(rng.choice(np.arange(1, 3 * count + 3), count, replace=False))
    image = np.zeros(grid.shape, dtype=np.float32)
    for number in numbers:
        position = first * np.sqrt(number / numbers[0])
        ring = np.exp(-0.5 * ((grid.radius - np.float32(position)) / np.float32(width)) ** 2)
        phase, folds = rng.uniform(0, 2 * np.pi), int(rng.integers(1, 5))
        image += (
            rng.lognormal(-0.5 * np.sqrt(number / numbers[0]), 0.8)
            * ring
            * (1 + texture * np.cos(folds * grid.azimuth + np.float32(phase)))
        )
    return image / max(float(image.max()), 1e-6)


def add_spots(
    image: Floats,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    strength: NDArray[np.float64],
    width: NDArray[np.float64],
    stretch: NDArray[np.float64],
) -> None:
    """Add Gaussian spots to `image` in place; `stretch` is the axis ratio, the long axis at any angle of its own."""
    for r, c, a, w, s in zip(rows, columns, strength, width, stretch, strict=True):
        reach = int(np.ceil(4 * w * s)) + 1
        top, left = max(int(r) - reach, 0), max(int(c) - reach, 0)
        window = image[top : int(r) + reach + 1, left : int(c) + reach + 1]
        if window.size == 0:
            continue
        y = np.arange(top, top + window.shape[0])[:, None] - r
        x = np.arange(left, left + window.shape[1])[None, :] - c
        turn = 2 * np.pi * ((r * 0.618 + c * 0.414) % 1)
        u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        window += (a * np.exp(-0.5 * ((u / (w * s)) ** 2 + (v / w) ** 2))).astype(np.float32)


def bragg_spots(grid: Grid, rng: np.random.Generator, *, count: int, width: float, decades: float) -> Floats:
    """Sharp round reflections of a crystal: on the nodes of a tilted, slightly bent lattice, log-normal strengths."""
    height, across = grid.shape
    spacing = np.sqrt(height * across / max(count, 1)) * rng.uniform(0.45, 0.9)
    turn, shear, ratio = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3), rng.uniform(0.6, 1.6)
    reach = int(2 * (height + across) / spacing)
    h, k = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    u, v = spacing * (h + shear * k), spacing * ratio * k
    bend = 1 + 1e-4 * rng.uniform(-1, 1) * np.hypot(u, v)
    rows = rng.uniform(0, height) + bend * (np.sin(turn) * u + np.cos(turn) * v)
    columns = rng.uniform(0, across) + bend * (np.cos(turn) * u - np.sin(turn) * v)
    seen = (rows > 0) & (rows < height) & (columns > 0) & (columns < across)
    rows, columns = rows[seen], columns[seen]
    kept = rng.permutation(rows.size)[:count]
    rows, columns = rows[kept], columns[kept]
    strength = np.exp(rng.normal(0, decades * 2.3 / 4, kept.size))
    widths = width * np.exp(rng.normal(0, 0.12, kept.size))
    image = np.zeros(grid.shape, dtype=np.float32)
    add_spots(image, rows, columns, strength, widths, 1 + np.abs(rng.normal(0, 0.15, kept.size)))
    return image / max(float(np.quantile(strength, 0.99)) if strength.size else 1.0, 1e-6)


def gisaxs(grid: Grid, rng: np.random.Generator, *, size: float) -> Floats:
    """Grazing incidence: horizon, Yoneda band, vertical rods, specular streak. `size` scales all lengths (pixels)."""
    up, side = -grid.rows, grid.columns
    horizon, yoneda = size * rng.uniform(0.05, 0.15), size * rng.uniform(0.2, 0.5)
    above = expit((up - np.float32(horizon)) / np.float32(rng.uniform(0.7, 3)))
    band = np.exp(-0.5 * ((up - np.float32(yoneda)) / np.float32(size * rng.uniform(0.02, 0.08))) ** 2)
    vertical = power_law(np.abs(up - np.float32(yoneda)), rng.uniform(1.2, 3), size * rng.uniform(0.1, 0.5))
    lateral = power_law(np.abs(side), rng.uniform(1.2, 3), size * rng.uniform(0.02, 0.2))
    image = 10 ** rng.uniform(-2, -0.5) * vertical * lateral + 10 ** rng.uniform(-1.5, 0) * band * lateral
    spacing = size * rng.uniform(0.15, 1.2)
    for order in range(1, int(rng.integers(1, 5))):
        width = np.float32(rng.uniform(0.8, 0.06 * size))
        height = rng.uniform(0.05, 1) / order**2
        for sign in (-1, 1):
            rod = 1 / (1 + ((side - np.float32(sign * order * spacing)) / width) ** 2)
            image = image + np.float32(height * 10 ** rng.uniform(-1.5, -0.3)) * rod * (vertical + band)
    width = np.float32(rng.uniform(0.8, 6))
    fringes = 1 + 0.7 * np.cos(up * np.float32(2 * np.pi / (size * rng.uniform(0.05, 0.3)))) * (rng.random() < 0.4)
    specular = np.exp(-0.5 * (side / width) ** 2) * power_law(np.abs(up), rng.uniform(1, 2.5), size * 0.2) * fringes
    image = image + specular
    return np.asarray(image * (above + np.float32(10 ** rng.uniform(-3, -0.7)) * (1 - above)), dtype=np.float32)


def speckle(shape: tuple[int, int], rng: np.random.Generator, *, size: float, contrast: float) -> Floats:
    """Coherent speckle: a positive field of mean one and the given contrast, grains of `size` pixels."""
    modes = max(1, round(1 / contrast**2))
    total = np.zeros(shape, dtype=np.float32)
    for _ in range(min(modes, 6)):
        for _part in range(2):
            field = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), size, mode="wrap", truncate=3.0)
            total += field**2
    return np.asarray(total / total.mean())


def beamstop(grid: Grid, rng: np.random.Generator, *, radius: float, transmission: float) -> Floats:
    """Transmission of a round or square beam stop on a stem, edges one pixel soft."""
    offset = rng.uniform(-0.3, 0.3, 2) * radius
    y, x = grid.rows - np.float32(offset[0]), grid.columns - np.float32(offset[1])
    distance = np.hypot(y, x) if rng.random() < 0.7 else np.maximum(np.abs(y), np.abs(x))
    blocked = expit(np.float32(radius) - distance)
    along, across = grid.turned(rng.uniform(0, 2 * np.pi))
    stem = expit(2 * (np.float32(rng.uniform(0.15, 0.5) * radius) - np.abs(across)))
    blocked = np.maximum(blocked, stem * (along > 0) * np.float32(rng.random() < 0.6))
    return np.asarray(1 - (1 - transmission) * blocked, dtype=np.float32)


def mirror_edge(grid: Grid, rng: np.random.Generator) -> Floats:
    """Acceptance of a mirror or a window: a tilted rectangle or a circle with soft edges."""
    height, width = grid.shape
    soft, floor = rng.uniform(0.7, 6), 10 ** rng.uniform(-2.5, -0.5)
    along, across = grid.turned(rng.uniform(-0.15, 0.15))
    shift = rng.uniform(-0.15, 0.15, 2) * (height, width)
    if rng.random() < 0.3:
        outside = np.hypot(along - shift[1], across - shift[0]) - rng.uniform(0.35, 0.7) * max(height, width)
    else:
        reach = rng.uniform(0.3, 0.9, 2) * (height, width)
        outside = np.maximum(np.abs(across - shift[0]) - reach[0], np.abs(along - shift[1]) - reach[1])
    open_ = expit(-outside / soft)
    return np.asarray(floor + (1 - floor) * open_, dtype=np.float32)
