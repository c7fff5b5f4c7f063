"""Without escnn the bridge says what to install."""

from __future__ import annotations

import importlib
import sys

import pytest


def test_the_bridge_names_the_extra_when_escnn_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "escnn", None)
    monkeypatch.delitem(sys.modules, "napari_bgremove.learning.escnn_bridge", raising=False)
    with pytest.raises(ImportError, match=r'"escnn" cannot be imported - .* - install "napari-bgremove\[escnn\]"'):
        importlib.import_module("napari_bgremove.learning.escnn_bridge")
