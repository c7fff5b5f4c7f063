"""A removal of units as text: every way to judge it becomes the options and keywords that mean the same."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from napari_bgremove.cli.layers_inspect_command import command as inspect
from napari_bgremove.cli.layers_prune_command import command as prune
from napari_bgremove.engine.layer_scripts import (
    inspection_as_command,
    inspection_as_python,
    removal_as_command,
    removal_as_python,
)

REMOVAL: dict[str, Any] = {"model": "bundled", "share": 0.25, "rule": "relative", "out": "a b.safetensors"}


@pytest.mark.parametrize(
    ("judge", "words"),
    [
        ({"run": "my run"}, ["--run", "my run"]),
        ({"signal": "s.npz", "background": "b.npz"}, ["--signal", "s.npz", "--background", "b.npz"]),
        ({"source": {"paths": ["a.csv"]}}, ["a.csv"]),
        ({"generator": "spikes"}, ["--on", "spikes"]),
        ({"generator": None}, []),
    ],
)
def test_every_judge_is_named_in_both_texts(judge: dict[str, Any], words: list[str]) -> None:
    given = shlex.split(removal_as_command(**REMOVAL, judge=judge))
    start = ["bgremove", "layers", "prune", "bundled", "--keep", "0.25", "--rule", "relative"]
    assert given == [*start, "--out", "a b.safetensors", *words]
    script = removal_as_python(**REMOVAL, judge=judge)
    compile(script, "script.py", "exec")
    assert all(f"{name}={value!r}" in script for name, value in judge.items())
    assert "share=0.25, rule='relative'" in script


def test_the_options_are_those_of_the_commands() -> None:
    known = {option for parameter in prune.params for option in parameter.opts}
    assert {"--keep", "--rule", "--out", "--run", "--signal", "--background", "--on"} <= known
    assert inspect.params[0].nargs == -1


def test_an_inspection_names_its_models() -> None:
    assert inspection_as_command(["a b", "c"]) == "bgremove layers inspect 'a b' c"
    script = inspection_as_python(["a b", "c"])
    compile(script, "script.py", "exec")
    assert "['a b', 'c']" in script
