"""What a person sets in napari's Preferences is what the panels start with."""

from __future__ import annotations

import builtins
import os
from pathlib import Path
from typing import Any

import pytest

import napari_bgremove
from napari_bgremove.preferences import Preferences, read_preferences

MANIFEST = Path(napari_bgremove.__file__).parent / "napari.yaml"


@pytest.fixture
def settings(plugin_settings: Any, npe2pm: Any) -> Any:
    """The page of this package, kept in a folder of the test."""
    from napari.settings import get_plugin_settings

    with npe2pm.tmp_plugin(manifest=str(MANIFEST)):
        yield get_plugin_settings("napari-bgremove")


def test_the_page_starts_with_the_defaults(settings: Any) -> None:
    assert read_preferences() == Preferences()


def test_what_is_set_is_read_and_kept(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    settings.computing.device = "cpu"
    settings.computing.threads = 3
    settings.files.results_folder = " ~/runs "
    settings.files.ev_per_unit = 3.65
    settings.masks.autosave = False
    assert read_preferences() == Preferences("cpu", 3, tmp_path / "runs", 0.00365, False)
    assert "device: cpu" in settings.config_path.read_text()


@pytest.mark.parametrize(("group", "field", "value"), [("computing", "device", "tpu"), ("computing", "threads", -1)])
def test_what_makes_no_sense_is_refused_by_napari(settings: Any, group: str, field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        setattr(getattr(settings, group), field, value)


def test_without_the_plugin_the_defaults_hold(plugin_settings: Any) -> None:
    assert read_preferences() == Preferences()


def test_without_napari_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "napari.settings":
            raise ImportError(name)
        return load(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert read_preferences() == Preferences()


def test_the_engine_leaves_a_core_unless_told() -> None:
    assert Preferences().engine_threads == max(1, (os.cpu_count() or 2) - 1)
    assert Preferences(threads=5).engine_threads == 5


def test_no_test_sees_the_preferences_of_who_runs_it() -> None:
    from napari import settings

    assert not settings._CFG_PATH
