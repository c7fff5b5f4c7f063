"""What a model is: its network, what it was trained on, and how it did here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

__all__ = ["ModelCard", "describe_model"]

FAMILIES = {"c4_unet": "C4-equivariant UNet", "plain_unet": "plain UNet"}
UNKNOWN = "the file does not say"


class ModelCard(QWidget):
    """A form to read."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = QFormLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._labels = {name: _label() for name in describe_model({"card": {}, "file": ""})}
        for name, label in self._labels.items():
            self._rows.addRow(name, label)
        self.setEnabled(False)

    @property
    def lines(self) -> dict[str, str]:
        """What is shown, by name."""
        return {name: label.text() for name, label in self._labels.items()}

    def show_model(self, values: Mapping[str, Any]) -> None:
        """Show what the engine answers about a model file."""
        for name, text in describe_model(values).items():
            self._labels[name].setText(text)
        self._labels["File"].setToolTip(str(values["file"]))
        self.setEnabled(True)


def describe_model(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the lines of a card.

    Parameters
    ----------
    values : mapping
        `card`, the description in the model file; `file`; `self_test`, the
        deviation found when the engine read the file.
    """
    card, file = values["card"], Path(values["file"])
    recipe, provenance = card.get("recipe", {}), card.get("provenance", {})
    return {
        "Name": file.stem,
        "Network": _network(card.get("network", {}), recipe.get("preset")),
        "Trained on": _trained_on(provenance),
        "Epochs": _epochs(provenance.get("epochs_done"), recipe.get("epochs")),
        "Validation loss": _number(provenance.get("validation_loss"), "{:.4g}"),
        "Pixels hit": _number(provenance.get("hit_share"), "up to {:.1%} in its training"),
        "Self-test": _number(values.get("self_test"), "passed here, deviation {:.1e}"),
        "File": file.name,
    }


def _network(network: Mapping[str, Any], preset: str | None) -> str:
    width = "/".join(str(fields) for fields in network.get("fields", ()))
    parts = [
        FAMILIES.get(network.get("family", ""), "") or UNKNOWN,
        f"topology {network['topology']}" if "topology" in network else "",
        " ".join(part for part in (preset, f"({width} fields)" if width else "") if part),
    ]
    return ", ".join(part for part in parts if part)


def _trained_on(provenance: Mapping[str, Any]) -> str:
    text = str(provenance.get("trained_on") or UNKNOWN)
    return f"{text}; started from {provenance['started_from']}" if "started_from" in provenance else text


def _epochs(done: Any, asked: Any) -> str:
    return f"{done} of {asked}" if done is not None and asked else str(done if done is not None else UNKNOWN)


def _number(value: Any, form: str) -> str:
    return form.format(value) if isinstance(value, int | float) else UNKNOWN


def _label() -> QLabel:
    label = QLabel("-")
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
