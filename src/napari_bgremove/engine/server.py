"""The warm engine of a viewer: torch stays loaded, so that a preview does not wait for it.

`python -m napari_bgremove.engine --serve FOLDER`. It ends by itself after five
idle minutes, or when the viewer is gone.
"""

from __future__ import annotations

import dataclasses
import logging
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_bgremove.engine.jobs import TrainJob
from napari_bgremove.engine.layer_answers import LayerAnswers
from napari_bgremove.engine.mailbox import Letter, Mailbox
from napari_bgremove.engine.notes import collected_notes
from napari_bgremove.engine.signal_answers import SignalAnswers
from napari_bgremove.engine.spectra_answers import SpectraAnswers, needs_network
from napari_bgremove.engine.train_pace import estimate_training
from napari_bgremove.errors import EXPECTED, ModelFileError
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.io.formats.arrays import list_npz

if TYPE_CHECKING:
    from napari_bgremove.learning.model_file import LoadedModel

__all__ = ["serve"]

_LOG = logging.getLogger(__name__)
IDLE_SECONDS = 300.0
POLL_SECONDS = 0.03
OWNER_SECONDS = 2.0
# Of these only the newest request is worth an answer.
SUPERSEDED = (
    "separate",
    "separate_spectra",
    "calibrate_spectra",
    "denoise_signals",
    "denoise_block",
    "predict_removal",
)


def serve(folder: Path, *, idle_seconds: float = IDLE_SECONDS) -> None:
    """Answer requests in a folder until nobody asks any more."""
    mailbox, answers = Mailbox(folder), _Answers()
    last_work = last_look = time.monotonic()
    while time.monotonic() - last_work < idle_seconds:
        requests = _newest(mailbox.take_requests())
        for request in requests:
            mailbox.reply(answers.answer(request))
            last_work = time.monotonic()
        if not requests:
            time.sleep(POLL_SECONDS)
        if time.monotonic() - last_look > OWNER_SECONDS:
            last_look = time.monotonic()
            if not mailbox.has_owner:
                return


def _newest(requests: list[Letter]) -> list[Letter]:
    last = {request.kind: request.number for request in requests}
    return [r for r in requests if r.kind not in SUPERSEDED or r.number == last[r.kind]]


class _Answers:
    """What can be asked, by kind."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, int], LoadedModel] = {}
        self._kinds: Mapping[str, Callable[[Letter], Letter]] = {
            "devices": self._devices,
            "model": self._model_card,
            "separate": self._separate,
            "estimate": self._estimate,
            "equivariance": self._equivariance,
            **SpectraAnswers().kinds,
            **SignalAnswers().kinds,
            **LayerAnswers().kinds,
        }

    def answer(self, request: Letter) -> Letter:
        """Answer a request; a failure is an answer, too, and the engine goes on."""
        try:
            return self._answer(request)
        except EXPECTED as error:
            return Letter(request.number, "failed", {"error": type(error).__name__, "message": str(error)})
        except Exception as error:
            # A bug. Were it to end the engine, nobody would ever see where it is.
            _LOG.exception("%s", request.kind)
            kind = type(error).__name__
            message = f"Something unexpected happened in the engine ({kind}); nothing was changed."
            values = {"error": kind, "message": message, "details": traceback.format_exc()}
            return Letter(request.number, "failed", values)

    def _answer(self, request: Letter) -> Letter:
        if not needs_network(request):
            return self._kinds[request.kind](request)
        from napari_bgremove.learning.devices import explain_out_of_memory

        with explain_out_of_memory():
            return self._kinds[request.kind](request)

    def _devices(self, request: Letter) -> Letter:
        from napari_bgremove.learning.devices import list_devices

        return Letter(request.number, "devices", {"devices": list_devices()})

    def _model_card(self, request: Letter) -> Letter:
        model = self._model(request.values.get("model"))
        card = model.description.model_dump(mode="json")
        values = {"card": card, "sha256": model.sha256, "file": str(model.path), "self_test": model.deviation}
        return Letter(request.number, "model", values)

    def _separate(self, request: Letter) -> Letter:
        from napari_bgremove.learning.devices import pick_device
        from napari_bgremove.learning.inference import options_of, separate_image

        started = time.perf_counter()
        values = dict(request.values)
        model = self._model(values.pop("model", None))
        device = pick_device(values.pop("device", "auto"))
        gate = {name: values.pop(name) for name in ("gap_values", "saturation") if name in values}
        arrays = request.arrays
        with collected_notes() as notes:
            result = separate_image(
                model.network, arrays["image"], options=options_of(model, device=device, **values),
                valid_mask=arrays.get("valid_mask"), **gate,
            )  # fmt: skip
        parts = {
            "signal": result.signal, "background": result.background, "measured": result.measured,
            "uncertainty": result.uncertainty,
        }  # fmt: skip
        figures = {
            "ledger": result.ledger(), "seconds": time.perf_counter() - started, "sha256": model.sha256,
            "file": str(model.path), "device": str(device), "notes": notes,
        }  # fmt: skip
        return Letter(request.number, "separate", figures, {n: p for n, p in parts.items() if p is not None})

    def _estimate(self, request: Letter) -> Letter:
        from napari_bgremove.learning.checks import measure_training_speed
        from napari_bgremove.learning.devices import pick_device

        job = TrainJob.model_validate(request.values["job"])
        recipe, signal = job.recipe, Path(job.signal)
        shape = list_npz(signal).get("patches", ((),))[0] if signal.is_file() else ()
        if len(shape) == 3:
            recipe = dataclasses.replace(recipe, patch=shape[-1])
        step = measure_training_speed(
            recipe.build_network(), recipe.build_objective(), recipe.build_train_options(precision=job.precision),
            patch=recipe.patch, device=pick_device(job.device),
        )  # fmt: skip
        # Without patches only the speed is known.
        total = estimate_training(job, signal_patches=shape[0], seconds_per_step=step) if len(shape) == 3 else None
        values = {"seconds_per_step": step, "batch": recipe.batch_size, "epochs": recipe.epochs, "seconds": total}
        return Letter(request.number, "estimate", values)

    def _equivariance(self, request: Letter) -> Letter:
        from napari_bgremove.learning.checks import measure_equivariance

        model = self._model(request.values.get("model"))
        error = measure_equivariance(model.network, request.arrays.get("image"))
        return Letter(request.number, "equivariance", {"error": error, "family": model.description.network.family})

    def _model(self, path: str | None) -> LoadedModel:
        from napari_bgremove.learning.model_file import read_model

        file = Path(path or BUNDLED_MODEL)
        try:
            key = str(file), file.stat().st_mtime_ns
        except OSError as error:
            msg = f"'{file.name}' cannot be read: {error.strerror}."
            raise ModelFileError(msg) from error
        if key not in self._models:
            self._models = {key: read_model(file)}
        return self._models[key]
