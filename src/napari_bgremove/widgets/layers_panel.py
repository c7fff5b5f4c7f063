"""Layers: what the hidden layers of a model are made of, and the same model without its background units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog

from napari_bgremove._model_header import check_model_file, find_subject
from napari_bgremove.engine.layer_models import find_run
from napari_bgremove.engine.layer_scripts import (
    inspection_as_command,
    inspection_as_python,
    removal_as_command,
    removal_as_python,
)
from napari_bgremove.widgets.engine_link import engine_of
from napari_bgremove.widgets.layers_inspection import LayersInspection
from napari_bgremove.widgets.layers_removal import LayersRemoval, RemovalQuestion
from napari_bgremove.widgets.layers_removal_form import LayersRemovalForm
from napari_bgremove.widgets.layers_source import LayersSource
from napari_bgremove.widgets.layers_view import LayersView
from napari_bgremove.widgets.panel import Panel, reports_errors
from napari_bgremove.widgets.parts.fields import make_section
from napari_bgremove.widgets.parts.help_text import make_help
from napari_bgremove.widgets.parts.model_names import name_model
from napari_bgremove.workspace import workspace_of

__all__ = ["LayersPanel"]

REMOVAL = "Remove background neurons..."
# What the workspace calls the model in use for each subject.
_IN_USE = {"images": "model_file", "spectra": "spectra_model_file", "signals": "signal_model_file"}
ABOUT = """\
The energies of the units of a layer (neurons, channels, C4 fields), norms of the weights into or out of each, are \
drawn as a spectrum J(E); what lies below its Shirley background are weak units that do little. After A. Qajar, \
<i>Gaussian-Lorentzian Layer Background Removal</i>. A training with "Layer background removal" ticked draws them to \
zero; here they are taken out, which makes a smaller and faster model. A high SNR alone is no evidence that units can \
go: the error on validation data is."""


class LayersPanel(Panel):
    """Looks into models of images, spectra and signals (Qajar)."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.engine, self.workspace = engine_of(napari_viewer), workspace_of(napari_viewer)
        self.source, self.view, self.removal_form = LayersSource(), LayersView(), LayersRemovalForm()
        self.inspection = LayersInspection(self.engine, self)
        self.removal = LayersRemoval(self.engine, self)
        self._shown: str | None = None  # the file that form and judge have been told of; None while it is none
        self._written: str | None = None
        self._lay_out()
        self._connect()
        self._take_models_in_use()

    @reports_errors
    def refresh(self) -> None:
        """Find out about the models that are chosen, and show them; nothing while nobody looks."""
        if not self.isVisible():
            return
        before, self._shown = self._shown, None
        try:
            files = self._files
            self._begin_with(files[0], before=before)
            self.inspection.want(files)
        finally:
            self._show()

    @property
    def _files(self) -> list[str]:
        """The model, and the one it is compared with."""
        return list(dict.fromkeys(file for file in (self.source.file, self.source.other_file) if file is not None))

    @property
    def question(self) -> RemovalQuestion:
        """The removal that is filled in."""
        form = self.removal_form
        return RemovalQuestion(str(self.source.file), form.share, str(form.rule.currentData()), form.judge.values)

    @reports_errors
    def predict(self) -> None:
        """Ask what would stay of the model, how large it would be, and what error it would have."""
        self._written = None
        self.removal.predict(self.question)
        self.removal_form.show_prediction(None)
        self.removal_form.say("The engine takes units out, and judges what is left...")
        self._enable()

    @reports_errors
    def write(self, out: str | Path) -> None:
        """Write what was predicted to a new file."""
        self.removal.write(str(out))
        self.removal_form.say("The engine writes the new model, and measures it...")
        self._enable()

    @reports_errors
    def use_written(self) -> None:
        """Let this viewer use the new model from now on."""
        written = self._written
        if written is not None:
            subject = _find_subject(written)
            setattr(self.workspace, _IN_USE[subject], written)  # who looks at the model in use looks at this one then
            self.message.show_text(f"'{Path(written).name}' is what this viewer uses for {subject} now.")

    def _begin_with(self, file: str, *, before: str | None) -> None:
        """Offer for another file what it can be judged by; what was predicted is of the one before."""
        if file != before:
            subject, run = _find_subject(file), find_run(Path(file))
            self._written = None
            self.removal.forget()
            self.removal_form.begin(subject=subject, run=None if run is None else str(run.path))
        self._shown = file

    def _show(self) -> None:
        """Show what is known of the chosen models."""
        files = [] if self._shown is None else self._files
        known = {file: layers for file in files if (layers := self.inspection.find(file)) is not None}
        self.view.show_models({self.source.name(file): layers for file, layers in known.items()})
        if self._shown in known:
            self.removal_form.suggest(known[self._shown].alive_share)
        self._enable()

    def _on_predicted(self, values: Any) -> None:
        self.removal_form.show_prediction(values)
        self.bring_into_view(self.removal_form.prediction)

    def _on_written(self, values: Any) -> None:
        self._written = str(values["path"])
        self.removal_form.show_written(values)
        self.source.other.choose(self._written)

    def _on_failed(self, values: Any) -> None:
        self.removal_form.say("")
        self.message.show_failure(values)

    def _enable(self) -> None:
        is_known = self._shown is not None and self.inspection.find(self._shown) is not None
        self.removal_form.allow(
            has_model=is_known, is_busy=self.removal.is_busy, is_written=self._written is not None,
            is_predicted=is_known and self.removal.prediction_of == self.question,
        )  # fmt: skip

    def _take_models_in_use(self, *_changed: Any) -> None:
        self.source.take_in_use({subject: getattr(self.workspace, name) for subject, name in _IN_USE.items()})
        self.source.update_epochs()

    @reports_errors
    def _ask_where(self) -> None:
        model = Path(self.question.model)
        start = model.with_name(f"{name_model(model)} {100 * self.removal_form.share:.3g} percent.safetensors")
        path, _ = QFileDialog.getSaveFileName(
            self, "Write the new model", str(start), "Models (*.safetensors)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )  # fmt: skip
        if path:
            self.write(path)

    def _write_out(self, *, removal: Callable[..., str], inspection: Callable[..., str]) -> str:
        """Write down what the panel does: a removal while its section is open."""
        if self.removal_section.isExpanded():
            if self.removal_form.judge.missing:
                raise ValueError(self.removal_form.judge.missing)
            return removal(**self.question.values, out=self._written or "smaller.safetensors")
        return inspection(self._files)

    def showEvent(self, event: Any) -> None:
        """What was put off while nobody looked is done."""
        super().showEvent(event)
        self.source.update_epochs()
        self.refresh()

    def _connect(self) -> None:
        self.source.model_changed.connect(self.refresh)
        self.source.other_changed.connect(self.refresh)
        self.inspection.inspected.connect(self._show)
        self.inspection.failed.connect(self._on_failed)
        form = self.removal_form
        form.changed.connect(self._enable)
        form.predict_requested.connect(self.predict)
        form.write_requested.connect(self._ask_where)
        form.use_requested.connect(self.use_written)
        self.removal.predicted.connect(self._on_predicted)
        self.removal.written.connect(self._on_written)
        self.removal.failed.connect(self._on_failed)
        self.removal.ended.connect(self._enable)
        for name in _IN_USE.values():
            self.connections.connect(getattr(self.workspace.events, name), self._take_models_in_use)
        self.connections.connect(self.workspace.events.patch_folder, form.judge.take_patches)
        form.judge.take_patches(self.workspace.patch_folder)

    def _lay_out(self) -> None:
        self.body.addWidget(make_section("What is this?", make_help(ABOUT)))
        self.body.addWidget(self.source)
        self.body.addWidget(self.view)
        self.removal_section = make_section(REMOVAL, self.removal_form)
        self.body.addWidget(self.removal_section)
        self.add_copies(
            python=lambda: self._write_out(removal=removal_as_python, inspection=inspection_as_python),
            command=lambda: self._write_out(removal=removal_as_command, inspection=inspection_as_command),
        )


def _find_subject(file: str) -> str:
    """Return what a model is for; of a family this version does not know the engine will say so."""
    return str(find_subject(check_model_file(Path(file))))
