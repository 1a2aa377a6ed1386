"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from genotypes.atomic import atomic_write


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def interrupted() -> None:
        with atomic_write(path) as stream:
            stream.write("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_text_and_missing_directories(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a" / "b", "wb") as stream:
        stream.write(b"\x00")
    with atomic_write(tmp_path / "a" / "b") as stream:
        stream.write("α")
    assert (tmp_path / "a" / "b").read_bytes() == "α".encode()


def test_the_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    with atomic_write(tmp_path / "written") as stream:
        stream.write("text")
    modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("usual", "written")]
    assert modes[0] == modes[1]


def test_what_a_killed_writer_left_is_taken_over(tmp_path: Path) -> None:
    left = tmp_path / ".file.txt.partial"
    left.write_text("half of a very long te")
    with atomic_write(tmp_path / "file.txt") as stream:
        stream.write("whole")
    assert (tmp_path / "file.txt").read_text() == "whole"
    assert not left.exists()


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with atomic_write(path) as first:
        first.write("first")
        with atomic_write(path) as second:
            second.write("the second")
        assert path.read_text() == "the second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("not to be touched")
    for plant in (Path.symlink_to, Path.hardlink_to):
        plant(tmp_path / ".file.txt.partial", other)
        with atomic_write(tmp_path / "file.txt") as stream:
            stream.write("text")
        assert other.read_text() == "not to be touched"
        (tmp_path / ".file.txt.partial").unlink()


def test_an_error_names_the_file(tmp_path: Path) -> None:
    def full() -> None:
        with atomic_write(tmp_path / "file.txt") as stream:
            stream.write("text")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: '.*/file\.txt'"):
        full()
