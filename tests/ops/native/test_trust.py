"""A planted library is not loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ops.native import build
from ops.native.build import BuildError
from ops.native.trust import close_to_others, distrust


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A file in a cache that only its owner can change."""
    place = tmp_path / "darts" / "native"
    place.mkdir(parents=True, mode=0o700)
    found = place / "cell.so"
    found.write_bytes(b"\x7fELF")
    found.chmod(0o755)
    return found


def test_a_library_of_ours_is_trusted(library: Path, tmp_path: Path) -> None:
    assert distrust(library, tmp_path) == ""


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_others_may_not_change_the_library(library: Path, tmp_path: Path, mode: int) -> None:
    library.chmod(mode)
    assert "can be changed by other users" in distrust(library, tmp_path)
    close_to_others(library)
    assert distrust(library, tmp_path) == ""


@pytest.mark.parametrize("place", ["darts/native", "darts", "."])
def test_others_may_not_replace_the_library(library: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / place).chmod(0o777)
    assert "can be changed by other users" in distrust(library, tmp_path)


def test_where_everybody_may_add_but_not_replace(library: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)  # As /tmp is.
    assert distrust(library, tmp_path) == ""


def test_a_link_is_no_library(library: Path, tmp_path: Path) -> None:
    library.with_name("planted.so").symlink_to(library)
    assert "no regular file" in distrust(library.with_name("planted.so"), tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("place", ["darts/native/cell.so", "darts/native", "darts"])
def test_what_another_user_owns(library: Path, tmp_path: Path, place: str) -> None:
    os.chown(tmp_path / place, 12345, 12345)
    assert "belongs to another user" in distrust(library, tmp_path)


def test_the_loader_asks(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(BuildError, match="it could run code of theirs"):
        build._load(library)
