"""The laws of writing: whole or not at all, whatever happens in between."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from napari_bgremove import _files
from napari_bgremove._files import append_line, atomic_path, atomic_write, remove_stale_temporaries

NAMES = [
    "plain.txt", "with space.txt", "ümlaut-µ.txt", "图像.txt", "🦊" * 40 + ".txt", "trailing.dot.", "-dash",
    "'quote\"", "%s{}$HOME", "a" * 200, ".hidden", "x.1234.ab.tmp",
]  # fmt: skip
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals, modes and limits")


@pytest.mark.parametrize("content", [b"\x00\xff", "µ text", lambda file: file.write(b"called")])
def test_what_is_written_is_what_is_read(tmp_path, content):
    path = atomic_write(tmp_path / "new" / "folder" / "a", content)
    expected = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else b"called"
    assert path.read_bytes() == expected


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_written_and_replaced(tmp_path, name):
    for content in (b"old", b"new"):
        assert atomic_write(tmp_path / name, content).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_failure_while_writing_keeps_the_old_file(tmp_path):
    path = atomic_write(tmp_path / "a", b"old")

    def fail(file):
        file.write(b"half")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        atomic_write(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_need_not_last_is_written_whole_without_waiting_for_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: pytest.fail("waited for the disk"))
    assert atomic_write(tmp_path / "letter", b"whole", durable=False).read_bytes() == b"whole"


def test_a_failure_in_the_block_of_atomic_path_keeps_the_old_file(tmp_path):
    path = atomic_write(tmp_path / "a", b"old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:  # noqa: PT012
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_path_lends_a_sibling_that_becomes_the_file(tmp_path):
    with atomic_path(tmp_path / "a.tif") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.stat().st_size == 0
        temporary.write_bytes(b"new")
        assert not (tmp_path / "a.tif").exists()
    assert (tmp_path / "a.tif").read_bytes() == b"new"


@posix_only
def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path):
    target = tmp_path / "data" / "real"
    target.parent.mkdir()
    target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(target)
    atomic_write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@posix_only
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_mode_of_an_existing_file_is_kept(tmp_path, mode):
    path = atomic_write(tmp_path / "a", b"old")
    path.chmod(mode)
    assert stat.S_IMODE(atomic_write(path, b"new").stat().st_mode) == mode


@posix_only
def test_a_new_file_obeys_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        assert stat.S_IMODE(atomic_write(tmp_path / "a", b"new").stat().st_mode) == 0o640
    finally:
        os.umask(old)


def run_child(script: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


@posix_only
def test_a_full_disk_keeps_the_old_file_and_raises(tmp_path):
    path = atomic_write(tmp_path / "a", b"old" * 1000)
    # A file size limit stands in for a full disk: the write fails in the middle.
    script = (
        "import resource, sys\nfrom napari_bgremove._files import atomic_write\n"
        "for limit in range(0, 60_000, 2_000):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "    try:\n        atomic_write(sys.argv[1], b'n' * 60_000)\n"
        "    except OSError:\n        continue\n    raise SystemExit(f'no error at {limit}')\n"
    )
    result = run_child(script, path)
    assert result.returncode == 0, result.stderr
    assert path.read_bytes() == b"old" * 1000
    assert list(tmp_path.iterdir()) == [path]


@posix_only
def test_a_read_only_folder_raises_and_changes_nothing():
    with tempfile.TemporaryDirectory() as name:
        path = atomic_write(Path(name) / "a", b"old")
        path.chmod(0o644)
        Path(name).chmod(0o555)
        # Rights do not bind root, so the child gives them up where it has them.
        script = (
            "import os, sys\nfrom napari_bgremove._files import atomic_write\n"
            "if os.getuid() == 0:\n    os.setuid(65534)\n"
            "try:\n    atomic_write(sys.argv[1], b'new')\n"
            "except PermissionError:\n    raise SystemExit(7)\n"
        )
        result = run_child(script, path)
        Path(name).chmod(0o755)
        assert result.returncode == 7, result.stderr
        assert path.read_bytes() == b"old"
        assert list(Path(name).iterdir()) == [path]


def test_a_folder_that_is_a_file_raises(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(OSError, match="a"):
        atomic_write(tmp_path / "a" / "b", b"new")


@posix_only
def test_kill_9_leaves_an_old_or_a_new_file_and_the_rest_is_cleaned_up(tmp_path):
    path = tmp_path / "a"
    size = 300_000
    script = (
        "import sys\nfrom napari_bgremove._files import atomic_write\n"
        "print('ready', flush=True)\nnumber = 0\n"
        f"while True:\n    atomic_write(sys.argv[1], bytes([number % 256]) * {size})\n    number += 1\n"
    )
    for delay in (0.0, 0.003, 0.01, 0.02, 0.031, 0.05, 0.077, 0.1):
        with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(delay)
            child.send_signal(signal.SIGKILL)
        if path.exists():
            content = path.read_bytes()
            assert len(content) == size
            assert len(set(content)) == 1
    remove_stale_temporaries(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] in ([], ["a"])


def finished_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@posix_only
def test_only_temporaries_of_dead_processes_are_removed(tmp_path):
    dead = tmp_path / f".a.tif.{finished_pid()}.0123abcd.tmp"
    alive = tmp_path / f".a.tif.{os.getpid()}.0123abcd.tmp"
    others = [tmp_path / name for name in (".vim.tmp", "a.tmp", ".x.notapid.0123abcd.tmp", "a.tif")]
    for path in (dead, alive, *others):
        path.touch()
    assert remove_stale_temporaries(tmp_path) == [dead]
    assert set(tmp_path.iterdir()) == {alive, *others}


def test_on_windows_only_the_age_decides_and_no_process_is_touched(tmp_path, monkeypatch):
    young, old = tmp_path / ".a.1.aa.tmp", tmp_path / ".b.1.aa.tmp"
    for path in (young, old):
        path.touch()
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    monkeypatch.setattr(_files.sys, "platform", "win32")
    # os.kill(pid, 0) would end a process there.
    monkeypatch.setattr(_files.os, "kill", lambda *_: pytest.fail("os.kill was called"))
    assert remove_stale_temporaries(tmp_path) == [old]
    assert young.exists()


def test_a_replace_that_windows_refuses_for_a_moment_is_tried_again(tmp_path, monkeypatch):
    replace, refusals = os.replace, [5, 32]

    def refuse(source, target):
        if refusals:
            error = PermissionError("in use")
            error.winerror = refusals.pop()
            raise error
        replace(source, target)

    monkeypatch.setattr(_files.os, "replace", refuse)
    monkeypatch.setattr(_files.time, "sleep", lambda _: None)
    assert atomic_write(tmp_path / "a", b"new").read_bytes() == b"new"


def test_any_other_refusal_is_raised_at_once(tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError("never")

    monkeypatch.setattr(_files.os, "replace", refuse)
    with pytest.raises(PermissionError, match="never"):
        atomic_write(tmp_path / "a", b"new")
    assert not list(tmp_path.iterdir())


def test_lines_are_appended_whole(tmp_path):
    for line in ("one", "two\n", "µ"):
        append_line(tmp_path / "log", line)
    assert (tmp_path / "log").read_text(encoding="utf-8") == "one\ntwo\nµ\n"
