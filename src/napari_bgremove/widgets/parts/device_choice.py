"""What computes: "auto", and the devices the engine has found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QStyledItemDelegate

__all__ = ["DeviceChoice"]

AUTO = "auto"
DESCRIPTION = Qt.ItemDataRole.UserRole


class DeviceChoice(QComboBox):
    """Starts with the preferred device; offers the others once the engine has told which there are.

    Its text is the plain name, as a job takes it; the list that opens tells
    what each device is and how much memory it has free.
    """

    def __init__(self, preferred: str = AUTO) -> None:
        super().__init__()
        self._preferred = preferred
        self.is_known = False
        self._delegate = _WithDescription(self)
        self.setItemDelegate(self._delegate)
        self.addItems(dict.fromkeys([AUTO, preferred]))
        self.setCurrentText(preferred)

    def choose(self, device: str) -> bool:
        """Choose a device by name; return whether it can be had. While nobody knows, it can."""
        if not self.is_known and self.findText(device) < 0:
            self.addItem(device)
        name = _find(device, [self.itemText(index) for index in range(self.count())])
        if name is not None:
            self.setCurrentText(name)
        return name is not None

    def show_devices(self, devices: Mapping[str, str]) -> None:
        """Offer the devices there are, by name, with what the engine says of them; keep what is chosen.

        A preferred device that is not on this computer gives way to "auto".
        """
        chosen = self.currentText()
        self.is_known = True
        self.clear()
        for name, text in {AUTO: f"now {next(iter(devices), 'cpu')}", **devices}.items():
            self.addItem(name)
            self.setItemData(self.count() - 1, text, DESCRIPTION)
        self.setCurrentText(_find(chosen, list(devices)) or AUTO)
        lines = [f"{name}: {text}" for name, text in devices.items()]
        if self._preferred != AUTO and _find(self._preferred, list(devices)) is None:
            lines.append(f"The preferred device, {self._preferred}, is not on this computer.")
        self.setToolTip("\n".join(lines))
        # The list may be wider than the box.
        self.view().setMinimumWidth(
            self.view().sizeHintForColumn(0) + self.view().verticalScrollBar().sizeHint().width()
        )

    def describe(self, index: int) -> str:
        """Return what the list says in this line."""
        description = self.itemData(index, DESCRIPTION)
        return f"{self.itemText(index)} - {description}" if description else self.itemText(index)


class _WithDescription(QStyledItemDelegate):
    """Draws a line of the list with its description."""

    def initStyleOption(self, option: Any, index: Any) -> None:
        """Put name and description together, where the line is measured and drawn."""
        super().initStyleOption(option, index)
        option.text = self.parent().describe(index.row())


def _find(device: str, names: list[str]) -> str | None:
    """Return the device of that name, or the first of that kind ("cuda" is "cuda:0")."""
    return device if device in names else next((name for name in names if name.partition(":")[0] == device), None)
