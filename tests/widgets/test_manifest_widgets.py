"""What the manifest promises opens in a real viewer, the way a person opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import napari_bgremove

MANIFEST = yaml.safe_load((Path(napari_bgremove.__file__).parent / "napari.yaml").read_text())
WIDGETS = [widget["display_name"] for widget in MANIFEST["contributions"]["widgets"]]


@pytest.mark.parametrize("name", WIDGETS)
def test_every_widget_of_the_manifest_opens_by_its_name(make_napari_viewer: Any, npe2pm: Any, name: str) -> None:
    with npe2pm.tmp_plugin(manifest=Path(napari_bgremove.__file__).parent / "napari.yaml"):
        viewer = make_napari_viewer()
        dock, widget = viewer.window.add_plugin_dock_widget("napari-bgremove", name)
        assert dock.widget() is not None
        assert widget is not None
