"""The profile of an image along a line, a polyline or through a rectangle: on many detectors, a spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import check_choice, describe_shape
from napari_bgremove.images.bands import Band, make_path_band, make_rectangle_band
from napari_bgremove.images.sampling import ImageSampler

__all__ = ["REDUCTIONS", "LineProfile", "extract_band_profile", "extract_profile", "extract_rectangle_profile"]

#: How the samples across a band become one value.
REDUCTIONS = ("mean", "sum")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LineProfile:
    """What an image, or every frame of a stack, shows along a band.

    Attributes
    ----------
    position : ndarray, shape (n,)
        Length along the band, in world units, evenly spaced.
    values : ndarray, shape (n,) or (frames, n)
        Mean or sum across the band, in the unit of the image; NaN where no
        sample is usable.
    sigma : ndarray, of the shape of `values`
        Standard error of the values, from the scatter across the band; NaN
        where there are fewer than two samples.
    count : ndarray of int, of the shape of `values`
        Number of usable samples across the band.
    points : ndarray, shape (n, 2)
        (row, column) on the middle of the band, pixels.
    """

    position: Array
    values: Array
    sigma: Array
    count: NDArray[np.int64]
    points: Array


def extract_profile(
    image: ArrayLike | ImageSampler,
    path: ArrayLike,
    *,
    width: float = 1.0,
    reduce: str = "mean",
    order: int | None = None,
    valid_mask: ArrayLike | None = None,
    scale: tuple[float, float] = (1.0, 1.0),
    samples: int | None = None,
) -> LineProfile:
    """Read an image along a line or polyline, averaged over a band across it.

    Parameters
    ----------
    image : array_like, shape (rows, columns) or (frames, rows, columns), or ImageSampler
        Of a stack, every frame is read along the same band, one frame in
        memory at a time (a lazy dask array is computed frame by frame). A
        sampler is an image made ready once, for a line that is dragged.
    path : array_like, shape (vertices, 2)
        (row, column) of the vertices in pixels; the centre of the first pixel
        is (0, 0).
    width : float
        Of the band, pixels: 15 means 15 lines of samples one pixel apart.
    reduce : {"mean", "sum"}
        Across the band. The sum is the mean times the width: a sample that is
        left out counts as the mean of the others, because a sum over fewer
        samples would look like a dip in the spectrum.
    order : {0, 1, 2, 3, 4, 5}, optional
        Nearest pixel, bilinear (the default), or degree of a spline; see
        `ImageSampler`, which brings its own.
    valid_mask : array_like of bool, shape (rows, columns), optional
        True where a pixel is usable. A sample that needs an unusable pixel,
        or NaN or Inf, or that lies outside the image, is left out of mean and
        error and not counted; what such a pixel holds never matters.
    scale : (row, column)
        Size of a pixel in world units; `position` is in these, and the band
        at right angles to the path in the world.
    samples : int, optional
        Number of samples along the path, both ends included; by default one
        pixel apart or a little less.

    Returns
    -------
    LineProfile
        Linear in the image; along a straight line exact for an image that is a
        plane (a spline: away from its rim). For whole widths, samples and ends are
        those of `skimage.measure.profile_line`.

    Raises
    ------
    ValueError
        When the image is no image or stack, the path does not lead anywhere,
        or a number or name is not one of those above.

    Notes
    -----
    The standard error is what the scatter across the band says. It includes
    structure of the image across the band. Where the lines of samples lie
    between lines of pixels, interpolation has smoothed the noise across the
    band, and the error found is too small: at order 1 by up to a third, half
    way between two of them.
    """
    band = make_path_band(path, width=width, scale=scale, samples=samples)
    return extract_band_profile(image, band, reduce=reduce, order=order, valid_mask=valid_mask)


def extract_rectangle_profile(
    image: ArrayLike | ImageSampler,
    corners: ArrayLike,
    *,
    side: int = 0,
    reduce: str = "mean",
    order: int | None = None,
    valid_mask: ArrayLike | None = None,
    scale: tuple[float, float] = (1.0, 1.0),
) -> LineProfile:
    """Read an image along one side of a rectangle, averaged over the other.

    Parameters
    ----------
    image : array_like or ImageSampler
        As for `extract_profile`.
    corners : array_like, shape (4, 2)
        (row, column) of the corners in pixels, in order around. Pixels reach
        from -0.5 to 0.5 around their centres: the whole image is
        (-0.5, -0.5) to (rows - 0.5, columns - 0.5), and gives the plain mean
        of its rows or columns.
    side : {0, 1}
        Along the side from the first corner to the second, or from the second
        to the third. Positions count from its beginning.
    reduce, order, valid_mask, scale
        As for `extract_profile`.

    Returns
    -------
    LineProfile
        Samples in the middle of cells of one pixel, or nearly so.

    Raises
    ------
    ValueError
        As for `extract_profile`, and when the corners are no rectangle.
    """
    band = make_rectangle_band(corners, side=side, scale=scale)
    return extract_band_profile(image, band, reduce=reduce, order=order, valid_mask=valid_mask)


def extract_band_profile(
    image: ArrayLike | ImageSampler,
    band: Band,
    *,
    reduce: str = "mean",
    order: int | None = None,
    valid_mask: ArrayLike | None = None,
) -> LineProfile:
    """Read an image along a band that is known already.

    Parameters
    ----------
    image, reduce, order, valid_mask
        As for `extract_profile`.
    band : Band
        From `make_path_band` or `make_rectangle_band`.

    Returns
    -------
    LineProfile

    Raises
    ------
    ValueError
        As for `extract_profile`.
    """
    check_choice("reduce", reduce, REDUCTIONS)
    if isinstance(image, ImageSampler):
        _check_nothing_given(image, order, valid_mask)
        mean, sigma, count = _average(image.sample(band.rows, band.columns))
    else:
        how = {"order": 1 if order is None else order, "valid_mask": valid_mask}
        mean, sigma, count = _average_frames(image, band, how)
    factor = 1.0 if reduce == "mean" else band.width
    return LineProfile(band.position, mean * factor, sigma * factor, count, band.points)


def _check_nothing_given(sampler: ImageSampler, order: int | None, valid_mask: ArrayLike | None) -> None:
    if valid_mask is not None or order not in (None, sampler.order):
        msg = (
            "'order' and 'valid_mask' must be left out for an ImageSampler, which has its own (order "
            f"{sampler.order}); found order {order}{'' if valid_mask is None else ' and a mask'}."
        )
        raise ValueError(msg)


def _average_frames(image: ArrayLike, band: Band, how: dict[str, Any]) -> tuple[Array, Array, NDArray[np.int64]]:
    # A dask array has axes without being computed; a list has not.
    frames: Any = image if hasattr(image, "ndim") else np.asarray(image)
    if frames.ndim == 2:
        return _average(ImageSampler(frames, **how).sample(band.rows, band.columns))
    if frames.ndim != 3 or len(frames) == 0:
        msg = (
            "'image' must be an image (rows x columns) or a stack of them; found "
            f"{frames.ndim} axes ({describe_shape(frames.shape)})."
        )
        raise ValueError(msg)
    averaged = [_average(ImageSampler(frame, **how).sample(band.rows, band.columns)) for frame in frames]
    mean, sigma, count = (np.stack(part) for part in zip(*averaged, strict=True))
    return mean, sigma, count


def _average(samples: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return mean, standard error and number of the samples that are not NaN, over the lines of a band."""
    usable = np.isfinite(samples)
    count = usable.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # no sample has no mean, one no scatter: NaN
        mean = np.where(usable, samples, 0.0).sum(axis=0) / count
        square = np.where(usable, samples - mean, 0.0) ** 2
        sigma = np.sqrt(square.sum(axis=0) / (count - 1) / count)
    return mean, sigma, count.astype(np.int64)
