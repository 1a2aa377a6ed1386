"""Building a library, with a compiler that only takes its time."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from ops.native import build


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a compiler that writes a file and, if it is told to, sleeps."""
    script = tmp_path / "c++"
    script.write_text(
        '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\n: > "$2"; sleep "${DELAY:-0}"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "_compiler", lambda: str(script))
    monkeypatch.setattr(build, "_surroundings", lambda: "")
    return tmp_path / "cache" / "darts" / "native"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_a_killed_build_leaves_is_removed_by_the_next_one(
    cache: Path,
) -> None:
    wanted = [("cell.cpp", {"REAL": "float"})]
    child = os.fork()
    if child == 0:
        os.setsid()
        os.environ["DELAY"] = "60"
        build.compile_missing(wanted)
        os._exit(1)
    while not list(cache.glob(".cell-*/code.o")):
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(list(cache.iterdir())) == 2
    build.compile_missing(wanted)
    assert [path.suffix for path in cache.iterdir()] == [".so"]


def test_a_failed_build_can_be_tried_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [("cell.cpp", {"REAL": "float"})]
    with monkeypatch.context() as patch:
        patch.setattr(build, "_compiler", lambda: "false")
        with pytest.raises(build.BuildError, match="false failed"):
            build.compile_missing(wanted)
    build.compile_missing(wanted)
    assert [path.suffix for path in cache.iterdir()] == [".so"]
