"""All panels as tabs, in the order of the work."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QSizePolicy, QTabWidget

from napari_bgremove.widgets.compare_panel import ComparePanel
from napari_bgremove.widgets.layers_panel import LayersPanel
from napari_bgremove.widgets.mask_panel import MaskPanel
from napari_bgremove.widgets.model_panel import ModelPanel
from napari_bgremove.widgets.parts.undocked import delete_when_undocked
from napari_bgremove.widgets.patches_panel import PatchesPanel
from napari_bgremove.widgets.profile_panel import ProfilePanel
from napari_bgremove.widgets.separate_panel import SeparatePanel
from napari_bgremove.widgets.spectra_panel import SpectraPanel

__all__ = ["MainPanel"]

PANELS = {
    "Mask": MaskPanel,
    "Patches": PatchesPanel,
    "Model": ModelPanel,
    "Separate": SeparatePanel,
    "Compare": ComparePanel,
    "Profile": ProfilePanel,
    "Spectra": SpectraPanel,
    "Layers": LayersPanel,
}


class MainPanel(QTabWidget):
    """Background removal from the first mask to the comparison."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        delete_when_undocked(self)
        self.setDocumentMode(True)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        for title, panel in PANELS.items():
            self.addTab(panel(napari_viewer), title)
