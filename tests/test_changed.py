"""The quick check finds the tests of a changed file, and stops in time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.changed import DEADLINE, QUICK, changed_files, mirrored_tests

CHECKOUT = Path(__file__).parents[1]
FILES = [
    "tests/darts/runs/test_loop.py",
    "tests/darts/runs/test_resume.py",
    "tests/darts/runs/support.py",
    "tests/ops/test_native.py",
    "tests/ops/test_native_build.py",
    "tests/test_readme.py",
    "tests/test_search_gpu.py",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("darts/runs/loop.py", FILES[:1]),
        ("darts/runs/tracking.py", FILES[:2]),
        ("ops/native/kernels.cpp", FILES[3:5]),
        ("tests/darts/runs/test_resume.py", FILES[1:2]),
        ("tests/darts/runs/support.py", FILES[:2]),
        ("tests/darts/runs/test_removed.py", []),
        ("docs/design.md", FILES[5:6]),
        ("benchmarks/search_gpu.py", FILES[6:]),
        ("ruff.toml", []),
    ],
)
def test_tests_of_a_file(file: str, tests: list[str], tree: Path) -> None:
    assert mirrored_tests(Path(file), tree) == tests


def test_an_example_in_a_changed_file_is_run(tree: Path) -> None:
    (tree / "darts/runs").mkdir(parents=True)
    (tree / "darts/runs/loop.py").write_text('"""\n>>> 1\n1\n"""')
    example = "tests/test_examples.py::test_examples_run[darts/runs/loop.py]"
    assert mirrored_tests(Path("darts/runs/loop.py"), tree) == [*FILES[:1], example]


def test_changed_files_are_committed_modified_and_new_ones(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    git("init", "--quiet", "--initial-branch", "main")
    for name in ("same", "modified", "committed"):
        (tmp_path / name).write_text("before")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    git("switch", "--quiet", "--create", "branch")
    (tmp_path / "committed").write_text("after")
    git("commit", "--quiet", "--all", "--message", "second")
    (tmp_path / "modified").write_text("after")
    (tmp_path / "new").touch()
    assert {str(path) for path in changed_files(tmp_path)} == {"committed", "modified", "new"}


def test_the_quick_subset_exists() -> None:
    assert [name for name in QUICK if not (CHECKOUT / name).exists()] == []


def test_tests_that_begin_after_the_deadline_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert False\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.changed", "--rootdir"]
    done = subprocess.run(
        [*command, str(tmp_path), str(tmp_path)],
        cwd=CHECKOUT,
        env={**os.environ, DEADLINE: "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
