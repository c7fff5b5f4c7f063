"""What computes: "auto", and the devices the engine has found."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtWidgets import QComboBox

__all__ = ["DeviceChoice"]

AUTO = "auto"


class DeviceChoice(QComboBox):
    """Starts with the preferred device; offers the others once the engine has told which there are."""

    def __init__(self, preferred: str = AUTO) -> None:
        super().__init__()
        self._preferred = preferred
        self.is_known = False
        self.addItems(dict.fromkeys([AUTO, preferred]))
        self.setCurrentText(preferred)

    def show_devices(self, devices: Mapping[str, str]) -> None:
        """Offer the devices there are, by name, with what the engine says of them; keep what is chosen.

        A preferred device that is not on this computer gives way to "auto".
        """
        chosen = self.currentText()
        self.is_known = True
        self.clear()
        self.addItems([AUTO, *devices])
        self.setCurrentText(next((name for name in devices if name.partition(":")[0] == chosen), AUTO))
        if chosen in devices:
            self.setCurrentText(chosen)
        lines = [f"{name}: {text}" for name, text in devices.items()]
        if self._preferred != AUTO and not any(name.partition(":")[0] == self._preferred for name in devices):
            lines.append(f"The preferred device, {self._preferred}, is not on this computer.")
        self.setToolTip("\n".join(lines))
