"""From energy deposits at a point to counts in pixels: charge clouds and their sharing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from napari_bgremove.synthetic.transport import Deposits, Sensor

__all__ = ["collect_charge", "share_between_pixels"]


def share_between_pixels(
    position: NDArray[np.float64], sigma: NDArray[np.float64], pitch: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Split a Gaussian cloud between the pixel it lies in and the nearest neighbour, along one axis.

    Parameters
    ----------
    position, sigma : (M,) arrays
        Centre and width of each cloud, um.
    pitch : float
        Pixel pitch, um; exact to 1e-3 of the charge for sigma < 0.16 pitch.

    Returns
    -------
    home, neighbour : (M,) integer arrays
    share : (M,) array
        The part that goes to the neighbour, 0 to 0.5.
    """
    scaled = position / pitch
    home = np.floor(scaled).astype(np.intp)
    offset = scaled - home
    upper = offset > 0.5
    distance = np.where(upper, 1 - offset, offset) * pitch
    share = ndtr(-distance / sigma)
    # Less than one pair in ten thousand stays at home: it saves most of the work and loses no energy.
    share[share < 1e-4] = 0.0
    return home, home + np.where(upper, 1, -1), share


def _add(
    image: NDArray[np.float64],
    frame: NDArray[np.intp],
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    energy: NDArray[np.float64],
) -> None:
    height, width = image.shape[1:]
    seen = (row >= 0) & (row < height) & (column >= 0) & (column < width) & (energy > 0)
    flat = (frame[seen] * height + row[seen]) * width + column[seen]
    image += np.bincount(flat, weights=energy[seen], minlength=image.size).reshape(image.shape)


def collect_charge(
    deposits: Deposits, shape: tuple[int, int], *, sensor: Sensor, frames: int = 1
) -> NDArray[np.float64]:
    """Sum the charge clouds of all deposits in pixels.

    Parameters
    ----------
    deposits : Deposits
        Positions (um, pixel (0, 0) starts at the origin) and energies (keV).
    shape : (rows, columns)
    sensor : Sensor
    frames : int
        Hits are dealt to this many frames by their number, as if each were read out apart.

    Returns
    -------
    numpy.ndarray
        (frames, rows, columns), keV per pixel; charge beyond the edges is lost.
    """
    image = np.zeros((frames, *shape))
    frame = deposits.hit % frames
    sigma = sensor.cloud(deposits.position[:, 2])
    row, next_row, row_share = share_between_pixels(deposits.position[:, 0], sigma, sensor.pitch)
    column, next_column, column_share = share_between_pixels(deposits.position[:, 1], sigma, sensor.pitch)
    e = deposits.energy
    _add(image, frame, row, column, e * (1 - row_share) * (1 - column_share))
    for rows, columns, part in (
        (next_row, column, row_share * (1 - column_share)),
        (row, next_column, (1 - row_share) * column_share),
        (next_row, next_column, row_share * column_share),
    ):
        worth = part > 0
        _add(image, frame[worth], rows[worth], columns[worth], (e * part)[worth])
    return image
