"""What a viewer asks its warm engine about noisy signals: those it shows, and blocks of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.signal_denoising import DenoisingMethod, NothingToDenoiseError, SignalDenoiser
from napari_bgremove.errors import ComputeError
from napari_bgremove.io.provenance import to_plain

__all__ = ["SignalAnswers"]

# A model in both modes for the curves that are shown, and one more for the rows of an image.
_MOST_KEPT = 3


class SignalAnswers:
    """Answers by kind of letter; both say `how`, a `DenoisingMethod` as plain values.

    denoise_signals: a few signals of any lengths, the arrays "0", "1", ..., and
    `norms`, the modes a network is wanted in. The reply has the arrays
    "0 fixed", "0 signal", ..., and by the same names the `records` of those
    that were denoised and the `refusals`, in a sentence each, of the others.

    denoise_block: the rows of the array "measured", shape (rows, n). The reply
    has "denoised" in its shape, float32, and "sigma" (rows,), the noise as
    estimated; `record` says what was found and how long it took. Rows that
    cannot be denoised are NaN.
    """

    def __init__(self) -> None:
        self._denoisers: dict[tuple[str, int], SignalDenoiser] = {}

    @property
    def kinds(self) -> Mapping[str, Callable[[Letter], Letter]]:
        """Which letters are answered."""
        return {"denoise_signals": self._denoise_few, "denoise_block": self._denoise_block}

    def _denoise_few(self, request: Letter) -> Letter:
        arrays, records, refusals = {}, {}, {}
        for norm in request.values["norms"]:
            denoiser = self._take_denoiser({**request.values["how"], "norm": norm})
            for place, measured in request.arrays.items():
                name = f"{place} {norm}"
                try:
                    parts = denoiser.denoise(measured)
                except (ComputeError, ValueError) as error:  # of this signal; of the others there may be an answer
                    refusals[name] = str(error)
                else:
                    arrays[name], records[name] = np.asarray(parts.signal), to_plain(parts.provenance)
        return Letter(request.number, request.kind, {"records": records, "refusals": refusals}, arrays)

    def _denoise_block(self, request: Letter) -> Letter:
        denoiser, measured = self._take_denoiser(request.values["how"]), request.arrays["measured"]
        try:
            parts = denoiser.denoise(measured)
            denoised, record = np.asarray(parts.signal), {**parts.provenance}
        except NothingToDenoiseError as error:  # of this block; what to say of all of them is known at the end
            denoised = np.full(measured.shape, np.nan)
            lost = {"count": len(measured), "reason": str(error)}
            record = {**denoiser.record, "found": {}, "without_result": lost, "seconds": 0.0}
        sigma = np.array(record["found"].pop("sigma", np.full(len(measured), np.nan)), np.float64)
        arrays: dict[str, NDArray[Any]] = {"denoised": denoised.astype(np.float32), "sigma": sigma}
        return Letter(request.number, request.kind, {"record": to_plain(record)}, arrays)

    def _take_denoiser(self, values: Mapping[str, Any]) -> SignalDenoiser:
        """Return what denoises so; a model is read once, and again when its file has changed."""
        how = DenoisingMethod.model_validate(values)
        file = None if how.model is None else Path(how.model)
        key = how.model_dump_json(), file.stat().st_mtime_ns if file is not None and file.exists() else 0
        denoiser = self._denoisers.pop(key, None) or SignalDenoiser(how)
        self._denoisers[key] = denoiser
        while len(self._denoisers) > _MOST_KEPT:
            del self._denoisers[next(iter(self._denoisers))]
        return denoiser
