"""Run the tests of changed files for a limited time: `python tests/changed.py` (`make check`).

A file has changed if it differs from the commit where this branch left main, or is not in git yet.
Its tests are those of the same name under `tests/`, or else all of the folder that mirrors its own.
When the time is up the remaining tests are skipped and counted; `make test` runs all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGES = ("ops", "cells", "genotypes", "darts")
# What runs when no test belongs to the changed files.
QUICK = ["tests/genotypes", "tests/cells", "tests/ops/test_primitives.py", "tests/test_startup.py"]
OTHERS = {
    "configs": ("tests/darts/settings",),
    "docs": ("tests/test_readme.py", "tests/test_links.py"),
    "README.md": ("tests/test_readme.py", "tests/test_links.py"),
    "CONTRIBUTING.md": ("tests/test_readme.py", "tests/test_links.py"),
    "CHANGELOG.md": ("tests/test_readme.py", "tests/test_links.py"),
}
SECONDS = 60
DEADLINE = "DARTS_CHECK_DEADLINE"


def changed_files(root: Path) -> list[Path]:
    """Files of the working tree that differ from main's side of this branch, relative to `root`."""

    def git(*arguments: str) -> list[str]:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
        return done.stdout.splitlines() if done.returncode == 0 else []

    base = git("merge-base", "HEAD", "main") or git("merge-base", "HEAD", "origin/main") or ["HEAD"]
    names = git("diff", "--name-only", base[0]) + git("ls-files", "--others", "--exclude-standard")
    return [Path(name) for name in dict.fromkeys(names)]


def mirrored_tests(file: Path, root: Path) -> list[str]:
    """The tests of one file, as arguments for pytest."""
    found: list[Path] = []
    if file.parts[0] == "tests":
        own = [root / file] if file.name.startswith("test_") else []
        found = own or sorted((root / file.parent).glob("test_*.py"))
    elif file.parts[0] in PACKAGES:
        mirror = root / "tests" / file.parent
        found = (
            [mirror / f"test_{file.stem}.py"] * (mirror / f"test_{file.stem}.py").is_file()
            or sorted(mirror.glob("test_*.py"))
            or sorted(mirror.parent.glob(f"test_{mirror.name}*.py"))
        )
    elif file.parts[0] in OTHERS:
        found = [root / "tests" / f"test_{file.stem}.py"]
        found += [root / name for name in OTHERS[file.parts[0]]]
    else:
        found = [root / "tests" / f"test_{file.stem}.py"]
    names = [str(path.relative_to(root)) for path in found if path.exists()]
    source = root / file if file.parts[0] in PACKAGES and file.suffix == ".py" else None
    if source and source.is_file() and ">>> " in source.read_text(encoding="utf-8"):
        names.append(f"tests/test_examples.py::test_examples_run[{file}]")
    return names


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Skip a test that begins after the deadline."""
    if time.time() > float(os.environ.get(DEADLINE, "inf")):
        pytest.skip("the time is up; `make test` runs all tests")


def main() -> int:
    """Run the tests of the changed files, exact matches first; return pytest's exit code."""
    root = Path(__file__).parents[1]
    selected = sorted((mirrored_tests(file, root) for file in changed_files(root)), key=len)
    arguments = list(dict.fromkeys(name for names in selected for name in names)) or QUICK
    print(f"Testing {', '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "pytest", "-p", "tests.changed", "-q", "-rs", "-n2"]
    environment = {**os.environ, DEADLINE: str(time.time() + SECONDS)}
    return subprocess.run([*command, *arguments], cwd=root, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
