"""Training patches: signal from x-ray-only shots, background from full shots.

Signal patches are cut at random positions and in random orientations, because
the dominant directions of the x-ray-only data change in the full shots.
Background patches are cut where the corresponding x-ray-only shot is dark,
and are neither turned nor rescaled, because both would carry signatures that
make the task easier than it is (Starke & Smid, "Data preparation").
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_bgremove._validation import check_positive, check_range
from napari_bgremove.errors import ComputeError
from napari_bgremove.images.masks import free_positions
from napari_bgremove.images.patch_set import PatchSet

__all__ = ["extract_background_patches", "extract_signal_patches"]

Image = NDArray[np.float32]
# A patch may hold this share of bad pixels; they stay NaN and are left out of the loss.
BAD_PIXEL_SHARE = 0.05
TRIES_PER_PATCH = 50


def extract_signal_patches(
    image: Image,
    *,
    count: int,
    seed: int,
    patch: int = 128,
    min_intensity: float | None = None,
    any_angle: bool = True,
    name: str = "image",
) -> PatchSet:
    """Cut patches at random positions and orientations, and keep the bright ones.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        X-ray-only shot behind the gate; NaN where not usable.
    count : int
        Number of patches to return; fewer when 50 tries for each do not find
        them, and `metadata["remark"]` says so.
    seed : int
    patch : int
        Side in pixels.
    min_intensity : float, optional
        Smallest intensity integrated over a patch, in the unit of the image.
        By default a tenth of what an average patch of this image holds.
    any_angle : bool
        False uses multiples of 90 degrees, which keep the pixels as they are.
        An any-angle patch needs a disc of 181 pixels for 128; smaller images
        fall back to multiples of 90 degrees, and `metadata["remark"]` says so.
    name : str
        Name of the shot.

    Returns
    -------
    PatchSet

    Raises
    ------
    ComputeError
        When the image is smaller than a patch or holds no signal, or no patch
        is bright enough.
    ValueError
        When `count` or `patch` is not above zero, or `seed` is negative.
    """
    _check_numbers(count, patch, seed)
    _check_fits(image, patch)
    disc = int(np.ceil((patch - 1) * np.sqrt(2))) + 1  # 181 for 128: the diagonal between pixel centres
    turns = any_angle and min(image.shape) >= disc
    threshold = _check_signal(image, name, min_intensity, patch)
    found = _try_places(image, count, patch, turns=turns, threshold=threshold, rng=np.random.default_rng(seed))
    if not found.patches:
        raise ComputeError(_why_none(found, name, threshold))
    remarks = []
    if any_angle and not turns:
        size = " x ".join(map(str, image.shape))
        remarks.append(f"turned by multiples of 90 degrees: {size} pixels hold no disc of {disc}")
    if len(found.patches) < count:
        remarks.append(
            f"{len(found.patches)} of {count} patches: no more of {found.tries} tries were usable and above the "
            "threshold"
        )
    places = np.array(found.places)
    return PatchSet(
        np.stack(found.patches),
        "signal",
        places[:, :2],
        places[:, 2],
        np.zeros(len(places), np.int64),
        (name,),
        {
            "patch": patch,
            "count": count,
            "seed": seed,
            "any_angle": turns,
            "min_intensity": threshold,
            "min_intensity_from": "a tenth of an average patch" if min_intensity is None else "option",
            "tries": found.tries,
            "remark": "; ".join(remarks),
        },
        too_dark=np.array(found.too_dark).reshape(-1, 3),
    )


def extract_background_patches(
    image: Image,
    signal_mask: NDArray[np.bool_],
    *,
    count: int,
    seed: int,
    patch: int = 128,
    name: str = "image",
) -> PatchSet:
    """Cut patches from a full shot where there is no signal.

    Positions are drawn uniformly over all positions at which a whole patch is
    free, which are listed exactly; patches are neither turned nor rescaled.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Full shot behind the gate; NaN where not usable.
    signal_mask : ndarray of bool, shape (rows, columns)
        True where the corresponding x-ray-only shot shows signal.
    count : int
        Number of patches; positions repeat only when fewer are free.
    seed, patch, name
        As in `extract_signal_patches`.

    Raises
    ------
    ComputeError
        When no patch position is free.
    ValueError
        When `count` or `patch` is not above zero, or `seed` is negative.
    """
    _check_numbers(count, patch, seed)
    free = ~signal_mask
    positions = free_positions(free, patch)
    usable = free_positions(np.isfinite(image), patch, tolerance=BAD_PIXEL_SHARE)
    if len(positions) and len(usable) < _all_positions(image.shape, patch):
        both = np.zeros(image.shape, np.int8)
        both[tuple(positions.T)] += 1
        both[tuple(usable.T)] += 1
        positions = np.argwhere(both == 2)
    if len(positions) == 0:
        height, width = _largest_free_rectangle(free)
        what = "signal mask" if min(height, width) < patch else "signal mask with the unusable pixels"
        if min(height, width) >= patch:
            height, width = _largest_free_rectangle(free & np.isfinite(image))
        msg = (
            f"No patch position left: the {what} of '{name}' leaves {height} x {width} free pixels, a patch "
            f"needs {patch} x {patch}."
        )
        raise ComputeError(msg)
    rng = np.random.default_rng(seed)
    chosen = positions[rng.choice(len(positions), count, replace=count > len(positions))]
    patches = np.stack([image[r : r + patch, c : c + patch] for r, c in chosen])
    return PatchSet(
        patches.astype(np.float32),
        "background",
        np.asarray(chosen + (patch - 1) / 2, np.float64),
        np.zeros(count),
        np.zeros(count, np.int64),
        (name,),
        {"patch": patch, "count": count, "seed": seed, "free_positions": len(positions)},
    )


def _check_numbers(count: int, patch: int, seed: int) -> None:
    check_positive("count", count)
    check_positive("patch", patch, unit="pixels")
    check_range("seed", seed, 0, np.inf)


def _check_fits(image: Image, patch: int) -> None:
    rows, columns = image.shape
    if min(rows, columns) < patch:
        msg = (
            f"'patch' {patch} does not fit the image ({rows} x {columns} pixels); choose {min(rows, columns)} or less."
        )
        raise ComputeError(msg)


def _check_signal(image: Image, name: str, min_intensity: float | None, patch: int) -> float:
    """Return the threshold; refuse a dark image before thousands of tries, since none would find signal in it."""
    usable = image[np.isfinite(image)]
    if not usable.size:
        return 0.0  # the tries say what is wrong
    if usable.max() <= 0:
        msg = f"'{name}' must show signal: none of its usable pixels is above zero. Leave this shot out."
        raise ComputeError(msg)
    if min_intensity is not None:
        return min_intensity
    mean = float(usable.mean())
    if mean <= 0:
        msg = (
            f"'{name}' must show signal: the mean of its usable pixels must be above zero, found {mean:.3g}. Leave "
            "this shot out, or choose 'min_intensity'."
        )
        raise ComputeError(msg)
    return 0.1 * mean * patch * patch


@dataclass
class _Found:
    """What random tries found: patches with row, column and angle of their places, and places too dark."""

    patches: list[Image] = field(default_factory=list)
    places: list[tuple[float, float, float]] = field(default_factory=list)
    too_dark: list[tuple[float, float, float]] = field(default_factory=list)
    brightest: float = -np.inf
    tries: int = 0


def _try_places(
    image: Image, count: int, patch: int, *, turns: bool, threshold: float, rng: np.random.Generator
) -> _Found:
    found = _Found()
    rows, columns = image.shape
    while len(found.patches) < count and found.tries < TRIES_PER_PATCH * count:
        found.tries += 1
        angle = float(rng.uniform(0, 360)) if turns else 90.0 * float(rng.integers(4))
        centre = _random_centre(rng, (rows, columns), patch, angle)
        cut = _cut(image, centre, angle, patch)
        usable = np.isfinite(cut)
        if usable.mean() < 1 - BAD_PIXEL_SHARE:
            continue
        intensity = float(np.sum(cut[usable])) / float(usable.mean())
        found.brightest = max(found.brightest, intensity)
        if intensity > threshold:  # strictly: an empty image has no signal, whatever its average
            found.patches.append(cut)
            found.places.append((*centre, angle))
        else:
            found.too_dark.append((*centre, angle))
    return found


def _why_none(found: _Found, name: str, threshold: float) -> str:
    if not found.too_dark:
        return (
            f"No signal patch left: all {found.tries} patches tried in '{name}' have more than {BAD_PIXEL_SHARE:.0%} "
            "unusable pixels. Check the mask."
        )
    return (
        f"No signal patch above the threshold: 'min_intensity' is {threshold:.6g}, the brightest of {found.tries} "
        f"patches of '{name}' holds {found.brightest:.6g}. Lower the threshold."
    )


def _random_centre(rng: np.random.Generator, shape: tuple[int, int], patch: int, angle: float) -> tuple[float, float]:
    """Draw a centre such that the turned square lies inside the image."""
    if angle % 90 == 0:  # stay on the pixel grid: no interpolation
        corner = [int(rng.integers(n - patch + 1)) for n in shape]
        return corner[0] + (patch - 1) / 2, corner[1] + (patch - 1) / 2
    c, s = abs(np.cos(np.deg2rad(angle))), abs(np.sin(np.deg2rad(angle)))
    half = (patch - 1) / 2 * (c + s)
    centre = [float(rng.uniform(half, n - 1 - half)) for n in shape]
    return centre[0], centre[1]


def _cut(image: Image, centre: tuple[float, float], angle: float, patch: int) -> Image:
    half = (patch - 1) / 2
    if angle % 90 == 0:
        r, c = (round(x - half) for x in centre)
        return np.rot90(image[r : r + patch, c : c + patch], round(angle / 90)).astype(np.float32)
    a = np.deg2rad(angle)
    rotation = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    offset = np.asarray(centre) - rotation @ np.array([half, half])
    # Bilinear: stays non-negative, and a NaN reaches only its neighbours.
    cut: Image = ndimage.affine_transform(
        image, rotation, offset, (patch, patch), order=1, mode="nearest", prefilter=False
    )
    return cut


def _all_positions(shape: tuple[int, ...], patch: int) -> int:
    return max(shape[0] - patch + 1, 0) * max(shape[1] - patch + 1, 0)


def _largest_free_rectangle(free: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the free rectangle of the largest short side, and of those the longest."""
    side, beyond = 0, min(free.shape) + 1
    while beyond - side > 1:
        middle = (side + beyond) // 2
        side, beyond = (middle, beyond) if len(free_positions(free, middle)) else (side, middle)
    if side == 0:
        return 0, 0
    corner = np.zeros(free.shape, bool)
    corner[tuple(free_positions(free, side).T)] = True
    down, across = _longest_run(corner), _longest_run(corner.T)
    return (side + down - 1, side) if down > across else (side, side + across - 1)


def _longest_run(marks: NDArray[np.bool_]) -> int:
    longest = current = np.zeros(marks.shape[1], int)
    for row in marks:
        current = np.where(row, current + 1, 0)
        longest = np.maximum(longest, current)
    return int(longest.max())
