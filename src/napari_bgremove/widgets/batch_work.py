"""Separate stacks and folders from a panel: the job, its frames in the table, its results as layers."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_bgremove._unwrapping import unwrapped
from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.errors import EXPECTED
from napari_bgremove.evaluation.triage import TriagedFrame, write_triage_csv
from napari_bgremove.io.images import find_image_files, open_images
from napari_bgremove.io.results import leave_out_results, read_provenance
from napari_bgremove.preferences import read_preferences
from napari_bgremove.viewer_layers.frames import export_frames, show_frame, untouched_file
from napari_bgremove.viewer_layers.results import put_image, put_separation
from napari_bgremove.widgets.batch_form import BatchForm
from napari_bgremove.widgets.batch_record import BatchRecord
from napari_bgremove.widgets.batch_run import BatchRun
from napari_bgremove.widgets.parts.latest_call import LatestCall

__all__ = ["BatchWork"]

ALL_FRAMES = ", all frames"
SHOWN, SHOWN_ROLE = "Frame of the batch", "batch"
SEPARATED = "separated"  # folder of results beside their images
PARTS = ("background", "signal", "uncertainty", "residual")
ENDINGS = {"finished": "Finished", "stopped": "Stopped", "failed": "Failed", "lost": "The engine ended unexpectedly"}


class BatchWork(QObject):
    """What happens between the form and the viewer.

    Parameters
    ----------
    viewer : napari viewer
    form : BatchForm
    make_job : callable
        (inputs, results folder, layer or None) -> SeparateJob, with the options of the panel.
    report : callable
        Shows an error of a background step.
    """

    measured = Signal(object, object, object)  # layer, index of the frame, its ledger
    file_shown = Signal(object)  # the layer in which a frame of a folder is shown
    failed = Signal(str, str)  # a sentence and details

    def __init__(
        self, viewer: Any, form: BatchForm, make_job: Callable[[list[str], str, Any], SeparateJob],
        report: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        super().__init__(form)
        self._viewer, self._form, self._make_job, self._report = viewer, form, make_job, report
        self.run = BatchRun(self)
        self._export = LatestCall(export_frames, delay_ms=0, parent=self)
        self._reset()
        self.run.happened.connect(self._on_happened)
        self.run.ended.connect(self._on_ended)
        self._export.returned.connect(self._on_exported)
        self._export.failed.connect(self._on_export_failed)
        form.stop_requested.connect(self.stop)
        form.table.frame_chosen.connect(self._on_frame_chosen)
        form.verdict_given.connect(self._on_verdict)

    @property
    def frames(self) -> list[TriagedFrame]:
        """The frames done so far, the most suspicious first."""
        return self._record.frames

    def start_stack(self, layer: Any) -> None:
        """Separate every frame of a layer."""
        if layer.ndim != 3:
            msg = f"'{layer.name}' must be a stack of frames (3 axes); found {layer.ndim}. Separate the shown frame."
            raise ValueError(msg)
        file = untouched_file(layer)
        self._reset(layer)
        folder = self.run.make_folder()
        self._form.set_running(True)
        if file is not None:
            self._start([str(file)], home=file.parent / SEPARATED)
            return
        self._form.status.setText("Writing the frames for the engine...")
        self._export(layer.data, folder / f"{_as_file_name(layer.name)}.npy")

    def start_folder(self, folder: Path) -> None:
        """Separate every image of a folder; results of an earlier separation are left out."""
        files = leave_out_results([str(file) for file in find_image_files([folder])])
        if not files:
            msg = f"'{folder}' must hold at least one image; found none but results of a separation."
            raise ValueError(msg)
        self._reset()
        self.run.make_folder()
        self._form.set_running(True)
        self._start(files, home=folder / SEPARATED)

    def stop(self) -> None:
        """Stop after the frame at hand."""
        self._export.cancel()
        if self.run.is_running:
            self._form.status.setText("Stopping... finished files are kept.")
            self._form.stop_button.setEnabled(False)
            self.run.stop()
        else:
            self.run.close()
            self._form.set_running(False)
            self._form.status.setText("Stopped.")

    def export(self, path: str | Path) -> None:
        """Write the table with the verdicts as CSV."""
        write_triage_csv(path, self.frames, self._record.verdicts)

    @property
    def _stack(self) -> Any | None:
        """The layer that is separated; None when it is a folder, or gone."""
        return self._layer() if self._layer is not None else None

    def _reset(self, layer: Any | None = None) -> None:
        self._layer = None if layer is None else weakref.ref(unwrapped(layer))
        self._record = BatchRecord()
        self._form.set_filled(False)

    def _start(self, files: list[str], *, home: Path | None = None) -> None:
        """Start on files; results without a folder of their own go to `home`."""
        out = Path(self._form.results.text() or read_preferences().results_folder or home or _own_folder())
        stack = self._stack
        self._record = BatchRecord(files, "" if stack is None else str(stack.name))
        self._form.status.setText("Starting the engine...")
        self._form.bar.setValue(0)
        self.run.start(self._make_job(files, str(out), stack))

    def _on_exported(self, path: Path) -> None:
        try:
            self._start([str(path)])
        except EXPECTED as error:
            self._on_export_failed(error)

    def _on_export_failed(self, error: Exception) -> None:
        self.run.close()
        self._form.set_running(False)
        self._form.status.setText("")
        self._report(error)

    def _on_happened(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            self._record.hear(event)
            if event["event"] == "frame" and self._stack is not None:
                self.measured.emit(self._stack, (event["done"] - 1,), event)
        if self._record.count:
            self._form.bar.setValue(round(1000 * self._record.share))
            self._form.status.setText(self._record.describe())
            self._form.table.show_frames(self.frames, self._record.verdicts)
            self._form.set_filled(True)

    def _on_ended(self, how: str, sentence: str, details: str) -> None:
        record = self._record
        self._form.set_running(False)
        where = f"; written to {record.folder}" if record.folder else ""
        self._form.status.setText(f"{ENDINGS.get(how, how)}: {record.count} frames{where}.")
        if how == "failed":
            self.failed.emit(sentence, details)
        layer = self._stack
        if layer is not None and layer in self._viewer.layers and 0 in record.files:
            self._put_stack(layer, record.files[0])

    def _put_stack(self, layer: Any, files: dict[str, str]) -> None:
        stacks = {part: open_images(files[part]).data for part in PARTS if part in files}
        record = {**read_provenance(files["signal"]), "files": files}
        put_separation(self._viewer, layer, stacks, record=record, ndim=layer.ndim, suffix=ALL_FRAMES)

    def _on_frame_chosen(self, name: str, frame: int) -> None:
        layer, place = self._stack, self._record.place(name)
        if layer is not None and layer in self._viewer.layers:
            show_frame(self._viewer, layer, (frame,))
        elif layer is None and place is not None:
            self._show_file(place, name, frame)

    def _show_file(self, place: int, name: str, frame: int) -> None:
        files = self._record.files[place]
        try:
            parts = {part: open_images(files[part]).frame(frame) for part in PARTS if part in files}
            measured = open_images(self._record.inputs[place]).frame(frame)
        except EXPECTED as error:
            self._report(error)
            return
        origin = {"files": {**files, SHOWN_ROLE: str(self._record.inputs[place])}, "frame": frame}
        image = put_image(self._viewer, SHOWN, measured, role=SHOWN_ROLE, record=origin)
        record = {**read_provenance(files["signal"]), **origin}
        put_separation(self._viewer, image, parts, record=record)
        self.measured.emit(image, (), self._record.ledger(name, frame))
        self.file_shown.emit(image)

    def _on_verdict(self, verdict: str) -> None:
        key = self._form.table.chosen
        if key is None:
            return
        self._record.verdicts[key] = verdict
        self._form.table.show_frames(self.frames, self._record.verdicts)


def _own_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("napari-bgremove", appauthor=False) / "results" / time.strftime("%Y%m%d-%H%M%S")


def _as_file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name) or "stack"
