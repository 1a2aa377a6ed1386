"""What the disk refuses is one sentence; a lock ends with the process that holds it."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from darts.errors import DiskError, UserError, disk_errors
from darts.files import locked


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
