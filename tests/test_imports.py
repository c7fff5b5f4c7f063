"""What an import costs, and what it must not bring along."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import napari_bgremove

PACKAGE = Path(napari_bgremove.__file__).parent
WINDOWS_AND_NETWORKS = {"torch", "escnn", "napari", "qtpy", "PyQt6", "PySide6", "magicgui", "superqt"}
PURE = (
    "_files", "_gaps", "_model_header", "_unwrapping", "_validation", "errors", "evaluation", "filters", "images", "io",
    "numpy_network", "separation", "spectra", "synthetic",
)  # fmt: skip
TORCH_FREE = (
    *PURE, "recipes", "engine", "workspace", "viewer_layers", "preferences", "widgets", "cli", "contributions",
)  # fmt: skip

# A module that asks for something blocked fails as if it were not installed.
BLOCK = """
import importlib, json, sys
class Blocked:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"blocked: {{name}}")
sys.meta_path.insert(0, Blocked)
for module in {modules!r}:
    importlib.import_module(module)
"""


def run_fresh(code: str) -> str:
    """Run `code` in a new interpreter and return what it printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_of(part: str) -> list[str]:
    """Every module of a part of the package, by dotted name."""
    files = [PACKAGE / f"{part}.py"] if (PACKAGE / f"{part}.py").is_file() else sorted((PACKAGE / part).rglob("*.py"))
    dotted = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in dotted if not name.endswith("__main__")]


def manifest_modules() -> list[str]:
    """Every module that the manifest names."""
    manifest = yaml.safe_load((PACKAGE / "napari.yaml").read_text())
    return sorted({command["python_name"].partition(":")[0] for command in manifest["contributions"]["commands"]})


def test_importing_the_package_brings_no_library_along(record_property: pytest.RecordProperty) -> None:
    code = """
import json, sys, time
start = time.perf_counter()
import napari_bgremove
seconds = time.perf_counter() - start
print(json.dumps([seconds, sorted(sys.modules)]))
"""
    seconds, loaded = json.loads(run_fresh(code))
    record_property("import_seconds", seconds)
    roots = {name.partition(".")[0] for name in loaded}
    assert not roots & (WINDOWS_AND_NETWORKS | {"numpy", "scipy", "skimage", "pydantic", "matplotlib"})


@pytest.mark.parametrize("part", PURE)
def test_a_pure_part_works_where_torch_qt_and_napari_are_missing(part: str) -> None:
    modules = modules_of(part)
    assert modules
    run_fresh(BLOCK.format(blocked=WINDOWS_AND_NETWORKS, modules=modules))


def test_the_network_in_numpy_needs_numpy_alone() -> None:
    modules = modules_of("numpy_network")
    loaded = json.loads(
        run_fresh(BLOCK.format(blocked=set(), modules=modules) + "print(json.dumps(sorted(sys.modules)))")
    )
    roots = {name.partition(".")[0] for name in loaded}
    assert "numpy" in roots
    assert not roots & (WINDOWS_AND_NETWORKS | {"scipy", "skimage", "pywt", "pybaselines", "pydantic", "dask"})


@pytest.mark.parametrize("part", [part for part in TORCH_FREE if part not in PURE and modules_of(part)])
def test_only_learning_imports_torch_on_import(part: str) -> None:
    run_fresh(BLOCK.format(blocked={"torch", "escnn"}, modules=modules_of(part)))


def test_every_part_of_the_package_is_known_here() -> None:
    found = {entry.stem for entry in PACKAGE.iterdir() if entry.suffix == ".py" or any(entry.glob("*.py"))}
    assert found - {"__init__", "__main__", "learning"} <= set(TORCH_FREE)


def test_every_module_of_the_manifest_imports_without_torch() -> None:
    code = BLOCK.format(blocked=set(), modules=manifest_modules()) + "print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(run_fresh(code))
    assert "torch" not in loaded


@pytest.mark.parametrize("name", napari_bgremove.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(napari_bgremove, name) is not None
    assert name in dir(napari_bgremove)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'napari_bgremove' has no attribute 'separate_everything'"):
        napari_bgremove.separate_everything  # noqa: B018


def test_type_checkers_see_the_names_where_the_program_finds_them() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in guarded.body if isinstance(node, ast.ImportFrom)]
    seen = {
        alias.name: (node.module or "").removeprefix("napari_bgremove.") for node in imports for alias in node.names
    }
    assert seen == napari_bgremove._HOMES
    assert sorted([*seen, "__version__"]) == sorted(napari_bgremove.__all__)


def test_a_blocked_library_is_really_out_of_reach() -> None:
    """Guards the tests above: their blocker must block."""
    assert importlib.util.find_spec("torch") is not None
    with pytest.raises(AssertionError, match="blocked: torch"):
        run_fresh(BLOCK.format(blocked={"torch"}, modules=["napari_bgremove.learning.devices"]))
