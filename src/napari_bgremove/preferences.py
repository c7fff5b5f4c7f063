"""What a person has set for good: napari's Preferences, page "Background removal".

The fields and their ranges are declared in the manifest; napari shows, checks
and keeps them. Here they become values that say what they mean.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Preferences", "read_preferences"]

PLUGIN = "napari-bgremove"


@dataclass(frozen=True)
class Preferences:
    """What a panel starts with.

    Attributes
    ----------
    device : str
        What computes, as `pick_device` takes it; "auto" is a GPU where there is one.
    threads : int or None
        CPU threads of the engine; None leaves one core to the window.
    results_folder : Path or None
        Where runs and results go unless a person says otherwise; None is beside their data.
    kev_per_unit : float or None
        Energy of one unit of an image whose file does not tell; None is unknown.
    autosave_masks : bool
        Whether masks under work are kept on disk.
    """

    device: str = "auto"
    threads: int | None = None
    results_folder: Path | None = None
    kev_per_unit: float | None = None
    autosave_masks: bool = True

    @property
    def engine_threads(self) -> int:
        """CPU threads of work that goes on while a window is open."""
        return self.threads or max(1, (os.cpu_count() or 2) - 1)


def read_preferences() -> Preferences:
    """Return the preferences of now; the defaults where napari keeps none for this package."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # napari before 0.9
        return Preferences()
    try:
        settings = get_plugin_settings(PLUGIN)
    except KeyError:  # used as a library: napari does not know of the plugin
        return Preferences()
    folder = settings.files.results_folder.strip()
    return Preferences(
        device=settings.computing.device,
        threads=settings.computing.threads or None,
        results_folder=Path(folder).expanduser() if folder else None,
        # In eV there, because napari's form has two decimals.
        kev_per_unit=settings.files.ev_per_unit / 1000 or None,
        autosave_masks=settings.masks.autosave,
    )
