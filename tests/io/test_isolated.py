"""fabio lives in a process of its own: it may hang or die, and nobody else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_bgremove.errors import ReadError
from napari_bgremove.io import isolated
from napari_bgremove.io.isolated import close_reader, read_isolated

IMAGE = np.arange(1, 481, dtype=np.int32).reshape(24, 20)


def worker_pid() -> int:
    return isolated._WORKERS[os.getpid()]._process.pid


@pytest.fixture
def hanging_file(write_file) -> Path:
    """A CBF cut inside the header of its binary section: fabio reads it for ever."""
    path = write_file(".cbf", IMAGE, name="hang")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"X-Binary-ID")])
    return path


def test_one_process_serves_many_reads(write_file):
    path = write_file(".edf", np.stack([IMAGE, IMAGE + 1]))
    first = read_isolated(path, "EDF")
    pid = worker_pid()
    second = read_isolated(path, "EDF", index=1)
    assert worker_pid() == pid != os.getpid()
    assert first.frames == 2
    np.testing.assert_array_equal(first.values, IMAGE)
    np.testing.assert_array_equal(second.values, IMAGE + 1)


def test_a_read_that_hangs_is_killed_and_the_next_one_works(hanging_file, write_file):
    read_isolated(write_file(".edf", IMAGE), "EDF")  # the start-up is not what is timed
    started = time.monotonic()
    with pytest.raises(ReadError, match=r"'hang.cbf' must be a readable CBF file; fabio did not finish within 0.5 s"):
        read_isolated(hanging_file, "CBF", time_limit=0.5)
    assert time.monotonic() - started < 5.0
    np.testing.assert_array_equal(read_isolated(write_file(".edf", IMAGE), "EDF").values, IMAGE)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_reader_that_dies_is_one_error_and_is_replaced(hanging_file, write_file):
    path = write_file(".edf", IMAGE)
    read_isolated(path, "EDF")
    timer = threading.Timer(0.3, os.kill, (worker_pid(), signal.SIGKILL))
    timer.start()
    with pytest.raises(ReadError, match=r"the reader process ended with code -9"):
        read_isolated(hanging_file, "CBF", time_limit=20.0)
    timer.join()
    np.testing.assert_array_equal(read_isolated(path, "EDF").values, IMAGE)


def test_what_fabio_refuses_is_a_read_error_with_its_reason(tmp_path):
    (tmp_path / "a.img").write_bytes(b"{\nHEADER_BYTES=  512;\n}" + bytes(600))
    with pytest.raises(ReadError, match=r"'a.img' must be a readable SMV file; fabio refused it with \w+"):
        read_isolated(tmp_path / "a.img", "SMV")


def test_closing_ends_the_process(write_file):
    read_isolated(write_file(".edf", IMAGE), "EDF")
    process = isolated._WORKERS[os.getpid()]._process
    close_reader()
    assert process.poll() is not None
    close_reader()  # a second time does nothing


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks the process up in /proc")
def test_the_reader_ends_with_a_parent_that_is_killed(write_file):
    path = write_file(".edf", IMAGE)
    script = (
        "import os, time\nfrom pathlib import Path\nfrom napari_bgremove.io import isolated\n"
        f"isolated.read_isolated(Path({str(path)!r}), 'EDF')\n"
        "print(isolated._WORKERS[os.getpid()]._process.pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10.0
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_threads_take_turns(write_file):
    paths = [write_file(".edf", IMAGE + number, name=f"t{number}") for number in range(4)]
    found: dict[int, np.ndarray] = {}

    def read(number: int) -> None:
        found[number] = read_isolated(paths[number], "EDF").values

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        np.testing.assert_array_equal(found[number], IMAGE + number)
