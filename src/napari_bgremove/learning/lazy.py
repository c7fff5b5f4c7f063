"""A lazy stack in, a lazy stack out: separation of many frames through dask.

Each frame becomes one task that carries the *path* and hash of the model, not
the model; a process loads it once. So the same graph runs frame by frame in
this process or spread over the workers of a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.errors import ComputeError, ModelFileError, NoUsablePixelsError
from napari_bgremove.learning.inference import ApplyOptions, separate_image
from napari_bgremove.learning.model_file import LoadedModel, read_model
from napari_bgremove.separation import Separation

if TYPE_CHECKING:
    import dask.array as da

    from napari_bgremove.learning.networks import AdditiveNetwork

__all__ = ["iterate_separations", "separate_frame", "separate_stack"]

PARTS = ("signal", "background", "uncertainty", "measured")


def separate_stack(stack: da.Array, model: LoadedModel, options: ApplyOptions, **gate: Any) -> da.Array:
    """Separate every frame of a stack when it is asked for.

    Parameters
    ----------
    stack : dask.array.Array, shape (n, rows, columns)
        One chunk per frame.
    model : LoadedModel
        Read again, by its path, in every process that computes; a file that
        has changed meanwhile is refused.
    options : ApplyOptions
    **gate
        valid_mask, gap_values, saturation of `separate_image`.

    Returns
    -------
    dask.array.Array, shape (n, 4, rows, columns), float32
        Signal, background, uncertainty and measured (behind the gate).
    """
    import dask.array

    rows, columns = stack.shape[1:]
    frames = stack.rechunk((1, rows, columns))[:, None]
    parts: da.Array = dask.array.map_blocks(
        _separate_block, frames, str(model.path), model.sha256, options, gate,
        dtype=np.float32, chunks=(frames.chunks[0], (len(PARTS),), (rows,), (columns,)),
        meta=np.empty((0, 0, 0, 0), np.float32),
    )  # fmt: skip
    return parts


def separate_frame(network: AdditiveNetwork, frame: NDArray[Any], **options: Any) -> Separation:
    """Separate one frame of a stack as `separate_image` does; a frame without usable pixels stays empty (NaN)."""
    try:
        return separate_image(network, frame, **options)
    except NoUsablePixelsError:
        empty = np.full(frame.shape, np.nan, np.float32)
        return Separation(empty, empty, empty, uncertainty=empty)


def iterate_separations(parts: da.Array, *, client: Any = None, ahead: int = 8) -> Iterator[Separation]:
    """Compute the frames of a separated stack one after another, in order.

    Parameters
    ----------
    parts : dask.array.Array
        From `separate_stack`.
    client : distributed.Client, optional
        Computes on its workers, at most `ahead` frames in advance, so that
        neither this process nor the cluster piles up results.

    Raises
    ------
    ComputeError
        When the workers of the cluster die, or its scheduler does.
    """
    frames = [parts[i] for i in range(parts.shape[0])]
    if client is None:
        for frame in frames:
            yield _as_separation(frame.compute(scheduler="synchronous"))
        return
    running = [client.compute(frame) for frame in frames[:ahead]]
    for i in range(len(frames)):
        result = _result_of(running.pop(0), frame=i)
        if i + ahead < len(frames):
            running.append(client.compute(frames[i + ahead]))
        yield _as_separation(result)


def _result_of(future: Any, *, frame: int) -> NDArray[np.float32]:
    """Wait for a frame; what dask says of a lost worker is no sentence for a person."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    try:
        result: NDArray[np.float32] = future.result()
    except KilledWorker as error:
        msg = (
            f"'cluster' must keep its workers; {error.allowed_failures + 1} of them died one after another on frame "
            f"{frame}. Give them more memory, or separate without a cluster."
        )
        raise ComputeError(msg) from error
    except CancelledError as error:
        msg = f"'cluster' must stay to the end; its scheduler went away before frame {frame}. Start both again."
        raise ComputeError(msg) from error
    return result


def _separate_block(
    block: NDArray[Any], path: str, sha256: str, options: ApplyOptions, gate: dict[str, Any]
) -> NDArray[np.float32]:
    network = _load(path, sha256).network
    separation = separate_frame(network, block[0, 0], options=options, **gate)
    return np.stack([getattr(separation, part) for part in PARTS])[None]


@lru_cache(maxsize=2)
def _load(path: str, sha256: str) -> LoadedModel:
    model = read_model(path)
    if model.sha256 != sha256:
        msg = f"'{path}' has changed since the separation was prepared; start again."
        raise ModelFileError(msg)
    return model


def _as_separation(parts: NDArray[np.float32]) -> Separation:
    signal, background, uncertainty, measured = parts
    return Separation(signal, background, measured, uncertainty=uncertainty)
