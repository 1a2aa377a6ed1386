"""What the disk refuses is one sentence; a lock ends with the process that holds it."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from darts.errors import DiskError, UserError, disk_errors
from darts.files import locked, scratch_folder


def test_the_outermost_block_says_how_to_go_on() -> None:
    def full() -> None:
        with disk_errors("continue with --resume run"), disk_errors(where="run/trial"):
            raise OSError(errno.ENOSPC, "No space left on device")

    message = r"^run/trial: No space left on device\. Make room, then continue with --resume run\.$"
    with pytest.raises(DiskError, match=message):
        full()


def test_other_errors_pass() -> None:
    with pytest.raises(ConnectionResetError), disk_errors():
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


def test_a_name_that_is_too_long_is_cut() -> None:
    def read() -> None:
        with disk_errors():
            Path("x" * 5000).read_text()

    with pytest.raises(DiskError, match=r"x…: File name too long\. Choose another name") as raised:
        read()
    assert len(str(raised.value)) < 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    """As the processes that decode images, which outlive a killed run by seconds."""
    lock = tmp_path / "lock"
    read, write = os.pipe()
    child = 0
    try:
        with locked(lock, "in use"):
            child = os.fork()
            if child == 0:
                os.write(write, b"x")
                time.sleep(60)
                os._exit(0)
            os.read(read, 1)
            with pytest.raises(UserError, match="in use"), locked(lock, "in use"):
                pass
        with locked(lock, "in use"):
            pass
    finally:
        if child:
            os.kill(child, 9)
            os.waitpid(child, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_a_killed_process_leaves_is_removed_by_the_next_one(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with scratch_folder(tmp_path, "download") as scratch:
            (scratch / "half").write_text("of a file")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (tmp_path / ".download.somebody's.partial").mkdir()
    assert len(list(tmp_path.iterdir())) == 2
    with (
        scratch_folder(tmp_path, "download") as one,
        scratch_folder(tmp_path, "download") as other,
    ):
        assert one.exists()
        assert other.exists()
        assert len(list(tmp_path.iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == [".download.somebody's.partial"]


def test_a_scratch_folder_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can know whether another process still uses a folder: it stays."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    left = tmp_path / ".download.abcdefgh.partial"
    left.mkdir()
    with scratch_folder(tmp_path, "download") as scratch:
        assert scratch.exists()
    assert list(tmp_path.iterdir()) == [left]
