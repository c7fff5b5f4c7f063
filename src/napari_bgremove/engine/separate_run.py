"""Separation of files: open, take apart frame by frame, write, account."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.errors import ComputeError
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.io.images import ImageStack, open_images
from napari_bgremove.io.masks import read_mask
from napari_bgremove.io.results import StackWriter, write_ledger

if TYPE_CHECKING:
    from napari_bgremove.learning.inference import ApplyOptions
    from napari_bgremove.learning.model_file import LoadedModel
    from napari_bgremove.separation import Separation

__all__ = ["run_separation"]

Listener = Callable[..., None]
_SUFFIX = {"tiff": ".tif", "hdf5": ".h5"}


def run_separation(
    job: SeparateJob, *, emit: Listener, should_stop: Callable[[], bool] = lambda: False
) -> list[dict[str, Path]]:
    """Separate every input of a job and write the results.

    Parameters
    ----------
    job : SeparateJob
    emit : callable
        Called as emit(event, **values) for what happens.
    should_stop : callable
        Asked after every frame. A stack that is stopped leaves no half file.

    Returns
    -------
    list of dict of str to Path
        The files written for each input.
    """
    from napari_bgremove.learning.devices import describe_device, limited_threads, pick_device
    from napari_bgremove.learning.inference import options_of
    from napari_bgremove.learning.model_file import read_model

    _check_names(job)
    device = pick_device(job.device)
    with limited_threads(job.threads), _client(job.cluster) as client:
        model = read_model(job.model or BUNDLED_MODEL)
        changes = {n: getattr(job, n) for n in ("normalization", "merge") if getattr(job, n) is not None}
        options = options_of(
            model, device=device, precision=job.precision, batch_size=job.batch_size, padded=job.padded, **changes
        )
        emit("started", device=describe_device(device), model=model.path.name, inputs=len(job.inputs))
        written: list[dict[str, Path]] = []
        for index, path in enumerate(job.inputs):
            stack = open_images(path, dataset=job.dataset)
            emit(
                "input",
                index=index,
                name=stack.path.name,
                frames=len(stack),
                shape=stack.shape,
                notes=list(stack.notes),
            )
            files = _separate_file(job, stack, model, options, client, emit, should_stop)
            if files is None:
                emit("stopped", index=index)
                return written
            written.append(files)
            emit("written", index=index, files={name: str(p) for name, p in files.items()})
        emit("finished")
        return written


def _separate_file(
    job: SeparateJob,
    stack: ImageStack,
    model: LoadedModel,
    options: ApplyOptions,
    client: Any,
    emit: Listener,
    should_stop: Callable[[], bool],
) -> dict[str, Path] | None:
    gate: dict[str, Any] = {
        "gap_values": job.gap_values,
        "saturation": job.saturation if job.saturation is not None else stack.metadata.get("saturation"),
    }
    if job.mask:
        gate["valid_mask"] = read_mask(job.mask, shape=stack.shape)
    kev = job.kev_per_unit or stack.metadata.get("kev_per_unit")
    own_unit = str(stack.metadata.get("unit", "counts"))
    unit = "keV" if kev else own_unit  # of the ledger; the images keep their own
    provenance = {**_provenance(job, stack, model, options, kev), "unit": own_unit}
    fields = ("signal", "background", "uncertainty") + (("residual",) if job.residual else ())
    targets = {name: Path(job.out) / f"{stack.name}-{name}{_SUFFIX[job.format]}" for name in fields}
    ledgers = []
    with ExitStack() as writers:
        sinks = {}
        for name, target in targets.items():
            writer = StackWriter(
                target, provenance={**provenance, "field": name}, pixel_scale=stack.metadata.get("pixel_size_m"),
                is_stack=stack.is_stack, expected_bytes=4 * stack.data.size,
            )  # fmt: skip
            sinks[name] = writers.enter_context(writer)
        for frame, separation in enumerate(_separations(stack, model, options, gate, client, emit)):
            for name, sink in sinks.items():
                sink.append(getattr(separation, name))
            ledgers.append(_ledger(separation, kev))
            emit("frame", done=frame + 1, frames=len(stack), unit=unit, **ledgers[-1])
            if should_stop() and frame + 1 < len(stack):
                writers.pop_all().__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
                return None
    targets["ledger"] = write_ledger(
        Path(job.out) / f"{stack.name}.json", ledgers if stack.is_stack else ledgers[0],
        unit=unit, provenance=provenance,
        files={name: path.name for name, path in targets.items()},
    )  # fmt: skip
    return targets


def _separations(
    stack: ImageStack, model: LoadedModel, options: ApplyOptions, gate: dict[str, Any], client: Any, emit: Listener
) -> Iterator[Separation]:
    from napari_bgremove.learning.inference import separate_image
    from napari_bgremove.learning.lazy import iterate_separations, separate_stack

    if client is not None:
        yield from iterate_separations(separate_stack(stack.data, model, options, **gate), client=client)
        return
    for index in range(len(stack)):
        yield separate_image(
            model.network, stack.frame(index), options=options,
            on_tiles=lambda done, total: emit("tiles", done=done, total=total), **gate,
        )  # fmt: skip


def _ledger(separation: Separation, kev: float | None) -> dict[str, float]:
    return separation.ledger(scale=kev or 1.0)


def _provenance(
    job: SeparateJob, stack: ImageStack, model: LoadedModel, options: ApplyOptions, kev: float | None
) -> dict[str, Any]:
    plain = dataclasses.asdict(options) | {"device": str(options.device)}
    return {
        "program": "napari-bgremove",
        "version": metadata.version("napari-bgremove"),
        "method": "saxs_unet",
        "model": {"file": model.path.name, "tensors_sha256": model.sha256, **model.description.provenance},
        "options": plain,
        "input": {"file": stack.path.name, "dataset": stack.dataset, "notes": list(stack.notes), "mask": job.mask},
        "gate": {"gap_values": job.gap_values, "saturation": job.saturation},
        "kev_per_unit": kev,
        "written": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _check_names(job: SeparateJob) -> None:
    """Refuse inputs whose results would overwrite each other or an input."""
    seen: dict[str, str] = {}
    for path in job.inputs:
        name = open_images(path, dataset=job.dataset).name
        if name in seen:
            msg = (
                f"'{path}' and '{seen[name]}' would both be written as '{name}-signal'; separate them into "
                "different folders."
            )
            raise ComputeError(msg)
        seen[name] = path


@contextmanager
def _client(address: str | None) -> Iterator[Any]:
    """Connect to a dask scheduler, or to nothing."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        msg = "'cluster' needs dask.distributed; install it with: pip install \"napari-bgremove[cluster]\"."
        raise ComputeError(msg) from error
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        msg = f"'cluster' {address} does not answer: {error}. Check the address of the scheduler."
        raise ComputeError(msg) from error
    with client:
        yield client
