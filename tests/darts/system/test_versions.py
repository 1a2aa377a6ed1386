"""Versions are read without importing anything, and a commit is that of the checkout."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from darts.system import versions


def test_commit_is_that_of_the_checkout_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(tmp_path)]
    package = tmp_path / "site-packages" / "darts"
    package.mkdir(parents=True)
    (tmp_path / "darts" / "system").mkdir(parents=True)
    (tmp_path / "file").write_text("1")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    commit = head.stdout.strip()
    monkeypatch.setattr(versions, "__file__", str(tmp_path / "darts" / "system" / "versions.py"))
    assert versions.commit() == commit
    (tmp_path / "file").write_text("2")
    assert versions.commit() == f"{commit}-dirty"
    monkeypatch.setattr(versions, "__file__", str(package / "system" / "versions.py"))
    assert versions.commit() is None


def test_the_line_names_everything() -> None:
    assert re.fullmatch(r"darts \S+, Python 3\.\S+, PyTorch \S+", versions.version_line())
    assert versions.version_of("no-such-package") is None
