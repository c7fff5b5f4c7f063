"""Whatever goes wrong on the command line is one line on stderr and a non-zero exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from napari_bgremove.cli import main, mask_command
from napari_bgremove.errors import ComputeError


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["mask"], "Error: Missing argument 'IMAGES...'. Try 'bgremove mask --help'."),
        (["train"], "Error: A new run needs --signal, --background and --out; an old one --resume. Try 'bgremove tr"),
        (["separate", "x.tif"], "Error: Missing option '--out'. Try 'bgremove separate --help'."),
        (["separate", "x.tif", "--out", "o", "--merge", "max"], "Error: Invalid value for '--merge': 'max' is not one"),
        (["mask", "x.tif", "--colour"], "Error: No such option"),
        (["clean"], "Error: No such command 'clean'. Try 'bgremove --help'."),
    ],
)
def test_wrong_usage_is_one_line_that_says_where_to_read_on(bgremove: Any, arguments: list[str], line: str) -> None:
    called = bgremove(*arguments)
    assert (called.code, called.out) == (2, "")
    (said,) = called.err.splitlines()
    assert said.startswith(line)
    assert said.endswith("--help'.")


def test_no_command_shows_the_help(bgremove: Any) -> None:
    called = bgremove()
    assert (called.code, called.err) == (2, "")
    assert "Usage: bgremove" in called.out


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let `bgremove mask` fail in a way of the test's choice."""

    def fail_with(error: BaseException) -> list[object]:
        def fail(_patterns: Any) -> Any:
            raise error

        monkeypatch.setattr(mask_command, "existing_files", fail)
        return ["mask", "x.tif", "--out", "o"]

    monkeypatch.delenv("BGREMOVE_DEBUG", raising=False)
    return fail_with


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (
            KeyError("centre"),
            "bgremove: an unexpected KeyError ended the command: 'centre'. Set BGREMOVE_DEBUG=1 and",
            1,
        ),
        (
            RuntimeError("a\n  b"),
            "bgremove: an unexpected RuntimeError ended the command: a b. Set BGREMOVE_DEBUG=1",
            1,
        ),
        (AssertionError(), "bgremove: an unexpected AssertionError ended the command: no details. Set BGREMOVE_D", 1),
        (PermissionError(13, "Permission denied", "/o"), "bgremove: '/o': Permission denied.", 1),
        (ComputeError("No patch left."), "bgremove: No patch left.", 1),
        (KeyboardInterrupt(), "Stopped.", 130),
    ],
)
def test_a_failure_is_one_line_without_a_traceback(
    bgremove: Any, failing: Any, error: BaseException, line: str, code: int
) -> None:
    called = bgremove(*failing(error))
    assert called.code == code
    (said,) = filter(None, called.err.splitlines())  # click leaves the line of a ctrl-C first
    assert said.startswith(line)


@pytest.mark.parametrize("error", [KeyError("centre"), ComputeError("No centre.")])
def test_a_failure_shows_where_it_happened_when_asked_to(
    failing: Any, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["bgremove", *failing(error)])
    monkeypatch.setenv("BGREMOVE_DEBUG", "1")
    with pytest.raises(type(error), match="centre") as caught:
        main()
    assert Path(caught.traceback[-1].path) == Path(__file__)
