"""A file is written whole or not at all."""

from __future__ import annotations

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
