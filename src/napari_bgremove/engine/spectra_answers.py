"""What a viewer asks its warm engine about sets of spectra: take one apart, compare cleanings of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.spectra_blocks import write_rows
from napari_bgremove.engine.spectra_calibration import RAW, calibrate_cleaned, clean_set
from napari_bgremove.engine.spectra_method import SpectraMethod
from napari_bgremove.engine.spectra_separator import SetSeparator
from napari_bgremove.engine.spectra_source import SpectraSource
from napari_bgremove.evaluation.calibration_tables import tabulate_calibrations
from napari_bgremove.io.provenance import to_plain
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["SpectraAnswers", "needs_network"]


class SpectraAnswers:
    """Answers by kind of letter.

    separate_spectra: `source` and `how` as plain values, `out` a folder, and
    `rows`, the first one and the one behind the last. Their parts are written
    there into signal.npy and background.npy, because a set may be too large to
    go through a letter while a window waits. Row 0 begins, and the others
    follow in order, each block a letter of its own: others have their turn
    between them, and who asks for no more has cancelled. The reply says how
    many spectra there are (`count`), and what is to be said of these rows
    (`record`).

    calibrate_spectra: `source`, and `cleanings` by name, each `how` and the
    file of its `signal` where it has been taken apart already. The raw spectra
    stand first. The reply holds the table of `tabulate_calibrations`, and
    reference and predicted values of its row k as the array "points k".

    Both say by `read_at` when the viewer read the set: as long as that stays,
    it is not read anew.
    """

    def __init__(self) -> None:
        self._read: tuple[tuple[str, Any], SpectraSet] | None = None
        self._separating: tuple[str, SetSeparator] | None = None

    @property
    def kinds(self) -> Mapping[str, Callable[[Letter], Letter]]:
        """Which letters are answered."""
        return {"separate_spectra": self._separate, "calibrate_spectra": self._calibrate}

    def _separate(self, request: Letter) -> Letter:
        out, (first, stop) = request.values["out"], request.values["rows"]
        if first == 0 or self._separating is None or self._separating[0] != out:
            spectra, marked = self._take_set(request)
            how = SpectraMethod.model_validate(request.values["how"])
            self._separating = out, SetSeparator(spectra, how, signal_channels=marked)
        separator = self._separating[1]
        count = separator.spectra.n_spectra
        parts = separator.separate(slice(first, min(stop, count)))
        files = {name: str(Path(out) / f"{name}.npy") for name in ("signal", "background")}
        for name, file in files.items():
            write_rows(Path(file), np.asarray(getattr(parts, name)), first=first, count=count)
        if stop >= count:
            self._separating = None  # with it goes the memory of a network
        return Letter(
            request.number, request.kind, {"files": files, "count": count, "record": to_plain(parts.provenance)}
        )

    def _calibrate(self, request: Letter) -> Letter:
        spectra, marked = self._take_set(request)
        representations = {RAW: spectra}
        for name, cleaning in request.values["cleanings"].items():
            how, file = SpectraMethod.model_validate(cleaning["how"]), cleaning.get("signal")
            representations[name] = (
                clean_set(spectra, how, signal_channels=marked)
                if file is None
                else spectra.with_spectra(np.load(file, allow_pickle=False))
            )
        found = calibrate_cleaned(representations, score=request.values.get("score", "rows"))
        table = tabulate_calibrations(found, reference=RAW)
        points = {}
        for row, (output, name) in enumerate(zip(table["output"], table["representation"], strict=True)):
            points[f"points {row}"] = np.stack(found[name].points(found[name].names.index(output)))
        return Letter(request.number, request.kind, {"table": table}, points)

    def _take_set(self, request: Letter) -> tuple[SpectraSet, NDArray[np.bool_] | None]:
        """Return the set a letter is about, and where a person has marked signal."""
        source = SpectraSource.model_validate(request.values["source"])
        # Marks do not change what is read.
        key = source.model_copy(update={"signal_bands": ()}).model_dump_json(), request.values.get("read_at")
        if self._read is None or self._read[0] != key or key[1] is None:
            self._read = key, source.read()
        spectra = self._read[1]
        marked = source.find_signal_channels(spectra)
        return spectra, marked if marked.any() else None


def needs_network(request: Letter) -> bool:
    """Tell whether a letter can only be answered with torch: classical cleanings and filters do without."""
    if "how" in request.values:
        return request.values["how"].get("model") is not None
    if request.kind == "calibrate_spectra":
        return any(each["how"].get("model") is not None for each in request.values["cleanings"].values())
    return True
