"""Every benchmark starts, says what it measures, and writes its figures as JSON where asked to."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).resolve().parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_a_benchmark_explains_itself_without_a_screen_or_escnn(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setitem(sys.modules, "escnn", None)
    monkeypatch.setattr(sys, "argv", [str(file), "--help"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(file), run_name="__main__")
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"python benchmarks/{file.name}" in said
    assert "--json" in said
    assert list(tmp_path.iterdir()) == []  # asking costs nothing
