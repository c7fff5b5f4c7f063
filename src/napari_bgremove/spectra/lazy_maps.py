"""Shirley backgrounds of maps that do not fit into the memory: block by block, when they are asked for."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import describe_shape
from napari_bgremove.spectra.shirley import ShirleyBackground, separate_shirley

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["separate_lazily"]

# What a block may hold where blocks have to be cut anew; solving one takes about six times as much.
_BLOCK_BYTES = 16 * 2**20


def separate_lazily(
    axis: ArrayLike, measured: da.Array, *, valid_mask: Any = None, sigma: Any = None, **keywords: Any
) -> ShirleyBackground:
    """Estimate Shirley's background of a dask array, whose spectra lie along the last axis.

    Nothing is computed here but what is wrong with the arguments. Every array
    of the result is a dask array in the blocks of `measured`; where those cut
    through the spectra, it is cut anew, into blocks of whole spectra. Compute
    what is wanted together (``dask.compute``, ``dask.array.store``): then
    each block is read and solved once.

    Parameters
    ----------
    axis : array_like, shape (n,)
    measured : dask.array.Array, shape (..., n)
    valid_mask, sigma
        As for `separate_shirley`; those in the shape of `measured` may be
        dask arrays as well.
    **keywords
        The other arguments of `separate_shirley`.

    Returns
    -------
    ShirleyBackground

    Raises
    ------
    ValueError
        As for `separate_shirley`; what is wrong with single samples shows
        when their block is computed.
    """
    import dask.array

    given = {"valid_mask": valid_mask, "sigma": sigma}
    along = {name: values for name, values in given.items() if np.ndim(values) > 1}  # a value for every sample
    fixed: dict[str, Any] = keywords | {name: values for name, values in given.items() if name not in along}
    stated = fixed | ({"sigma": 1.0} if "sigma" in along else {})  # any: only that there is one counts
    bare = separate_shirley(axis, np.empty((0, measured.shape[-1]), measured.dtype), **stated)
    blocks = _cut_between_spectra(measured)
    others = [_in_blocks_of(blocks, name, values) for name, values in along.items()]
    solve = partial(_solve_block, axis=np.asarray(axis), names=tuple(along), keywords=fixed)
    solved = dask.array.map_blocks(
        solve, blocks, *others,
        dtype=object, chunks=(*blocks.chunks[:-1], (1,)), meta=np.empty((0,) * blocks.ndim, object),
    )  # fmt: skip
    known = {one.name: getattr(bare, one.name) for one in fields(bare) if one.name != "axis"}
    arrays: dict[str, Any] = {
        name: _take(solved, name, like, blocks) for name, like in known.items() if isinstance(like, np.ndarray)
    }
    return replace(bare, **arrays)


def _cut_between_spectra(measured: da.Array) -> da.Array:
    if measured.numblocks[-1] == 1:
        return measured
    sizes = dict.fromkeys(range(measured.ndim - 1), "auto") | {measured.ndim - 1: -1}
    cut: da.Array = measured.rechunk(sizes, block_size_limit=_BLOCK_BYTES * measured.dtype.itemsize // 8)
    return cut


def _in_blocks_of(blocks: da.Array, name: str, given: Any) -> da.Array:
    import dask.array

    array: da.Array = dask.array.asarray(given)
    if array.shape != blocks.shape:
        msg = (
            f"'{name}' must have the shape of 'measured' ({describe_shape(blocks.shape)}); "
            f"found {describe_shape(array.shape)}."
        )
        raise ValueError(msg)
    aligned: da.Array = array.rechunk(blocks.chunks)
    return aligned


def _solve_block(
    measured: NDArray[Any], *others: NDArray[Any], axis: NDArray[Any], names: tuple[str, ...], keywords: dict[str, Any]
) -> NDArray[np.object_]:
    """Solve one block; the result of all its spectra travels as one object."""
    box = np.empty((1,) * measured.ndim, object)
    arguments: dict[str, Any] = keywords | dict(zip(names, others, strict=True))
    box.flat[0] = separate_shirley(axis, measured, **arguments)
    return box


def _take(solved: da.Array, name: str, like: NDArray[Any], blocks: da.Array) -> da.Array:
    """One field of every block; `like` is that field of a map without spectra."""
    import dask.array

    last = blocks.ndim - 1
    shape: dict[str, Any] = {"drop_axis": last} if like.ndim == 1 else {"chunks": (*blocks.chunks[:-1], like.shape[1:])}
    meta = np.empty((0,) * (last + like.ndim - 1), like.dtype)
    taken: da.Array = dask.array.map_blocks(_open_box, solved, name, dtype=like.dtype, meta=meta, **shape)
    return taken


def _open_box(box: NDArray[np.object_], name: str) -> Any:
    return getattr(box.flat[0], name)
