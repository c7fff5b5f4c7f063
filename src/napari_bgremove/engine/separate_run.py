"""Separation of files: open, take apart frame by frame, write, account."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.engine.separate_plan import PlannedInput, plan_separation
from napari_bgremove.errors import ComputeError, ReadError
from napari_bgremove.evaluation.triage import measure_trust
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
        Asked before every input and after every frame. A stack that is
        stopped leaves no half file.

    Returns
    -------
    list of dict of str to Path
        The files written for each input.

    Raises
    ------
    ComputeError
        When results would overwrite something else, before any work; or at
        the end, when inputs could not be separated, naming the first.
    """
    from napari_bgremove.learning.devices import describe_device, limited_threads, pick_device
    from napari_bgremove.learning.inference import options_of
    from napari_bgremove.learning.model_file import read_model

    plan = plan_separation(job)
    device = pick_device(job.device)
    with limited_threads(job.threads), _client(job.cluster) as client:
        model = read_model(job.model or BUNDLED_MODEL)
        changes = {n: getattr(job, n) for n in ("normalization", "merge") if getattr(job, n) is not None}
        options = options_of(
            model, device=device, precision=job.precision, batch_size=job.batch_size, padded=job.padded, **changes
        )
        emit(
            "started", device=describe_device(device), model=model.path.name, inputs=len(plan),
            trained_hit_share=model.description.provenance.get("hit_share"),
        )  # fmt: skip
        run = _Run(job, model, options, client, emit, should_stop)
        written: list[dict[str, Path]] = []
        failures: list[str] = []
        for index, one in enumerate(plan):
            if should_stop():
                emit("stopped", index=index)
                return written
            try:
                files = run.separate(index, one)
            except (ReadError, ComputeError) as error:
                if len(plan) == 1:
                    raise
                failures.append(_naming(one.path, error))
                emit("skipped", index=index, name=Path(one.path).name, reason=failures[-1])
                continue
            if files is None:
                emit("stopped", index=index)
                return written
            written.append(files)
            emit("written", index=index, files={name: str(p) for name, p in files.items()})
        if failures:
            msg = f"{len(failures)} of {len(plan)} inputs could not be separated, the others are written. {failures[0]}"
            raise ComputeError(msg)
        emit("finished")
        return written


@dataclass(frozen=True)
class _Run:
    """What all inputs of a job share."""

    job: SeparateJob
    model: LoadedModel
    options: ApplyOptions
    client: Any
    emit: Listener
    should_stop: Callable[[], bool]

    def separate(self, index: int, planned: PlannedInput) -> dict[str, Path] | None:
        """Write the parts of one input; None when asked to stop in the middle of a stack."""
        if planned.failure is not None:
            raise planned.failure
        job, stack = self.job, open_images(planned.path, dataset=self.job.dataset)
        self.emit("input", index=index, name=stack.path.name, frames=len(stack), shape=stack.shape,
                  notes=list(stack.notes))  # fmt: skip
        gate = self._gate(stack)
        kev = job.kev_per_unit or stack.metadata.get("kev_per_unit")
        own_unit = str(stack.metadata.get("unit", "counts"))
        unit = "keV" if kev else own_unit  # of the ledger; the images keep their own
        provenance = {**_provenance(job, stack, self.model, self.options, kev), "unit": own_unit}
        images = {name: path for name, path in planned.targets.items() if name != "ledger"}
        ledgers = []
        with ExitStack() as writers:
            sinks = {}
            for name, target in images.items():
                writer = StackWriter(
                    target, provenance={**provenance, "field": name}, pixel_scale=stack.metadata.get("pixel_size_m"),
                    is_stack=stack.is_stack, expected_bytes=4 * stack.data.size,
                )  # fmt: skip
                sinks[name] = writers.enter_context(writer)
            for frame, separation in enumerate(self._separations(stack, gate)):
                for name, sink in sinks.items():
                    sink.append(getattr(separation, name))
                ledgers.append(_ledger(separation, kev))
                if "skipped" in ledgers[-1]:
                    self.emit("skipped", name=stack.path.name, reason=f"frame {frame}: {ledgers[-1]['skipped']}")
                self.emit("frame", done=frame + 1, frames=len(stack), unit=unit, **ledgers[-1])
                if self.should_stop() and frame + 1 < len(stack):
                    writers.pop_all().__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
                    return None
        write_ledger(
            planned.targets["ledger"], ledgers if stack.is_stack else ledgers[0], unit=unit, provenance=provenance,
            files={name: path.name for name, path in images.items()},
        )  # fmt: skip
        return planned.targets

    def _gate(self, stack: ImageStack) -> dict[str, Any]:
        saturation = self.job.saturation
        gate = {
            "gap_values": self.job.gap_values,
            "saturation": stack.metadata.get("saturation") if saturation is None else saturation,
        }
        if self.job.valid_mask:
            gate["valid_mask"] = read_mask(self.job.valid_mask, shape=stack.shape, role="valid")
        return gate

    def _separations(self, stack: ImageStack, gate: dict[str, Any]) -> Iterator[Separation]:
        from napari_bgremove.learning.inference import separate_image
        from napari_bgremove.learning.lazy import iterate_separations, separate_frame, separate_stack

        if self.client is not None:
            yield from iterate_separations(
                separate_stack(stack.data, self.model, self.options, **gate), client=self.client
            )
            return

        def show(done: int, total: int) -> None:
            self.emit("tiles", done=done, total=total)

        # In a stack an empty frame stays empty; a single empty image is refused.
        separate = separate_frame if stack.is_stack else separate_image
        for index in range(len(stack)):
            yield separate(self.model.network, stack.frame(index), options=self.options, on_tiles=show, **gate)


def _ledger(separation: Separation, kev: float | None) -> dict[str, Any]:
    sums = separation.ledger(scale=kev or 1.0)
    # No sum of nothing: a zero would read as a measurement.
    if not sums["usable_pixels"]:
        return {"usable_pixels": 0.0, "skipped": "no usable pixel"}
    return {**sums, **measure_trust(separation)}


def _naming(path: str, error: Exception) -> str:
    """Say which input it was, where the sentence does not."""
    name = Path(path).name
    return str(error) if name in str(error) else f"'{name}': {error}"


def _provenance(
    job: SeparateJob, stack: ImageStack, model: LoadedModel, options: ApplyOptions, kev: float | None
) -> dict[str, Any]:
    from napari_bgremove.learning.devices import describe_software

    plain = dataclasses.asdict(options) | {"device": str(options.device)}
    return {
        "program": "napari-bgremove",
        "version": metadata.version("napari-bgremove"),
        "software": describe_software(),
        "method": "saxs_unet",
        "model": {"file": model.path.name, "tensors_sha256": model.sha256, **model.description.provenance},
        "options": plain,
        "input": {
            "file": stack.path.name,
            "folder": str(stack.path.resolve().parent),
            "bytes": stack.path.stat().st_size,
            "dataset": stack.dataset,
            "notes": list(stack.notes),
            "valid_mask": job.valid_mask,
        },
        "gate": {"gap_values": job.gap_values, "saturation": job.saturation},
        "kev_per_unit": kev,
        "written": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


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
