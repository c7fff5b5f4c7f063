"""napari finds the plugin however it was installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

import napari_bgremove
from napari_bgremove.synthetic import samples

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / "src" / "napari_bgremove" / "napari.yaml"
PACKED = ("src", "pyproject.toml", "README.md", "LICENSE", "napari.yaml")
MARK = "Found by the test"
# What the package reads from its own folder, beside its modules.
DATA = ("models/*.safetensors", "models/*.json", "evaluation/real_set.json", "evaluation/classical_tuning.json")

DISCOVER = """
import json, sys
from npe2 import PluginManager
manager = PluginManager()
manager.discover(paths=json.loads(sys.argv[1]))
manifest = manager.get_manifest("napari-bgremove")
print(json.dumps([manifest.display_name, "napari_bgremove" in sys.modules]))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project whose manifest cannot be taken for the installed one."""
    folder = tmp_path_factory.mktemp("project")
    for name in PACKED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name, follow_symlinks=False)
    manifest = folder / MANIFEST.relative_to(ROOT)
    text = manifest.read_text()
    assert "display_name: Background removal" in text
    manifest.write_text(text.replace("display_name: Background removal", f"display_name: {MARK}", 1))
    return folder


def build(project: Path, target: str, folder: Path) -> Path:
    """Build with the installed backend, which needs no network, and return the file."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.iterdir()
    return built


def discover(paths: list[Path]) -> tuple[str, bool]:
    """Let npe2 look through `paths` first; return the display name, and whether our package was imported."""
    command = [sys.executable, "-W", "ignore", "-c", DISCOVER, json.dumps([str(path) for path in paths])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    display_name, imported = json.loads(done.stdout)
    return display_name, imported


def unpack_wheel(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():  # one by one: our own archive, of plain names
            archive.extract(name, folder)
    return folder


def check_data_files(package: Path, project: Path) -> None:
    """Find every data file of the project in a built package, byte by byte."""
    source = project / "src" / "napari_bgremove"
    for pattern in DATA:
        files = sorted(source.glob(pattern))
        assert files, pattern
        for file in files:
            assert (package / file.relative_to(source)).read_bytes() == file.read_bytes(), file.name


def test_the_manifest_of_a_wheel_is_found_without_importing_the_package(project: Path, tmp_path: Path) -> None:
    site = unpack_wheel(build(project, "wheel", tmp_path / "dist"), tmp_path / "site")
    assert discover([site]) == (MARK, False)
    check_data_files(site / "napari_bgremove", project)


def test_the_manifest_of_an_editable_install_is_found(project: Path, tmp_path: Path) -> None:
    site = unpack_wheel(build(project, "wheel:editable", tmp_path / "dist"), tmp_path / "site")
    links = [Path(line) for file in site.glob("*.pth") for line in file.read_text().splitlines()]
    assert links == [project / "src"]
    assert discover([site, *links]) == (MARK, False)


def test_the_manifest_of_a_source_archive_is_found(project: Path, tmp_path: Path) -> None:
    archive = build(project, "sdist", tmp_path / "dist")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert MARK in (unpacked / "napari.yaml").read_text()
    check_data_files(unpacked / "src" / "napari_bgremove", project)
    site = unpack_wheel(build(unpacked, "wheel", tmp_path / "wheel"), tmp_path / "site")
    assert discover([site]) == (MARK, False)
    check_data_files(site / "napari_bgremove", project)


def test_the_manifest_at_the_top_is_the_one_in_the_package() -> None:
    top = (ROOT / "napari.yaml").read_bytes()
    # Without support for links a checkout holds the name of the target instead.
    link_text = MANIFEST.relative_to(ROOT).as_posix().encode()
    assert top == MANIFEST.read_bytes() or (sys.platform == "win32" and top == link_text)


def test_npe2_accepts_the_manifest_and_the_functions_it_names() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert manifest.name == "napari-bgremove"


def test_the_version_is_the_same_everywhere() -> None:
    assert version("napari-bgremove") == napari_bgremove.__version__
    assert f"\nversion: {napari_bgremove.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {napari_bgremove.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_pinned_environments_name_no_place_of_one_machine() -> None:
    for file in ROOT.glob("constraints*.txt"):
        pins = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        assert pins
        assert all(line.count("==") == 1 and "/" not in line and not line.startswith("-") for line in pins), file.name
        assert "torch==2.13.0" in pins, file.name


def test_the_sample_of_a_full_shot_comes_with_its_truth() -> None:
    layers = {attributes["name"]: (values, attributes) for values, attributes, _ in samples.make_full_sample()}
    assert list(layers) == ["Full shot - background (noise), truth", "Full shot - signal, truth", "Full shot"]
    assert [attributes["visible"] for _, attributes in layers.values()] == [False, False, True]
    json.dumps(layers["Full shot"][1]["metadata"])  # travels with a saved layer, so it has to be plain
    background, signal, measured = (values for values, _ in layers.values())
    # All but a few unusable pixels differ from the sum by read noise, which is below 1 keV.
    assert np.nanmedian(np.abs(measured - signal - background)) < 1.0


def test_the_sample_without_background_is_one_layer() -> None:
    ((values, attributes, kind),) = samples.make_xray_only_sample()
    assert (attributes["name"], kind, values.shape) == ("X-ray-only shot", "image", (512, 1024))
    low, high = attributes["contrast_limits"]
    assert low < high < np.nanmax(values)
