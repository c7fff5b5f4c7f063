"""What no line of the package may do, read from its source.

A model file or an image comes from strangers, so nothing may run what a file
contains; and a result is written whole or not at all, so only one module opens
files for writing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_bgremove

PACKAGE = Path(napari_bgremove.__file__).parent

# Import roots, and the only places (from the package's folder) that may have them.
BANNED_IMPORTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"), ()),
    "torch": ("learning/",),
    "safetensors": ("learning/",),
    "escnn": ("learning/escnn_bridge.py",),
    "napari": ("viewer_layers/", "widgets/", "cli/", "contributions/", "preferences.py"),
    "qtpy": ("widgets/",),
}
BANNED_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.jit.load", "tempfile.mktemp"}
# Whatever object they are called on.
BANNED_METHODS = {"extractall", "unpack_archive"}
# These put bytes into a file; `_files` does it for everyone.
WRITING_METHODS = {"write_text", "write_bytes"}
WRITING_CALLS = {"os.rename", "os.replace", "os.link", "shutil.move"}
# Modules imported by a name that is not written out: from a table of our own, never from a file.
NAMED_IMPORTS = {"__init__.py": "public names", "cli/lazy_group.py": "commands", "io/isolated.py": "classes of fabio"}
# Opened for writing, but no result: a file that nobody else can see.
SCRATCH_FILES = {
    "io/readers.py": "unpacks .gz into a temporary folder of its own",
    "engine/spectra_blocks.py": "puts the parts of a large set, row by row, into a temporary folder of who asked",
}


def dotted(node: ast.expr) -> str:
    """'torch.jit.load' for the expression of that name, '' for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value) or '?'}.{node.attr}"
    return ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def findings(source: str, file: str) -> list[str]:
    """Every forbidden thing in `source`, as 'line: what'."""
    tree = ast.parse(source)
    return [f"{file}:{line}: {what}" for line, what in sorted({*_imports(tree, file), *_calls(tree, file)})]


def _imports(tree: ast.Module, file: str) -> Iterator[tuple[int, str]]:
    for node in _at_run_time(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [node.module or ""]
        for root in {module.partition(".")[0] for module in modules} & BANNED_IMPORTS.keys():
            if not file.startswith(BANNED_IMPORTS[root] or ("nowhere/",)):
                yield node.lineno, f"imports {root}"


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree, leaving out what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and dotted(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            continue
        yield child
        yield from _at_run_time(child)


def _calls(tree: ast.Module, file: str) -> Iterator[tuple[int, str]]:
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = dotted(call.func)
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name in BANNED_CALLS or method in BANNED_METHODS:
            yield call.lineno, f"calls {name or method}"
        if name == "torch.load" and not is_constant(keyword(call, "weights_only"), True):
            yield call.lineno, "calls torch.load without weights_only=True"
        if name in {"yaml.load", "yaml.unsafe_load", "yaml.full_load"}:
            yield call.lineno, f"calls {name}"
        for option in ("allow_pickle", "shell"):
            value = keyword(call, option)
            if value is not None and not is_constant(value, False):
                yield call.lineno, f"passes {option}"
        imports = "import_module" in (name, method) and file not in NAMED_IMPORTS
        if imports and not isinstance(call.args[0], ast.Constant):
            yield call.lineno, "imports a module by a computed name"
        if file != "_files.py":
            yield from _writes(call, name, method, file)


def _writes(call: ast.Call, name: str, method: str, file: str) -> Iterator[tuple[int, str]]:
    if name in WRITING_CALLS or method in WRITING_METHODS:
        yield call.lineno, f"writes by {name or method}"
    if name in {"open", "io.open", "os.fdopen", "gzip.open"} or (method == "open" and not name.startswith("os.")):
        # Path.open has the mode first, the function open has it second.
        position = 0 if method == "open" and name not in {"io.open", "gzip.open"} else 1
        mode = keyword(call, "mode") or (call.args[position] if len(call.args) > position else None)
        text = mode.value if isinstance(mode, ast.Constant) and isinstance(mode.value, str) else ""
        pipe = name == "os.fdopen"  # talks to another process
        if set(text) & set("wax+") and not pipe and file not in SCRATCH_FILES:
            yield call.lineno, f"opens a file with mode {text!r}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_line_does_what_is_forbidden(path: Path) -> None:
    assert findings(path.read_text(encoding="utf-8"), path.relative_to(PACKAGE).as_posix()) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from marshal import loads",
        "import shelve as s",
        "from joblib import load",
        "import torch",
        "def f():\n    from torch import nn",
        "import escnn.nn",
        "eval(text)",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "yaml.load(text, yaml.SafeLoader)",
        "torch.jit.load(path)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "archive.extractall(folder)",
        "importlib.import_module(header['module'])",
        "import_module(name)",
        "os.rename(a, b)",
        "os.replace(a, b)",
        "open(path, 'w')",
        "open(path, mode='ab')",
        "path.open('w')",
        "path.open(mode='r+b')",
        "gzip.open(path, 'wb')",
        "path.write_text(text)",
        "path.write_bytes(content)",
        "os.system(command)",
        "subprocess.run(command, shell=True)",
    ],
)
def test_the_scan_sees_what_is_forbidden(line: str) -> None:
    assert len(findings(line, "images/example.py")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "if TYPE_CHECKING:\n    import torch",
        "np.load(path, allow_pickle=False)",
        "torch.load(path, weights_only=True)",
        "open(path)",
        "open(path, 'rb')",
        "path.open('rb')",
        "gzip.open(path)",
        "re.compile(pattern)",
        "network.eval()",
        "network.to(device).eval()",
        "importlib.import_module('scipy.ndimage')",
        "os.open(folder, os.O_RDONLY)",
        "atomic_write(path, text)",
    ],
)
def test_the_scan_lets_the_harmless_pass(line: str) -> None:
    assert findings(line, "images/example.py") == []


@pytest.mark.parametrize("exceptions", [NAMED_IMPORTS, SCRATCH_FILES])
def test_every_exception_is_still_needed(exceptions: dict[str, str]) -> None:
    for file in exceptions:
        assert (PACKAGE / file).is_file()
