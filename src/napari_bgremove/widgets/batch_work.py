"""Separate stacks and folders from a panel: the job, its frames in the table, its results as layers."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject

from napari_bgremove._validation import describe_duration
from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.evaluation.triage import TriagedFrame, rank_frames, write_triage_csv
from napari_bgremove.io.images import find_image_files, open_images
from napari_bgremove.io.results import leave_out_results, read_provenance
from napari_bgremove.preferences import read_preferences
from napari_bgremove.viewer_layers.frames import export_frames, show_frame, untouched_file
from napari_bgremove.viewer_layers.results import put_image, put_separation
from napari_bgremove.widgets.batch_form import BatchForm
from napari_bgremove.widgets.batch_run import BatchRun
from napari_bgremove.widgets.panel import EXPECTED
from napari_bgremove.widgets.parts.latest_call import LatestCall

__all__ = ["BatchWork"]

ALL_FRAMES = ", all frames"
SHOWN = "Frame of the batch"
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
        (inputs, results folder) -> SeparateJob, with the options of the panel.
    report : callable
        Shows an error of a background step.
    """

    def __init__(
        self, viewer: Any, form: BatchForm, make_job: Callable[[list[str], str], SeparateJob],
        report: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        super().__init__(form)
        self._viewer, self._form, self._make_job, self._report = viewer, form, make_job, report
        self.run = BatchRun(self)
        self._export = LatestCall(export_frames, delay_ms=0, parent=self)
        self._layer: weakref.ref[Any] | None = None
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
        return rank_frames(self._done, trained_hit_share=self._trained_hit_share)

    def start_stack(self, layer: Any) -> None:
        """Separate every frame of a layer."""
        if layer.ndim != 3:
            msg = f"'{layer.name}' must be a stack of frames (3 axes); found {layer.ndim}. Separate the shown frame."
            raise ValueError(msg)
        file = untouched_file(layer)
        self._reset()
        self._layer = weakref.ref(getattr(layer, "__wrapped__", layer))
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
        self._layer = None
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
        write_triage_csv(path, self.frames, self._verdicts)

    def _label(self, index: int) -> str:
        layer = self._layer() if self._layer is not None else None
        return Path(self._inputs[index]).name if layer is None else str(layer.name)

    def _reset(self) -> None:
        self._done: list[tuple[str, int, dict[str, Any]]] = []
        self._inputs: list[str] = []
        self._opened: dict[str, int] = {}  # name -> place among the inputs
        self._files: dict[int, dict[str, str]] = {}
        self._verdicts: dict[tuple[str, int], str] = {}
        self._trained_hit_share: float | None = None
        self._now = 0, 1  # input at hand, its frames
        self._started = time.monotonic()
        self._form.set_filled(False)

    def _start(self, files: list[str], *, home: Path | None = None) -> None:
        """Start on files; results without a folder of their own go to `home`."""
        out = Path(self._form.results.text() or read_preferences().results_folder or home or _own_folder())
        self._inputs = files
        self._form.status.setText("Starting the engine...")
        self._form.bar.setValue(0)
        self.run.start(self._make_job(files, str(out)))

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
            if event["event"] == "started":
                self._trained_hit_share, self._started = event["trained_hit_share"], time.monotonic()
            elif event["event"] == "input":
                self._now = event["index"], event["frames"]
                self._opened[self._label(event["index"])] = event["index"]
            elif event["event"] == "frame":
                self._done.append((self._label(self._now[0]), event["done"] - 1, event))
                self._show_progress(self._now[0] + event["done"] / self._now[1])
            elif event["event"] == "skipped" and "index" in event:
                self._done.append((event["name"], 0, {"skipped": event["reason"]}))
            elif event["event"] == "written":
                self._files[event["index"]] = event["files"]
        if self._done:
            self._form.table.show_frames(self.frames, self._verdicts)
            self._form.set_filled(True)

    def _show_progress(self, inputs_done: float) -> None:
        share = inputs_done / len(self._inputs)
        elapsed = time.monotonic() - self._started
        left = f", {describe_duration(elapsed * (1 - share) / share)} left" if elapsed > 1 and share < 1 else ""
        self._form.bar.setValue(round(1000 * share))
        self._form.status.setText(f"{len(self._done)} frames separated{left}")

    def _on_ended(self, how: str, sentence: str) -> None:
        self._form.set_running(False)
        folders = sorted({str(Path(next(iter(files.values()))).parent) for files in self._files.values()})
        where = f"; written to {folders[0]}" if folders else ""
        self._form.status.setText(f"{ENDINGS.get(how, how)}: {len(self._done)} frames{where}.")
        if how == "failed":
            self._report(ValueError(sentence))
        layer = self._layer() if self._layer is not None else None
        if layer is not None and layer in self._viewer.layers and 0 in self._files:
            self._put_stack(layer, self._files[0])

    def _put_stack(self, layer: Any, files: dict[str, str]) -> None:
        stacks = {part: open_images(files[part]).data for part in PARTS if part in files}
        record = {**read_provenance(files["signal"]), "files": files}
        put_separation(self._viewer, layer, stacks, record=record, ndim=layer.ndim, suffix=ALL_FRAMES)

    def _on_frame_chosen(self, name: str, frame: int) -> None:
        layer = self._layer() if self._layer is not None else None
        if layer is not None and layer in self._viewer.layers:
            show_frame(self._viewer, layer, (frame,))
        elif layer is None and self._opened.get(name) in self._files:
            self._show_file(self._opened[name], frame)

    def _show_file(self, index: int, frame: int) -> None:
        files = self._files[index]
        try:
            parts = {part: open_images(files[part]).frame(frame) for part in PARTS if part in files}
            measured = open_images(self._inputs[index]).frame(frame)
        except EXPECTED as error:
            self._report(error)
            return
        image = put_image(self._viewer, SHOWN, measured, role="batch")
        record = {**read_provenance(files["signal"]), "files": files, "frame": frame}
        put_separation(self._viewer, image, parts, record=record)

    def _on_verdict(self, verdict: str) -> None:
        key = self._form.table.chosen
        if key is None:
            return
        self._verdicts[key] = verdict
        self._form.table.show_frames(self.frames, self._verdicts)


def _own_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("napari-bgremove", appauthor=False) / "results" / time.strftime("%Y%m%d-%H%M%S")


def _as_file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name) or "stack"
