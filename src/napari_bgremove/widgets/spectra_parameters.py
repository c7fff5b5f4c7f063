"""The numbers of a classical cleaning that a person may set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qtpy.QtWidgets import QFormLayout, QLineEdit, QWidget

from napari_bgremove.spectra.cleaning import CLEANERS

__all__ = ["MethodParameters", "describe_parameters"]

# Curves over the channels, which nobody types.
_CURVES = ("dark", "response")
_NOTHING_SET = "from the data"


class MethodParameters(QWidget):
    """A field for each number of one method; empty, it is the default that stands there in grey.

    Parameters
    ----------
    method : str
        Of `CLEANERS`.
    """

    def __init__(self, method: str) -> None:
        super().__init__()
        self.fields: dict[str, QLineEdit] = {}
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        for name, default in CLEANERS[method].parameters.items():
            if name not in _CURVES:
                self.fields[name] = field = QLineEdit()
                field.setPlaceholderText(_say_default(default))
                form.addRow(name.replace("_", " "), field)

    @property
    def values(self) -> dict[str, Any]:
        """What a person has set.

        Raises
        ------
        ValueError
            When something else than a number is written there.
        """
        return {name: _read(name, field.text()) for name, field in self.fields.items() if field.text().strip()}


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """Return what was set, as the name of a cleaning ends: ', lam 1e+06'."""
    return "".join(f", {name.replace('_', ' ')} {_say(value)}" for name, value in parameters.items())


def _say(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value).lower()


def _say_default(default: Any) -> str:
    if isinstance(default, Mapping):
        return ", ".join(f"{name} {value}" for name, value in default.items())
    return _NOTHING_SET if default is None else _say(default)


def _read(name: str, text: str) -> Any:
    try:
        value = json.loads(text.strip().lower())
    except ValueError:
        value = None
    if not isinstance(value, int | float):
        msg = f"'{name.replace('_', ' ')}' must be a number, true or false; found '{text}'. Empty, it is the default."
        raise ValueError(msg)
    return value
