"""Versions of this toolkit and of the libraries it uses, without importing any of them."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path


def version_of(package: str) -> str | None:
    """The version of an installed package, from its metadata: importing torch takes seconds.

    >>> version_of("no-such-package") is None
    True
    """
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """The commit of the repository that this toolkit runs from; None if it is installed."""
    root = Path(__file__).resolve().parents[2]
    # If this is an installed package, a repository further up belongs to the user.
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def version_line() -> str:
    """What `--version` prints.

    >>> version_line().startswith("darts ")
    True
    """
    own = version_of("darts-nas") or "(not installed)"
    torch = version_of("torch")
    libraries = f"PyTorch {torch}" if torch else "without PyTorch"
    return f"darts {own}, Python {platform.python_version()}, {libraries}"
