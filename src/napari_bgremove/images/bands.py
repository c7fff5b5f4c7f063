"""Where a profile is sampled: a band along a line, a polyline or through a rectangle.

A band is a line with a number of lines beside it, all parallel to it. It is
straight and at right angles where a person sees it, in the world of the
viewer, also where the pixels of the image are not square there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_positive, describe_shape

__all__ = ["Band", "make_path_band", "make_rectangle_band"]

Array = NDArray[np.float64]

# A length that rounding has made a little longer than a whole number is that number.
_ROUNDING = 1e-9
# Corners as a viewer hands them on, in float32.
_SKEW = 1e-4
# A coordinate with too many zeros should be refused, not fill the memory.
_MOST_SAMPLES = 2**26


@dataclass(frozen=True)
class Band:
    """Places on an image, in `lines` lines of `n` samples beside each other.

    Attributes
    ----------
    position : ndarray, shape (n,)
        Length along the band, in world units, evenly spaced.
    points : ndarray, shape (n, 2)
        (row, column) on the middle of the band, pixels.
    rows, columns : ndarray, shape (lines, n)
        Where the image is sampled, pixels.
    width : float
        Across the band, pixels.
    """

    position: Array
    points: Array
    rows: Array
    columns: Array
    width: float


def make_path_band(
    path: ArrayLike, *, width: float = 1.0, scale: tuple[float, float] = (1.0, 1.0), samples: int | None = None
) -> Band:
    """Lay a band along a line or polyline.

    Parameters
    ----------
    path : array_like, shape (vertices, 2)
        (row, column) of the vertices in pixels; two make a line. The centre
        of the first pixel is (0, 0). A vertex given twice in a row counts once.
    width : float
        Across the band, in pixels: how many lines of samples lie beside each
        other, one pixel apart (where it is not a whole number, the nearest
        whole number of them, evenly spread). Below 1.5 it is the line alone.
    scale : (row, column)
        Size of a pixel in world units; below zero where an axis is flipped.
    samples : int, optional
        Number of samples, from the first vertex to the last, both included;
        by default so many that they are one pixel apart or a little less.

    Returns
    -------
    Band
        Across a piece of the path the lines are at right angles to it in the
        world; at a vertex they lie along the mean of both sides.

    Raises
    ------
    ValueError
        When the path is not two or more points at different places, or a
        number is not what it is said to be above.
    """
    vertices = _check_path(path)
    pixel = _check_scale(scale)
    check_positive("width", width, unit="px")
    pieces = np.hypot(*(np.diff(vertices, axis=0) * pixel).T)
    corners = np.concatenate([[0.0], np.cumsum(pieces)])
    count = _choose_count(vertices, samples)
    _check_size(count, width)
    position = np.linspace(0.0, corners[-1], count)
    points = np.stack([np.interp(position, corners, vertices[:, axis]) for axis in (0, 1)], axis=1)
    tangents = np.diff(vertices, axis=0) * pixel / pieces[:, None]
    return _widen(position, points, _find_tangents(position, corners, tangents), float(width), pixel)


def make_rectangle_band(corners: ArrayLike, *, side: int = 0, scale: tuple[float, float] = (1.0, 1.0)) -> Band:
    """Lay a band through a rectangle, from edge to edge.

    Parameters
    ----------
    corners : array_like, shape (4, 2)
        (row, column) of the corners in pixels, in order around; the pixels
        themselves reach from -0.5 to 0.5 around their centres.
    side : {0, 1}
        The side the profile runs along: 0 from the first corner to the
        second, 1 from the second to the third.
    scale : (row, column)
        Size of a pixel in world units; below zero where an axis is flipped.

    Returns
    -------
    Band
        The rectangle, cut into cells of one pixel or nearly so; the samples
        lie in the middle of them. A rectangle on the edges of pixels is
        sampled at their centres.

    Raises
    ------
    ValueError
        When the corners are not those of a rectangle in the world, or `side`
        is neither 0 nor 1.
    """
    pixel = _check_scale(scale)
    if side not in (0, 1):
        msg = f"'side' must be 0 (first corner to second) or 1 (second to third); found {side}."
        raise ValueError(msg)
    vertices = _check_rectangle(corners, pixel)
    start, along = vertices[side], vertices[side + 1] - vertices[side]
    across = vertices[(side + 2) % 4] - vertices[side + 1]
    width = float(np.hypot(*across))
    count = max(1, round(float(np.hypot(*along))))
    _check_size(count, width)
    middles = (np.arange(count) + 0.5) / count
    position = middles * float(np.hypot(*(along * pixel)))
    points = start + across / 2 + middles[:, None] * along
    tangents = np.broadcast_to(along * pixel, points.shape)
    return _widen(position, points, tangents, width, pixel)


def _widen(position: Array, points: Array, tangents: Array, width: float, pixel: Array) -> Band:
    """Lay the other lines of the band beside the points, at right angles to the tangents in the world."""
    normals = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1) / pixel
    normals /= np.hypot(*normals.T)[:, None]  # one pixel long
    lines = max(1, round(width))
    offsets = ((np.arange(lines) - (lines - 1) / 2) * (width / lines))[:, None]
    rows, columns = (points[:, axis] + offsets * normals[:, axis] for axis in (0, 1))
    return Band(position, points, rows, columns, width)


def _find_tangents(position: Array, corners: Array, tangents: Array) -> Array:
    """Return the direction at every position; at a vertex, the mean of both sides, whichever way one walks."""
    near = _ROUNDING * corners[-1]
    before, after = (
        tangents[np.clip(np.searchsorted(corners, position + shift) - 1, 0, len(tangents) - 1)]
        for shift in (-near, near)
    )
    both = before + after
    turns_back = np.hypot(*both.T) < _ROUNDING
    return np.asarray(np.where(turns_back[:, None], before, both))


def _choose_count(vertices: Array, samples: int | None) -> int:
    if samples is None:
        return math.ceil(float(np.hypot(*np.diff(vertices, axis=0).T).sum()) - _ROUNDING) + 1
    if samples < 2:
        msg = f"'samples' must be at least 2, the first and the last; found {samples}."
        raise ValueError(msg)
    return int(samples)


def _check_size(count: int, width: float) -> None:
    if count * width > _MOST_SAMPLES:
        msg = (
            f"'path' and 'width' must make a band of at most {_MOST_SAMPLES} samples; found {count} x {width:g}. "
            "They are in pixels: check the numbers."
        )
        raise ValueError(msg)


def _check_path(path: ArrayLike) -> Array:
    vertices = _check_points("path", path)
    moved = np.any(np.diff(vertices, axis=0) != 0, axis=1)
    kept = vertices[np.concatenate([[True], moved])] if len(vertices) else vertices
    if len(kept) < 2:
        msg = (
            f"'path' must lead from one (row, column) to another; found {len(vertices)} "
            f"vertices at {len(kept)} place{'' if len(kept) == 1 else 's'}."
        )
        raise ValueError(msg)
    return kept


def _check_rectangle(corners: ArrayLike, pixel: Array) -> Array:
    vertices = _check_points("corners", corners)
    if len(vertices) != 4:
        msg = f"'corners' must be the four corners of a rectangle; found {len(vertices)} points."
        raise ValueError(msg)
    first, second, third, fourth = vertices * pixel
    one, other = second - first, third - second
    lengths = math.hypot(*one), math.hypot(*other)
    if min(lengths) == 0:
        msg = f"'corners' must span a rectangle; found sides of {lengths[0]:g} and {lengths[1]:g}."
        raise ValueError(msg)
    angle = abs(float(one @ other)) / (lengths[0] * lengths[1])
    gap = math.dist(first + third, second + fourth) / max(lengths)
    if max(angle, gap) > _SKEW:
        msg = "'corners' must have right angles between their sides; found another shape. Draw a rectangle or a path."
        raise ValueError(msg)
    return vertices


def _check_points(name: str, points: ArrayLike) -> Array:
    array = np.asarray(points, np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        msg = f"'{name}' must be (row, column) pairs, n x 2 numbers; found {describe_shape(array.shape)}."
        raise ValueError(msg)
    if not np.isfinite(array).all():
        msg = f"'{name}' must be finite numbers of pixels; found {array[~np.isfinite(array).all(axis=1)][0].tolist()}."
        raise ValueError(msg)
    return array


def _check_scale(scale: tuple[float, float]) -> Array:
    pixel = np.asarray(scale, np.float64)
    if pixel.shape != (2,) or not (np.isfinite(pixel).all() and pixel.all()):
        msg = f"'scale' must be two finite sizes (row, column), none of them zero; found {scale}."
        raise ValueError(msg)
    return pixel
