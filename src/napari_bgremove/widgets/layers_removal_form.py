"""Which units go, what that would cost, and the new file: a prediction first, then the writing."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QPushButton, QWidget

from napari_bgremove.widgets.layers_judge import LayersJudge
from napari_bgremove.widgets.parts.fields import make_button, with_decimals
from napari_bgremove.widgets.parts.rows import make_row

__all__ = ["LayersRemovalForm", "describe_prediction", "describe_written"]

PREDICT, WRITE, USE = "Predict", "Write new model...", "Use it"
_RULES = {
    "relative": (
        "relative: x1 x2",
        "What passes through a unit, weights into it times weights out of it, in units of the rms of each layer: none "
        "loses more for being small.",
    ),
    "energy": ("energy: e1 e2", "The same without the rms: the strongest of the whole network stay."),
}
_KEEP_TIP = "Of all hidden units, the strongest of the whole network; at least one of each layer."
_GAP = "&nbsp;&nbsp;&nbsp;"
_HALF = 50.0  # what is suggested of a model whose units are all alive
_NO_MODEL = "Choose a model first."
_BUSY = "The engine is at work; wait."
_STALE = "Predict first: what a removal costs is shown before anything is written."
_NOT_WRITTEN = "Write the new model first."
_USE_TIP = "Separate, clean or denoise with the new model from now on."


class LayersRemovalForm(QWidget):
    """Describes a removal, and shows what was found; does none.

    Attributes
    ----------
    changed : Signal
        Other units would go, or be judged otherwise.
    predict_requested, write_requested, use_requested : Signal
    """

    changed = Signal()
    predict_requested = Signal()
    write_requested = Signal()
    use_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._suggested = _HALF
        self.keep = with_decimals(_HALF, 0.1, 100, suffix="%", decimals=1, tip=_KEEP_TIP)
        self.keep.setStepType(self.keep.StepType.DefaultStepType)
        self.keep.setSingleStep(5)
        self.rule = QComboBox()
        for rule, (text, tip) in _RULES.items():
            self.rule.addItem(text, rule)
            self.rule.setItemData(self.rule.count() - 1, tip, 3)  # Qt's tool tip
        self.judge = LayersJudge()
        self.predict_button = make_button(PREDICT, self.predict_requested.emit)
        self.write_button = make_button(WRITE, self.write_requested.emit)
        self.use_button = make_button(USE, self.use_requested.emit)
        self.prediction, self.outcome = QLabel(), QLabel()
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Keep", make_row(self.keep, self.rule))
        form.addRow("Judged by", self.judge)
        form.addRow(make_row(self.predict_button, self.write_button, self.use_button))
        for label in (self.prediction, self.outcome):
            label.setWordWrap(True)
            form.addRow(label)
        self.keep.valueChanged.connect(lambda _: self.changed.emit())
        self.rule.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.judge.changed.connect(self.changed)
        self.allow(has_model=False)

    @property
    def share(self) -> float:
        """Of all hidden units that stay."""
        return round(self.keep.value() / 100, 6)

    def begin(self, *, subject: str, run: str | None) -> None:
        """Begin with another model: what was found is not of it."""
        self.judge.offer(subject=subject, run=run)
        self.show_prediction(None)

    def suggest(self, share: float) -> None:
        """Fill in an estimate of what can be kept, unless a person has filled in something."""
        self.keep.setToolTip(f"{_KEEP_TIP} Alive are {100 * share:.3g} % of this model.")
        if self.keep.value() == self._suggested and share < 1:
            self.keep.setValue(100 * share)
            self._suggested = self.keep.value()

    def show_prediction(self, values: Mapping[str, Any] | None) -> None:
        """Show what would become of the model, or nothing."""
        self.prediction.setText("" if values is None else describe_prediction(values))
        self.outcome.setText("")

    def show_written(self, values: Mapping[str, Any]) -> None:
        """Show what has become of it."""
        self.outcome.setText(describe_written(values))

    def say(self, text: str) -> None:
        """Say what goes on, in place of what became of it."""
        self.outcome.setText(text)

    def allow(
        self, *, has_model: bool, is_busy: bool = False, is_predicted: bool = False, is_written: bool = False
    ) -> None:
        """Offer what can be done now, and say of the rest why it cannot."""
        waits = _BUSY if is_busy else "" if has_model else _NO_MODEL
        unjudged = self.judge.missing
        _allow(self.predict_button, waits or ("" if self.judge.is_nothing else unjudged), "Nothing is written by it.")
        _allow(self.write_button, waits or unjudged or ("" if is_predicted else _STALE), "A new file, never this one.")
        _allow(self.use_button, "" if is_written else _NOT_WRITTEN, _USE_TIP)


def describe_prediction(values: Mapping[str, Any]) -> str:
    """Write what would stay of a model, layer by layer, its size, and its error, as rich text.

    Parameters
    ----------
    values : mapping
        As `engine.layer_removal.PredictedRemoval.as_record` gives it.
    """
    cells = [
        f"<td>{escape(name)}</td><td align='right'>{_GAP}{stays} / {units}{_GAP}</td>"
        for name, (stays, units) in values["units"].items()
    ]
    rows = [f"<tr>{''.join(cells[start : start + 3])}</tr>" for start in range(0, len(cells), 3)]
    before, after = values["parameters"]
    bytes_before, bytes_after = values["bytes"]
    size = f"{before:,} parameters would be {after:,}; the file {_megabytes(bytes_before, bytes_after)}."
    stays, units = (sum(counts) for counts in zip(*values["units"].values(), strict=True))
    head = f"{stays} of {units} hidden units would stay ({100 * stays / units:.3g} %):"
    return f"{head}<table>{''.join(rows)}</table>{size}<br>{_describe_error(values['validation'])}"


def describe_written(values: Mapping[str, Any]) -> str:
    """Say where the smaller model is, its measured error, and how long it takes."""
    before, after = values["seconds"]
    return (
        f"Written to {values['path']}. Read back from the file it has a validation loss of "
        f"{values['measured']['loss']:.4g}; a forward pass takes {1000 * after:.3g} ms instead of "
        f"{1000 * before:.3g} ms on the processor ({before / after:.3g} times as fast)."
    )


def _describe_error(validation: Mapping[str, Any]) -> str:
    whole, predicted = validation["whole"], validation["predicted"]
    if not whole:
        return "Its error is not known: choose what it is judged by."
    rows = [_describe_term(name, value, predicted[name]) for name, value in whole.items()]
    heads = "".join(f"<td align='right'>{_GAP}{text}</td>" for text in ("now", "then", "times"))
    head = f"<tr><td>On validation data</td>{heads}</tr>"
    return f"<table>{head}{''.join(rows)}</table>{escape(validation.get('data', ''))}"


def _describe_term(name: str, before: float, after: float) -> str:
    """Return a row: a term before and after, and their ratio, which a logarithm below 0 has not."""
    change = f"{after / before:.3g}" if before > 0 and after > 0 else ""
    numbers = "".join(f"<td align='right'>{_GAP}{text}</td>" for text in (f"{before:.4g}", f"{after:.4g}", change))
    return f"<tr><td>{escape(name)}</td>{numbers}</tr>"


def _megabytes(before: int, after: int) -> str:
    return f"{before / 2**20:.3g} MiB would be {after / 2**20:.3g} MiB"


def _allow(button: QPushButton, why_not: str, tip: str) -> None:
    button.setEnabled(not why_not)
    button.setToolTip(why_not or tip)
