"""The parameters of a method that a person may set; empty, they are what stands there in grey."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLineEdit, QWidget

from napari_bgremove.widgets.parts.number_text import number_text

__all__ = ["ParameterFields", "describe_parameters"]

_FROM_DATA = "from the data"


class ParameterFields(QWidget):
    """A field for each parameter of one method.

    Parameters
    ----------
    defaults : mapping of str to Any
        By name; None means that it is found from the data.
    choices : mapping of str to sequence of str
        What a parameter may be that is a word and no number.
    tips : mapping of str to str

    Attributes
    ----------
    changed : Signal
        When a person has finished with a field.
    """

    changed = Signal()

    def __init__(
        self,
        defaults: Mapping[str, Any],
        *,
        choices: Mapping[str, Sequence[str]] = MappingProxyType({}),
        tips: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.fields: dict[str, QLineEdit] = {}
        self.words: dict[str, QComboBox] = {}
        self._defaults = dict(defaults)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        for name, default in defaults.items():
            field = self._add_words(name, choices[name], default) if name in choices else self._add_field(name, default)
            field.setToolTip(tips.get(name, ""))
            form.addRow(name.replace("_", " "), field)

    @property
    def values(self) -> dict[str, Any]:
        """What a person has set.

        Raises
        ------
        ValueError
            When something else than a number is written there, or a fraction
            in place of a whole number.
        """
        written = {name: field.text() for name, field in self.fields.items() if field.text().strip()}
        numbers = {name: _read(name, text, self._defaults[name]) for name, text in written.items()}
        words = {name: box.currentText() for name, box in self.words.items()}
        return numbers | {name: word for name, word in words.items() if word != self._defaults[name]}

    def show_found(self, name: str, value: float | None, *, tip: str = "") -> None:
        """Say in grey which number was found from the data where none is set; None: it is not known yet."""
        field = self.fields[name]
        text = _FROM_DATA if value is None else f"auto: {number_text(value)}"
        if field.placeholderText() != text:
            field.setPlaceholderText(text)
        field.setToolTip(tip)

    def _add_field(self, name: str, default: Any) -> QLineEdit:
        self.fields[name] = field = QLineEdit()
        field.setPlaceholderText(_say_default(default))
        field.editingFinished.connect(self._on_edited)
        field.setProperty("before", "")
        return field

    def _add_words(self, name: str, words: Sequence[str], default: str) -> QComboBox:
        self.words[name] = box = QComboBox()
        box.addItems(list(words))
        box.setCurrentText(default)
        box.currentIndexChanged.connect(lambda _: self.changed.emit())
        return box

    def _on_edited(self) -> None:
        """Qt says so, too, when somebody has only passed through a field."""
        edited = [field for field in self.fields.values() if field.text() != field.property("before")]
        for field in edited:
            field.setProperty("before", field.text())
        if edited:
            self.changed.emit()


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """Return what was set, as the name of a method ends: ', lam 1e+06'."""
    return "".join(f", {name.replace('_', ' ')} {_say(value)}" for name, value in parameters.items())


def _say(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value).lower()


def _say_default(default: Any) -> str:
    if isinstance(default, Mapping):
        return ", ".join(f"{name} {value}" for name, value in default.items())
    return _FROM_DATA if default is None else _say(default)


def _read(name: str, text: str, default: Any) -> Any:
    """Return the number in a field; a whole one where the default is whole."""
    try:
        value = json.loads(text.strip().lower())
    except ValueError:
        value = None
    if not isinstance(value, int | float):
        msg = f"'{name.replace('_', ' ')}' must be a number, true or false; found '{text}'. Empty, it is the default."
        raise ValueError(msg)
    if not isinstance(default, int) or isinstance(value, int):
        return value
    if not value.is_integer():
        msg = f"'{name.replace('_', ' ')}' must be a whole number; found {text}. Empty, it is the default."
        raise ValueError(msg)
    return int(value)
