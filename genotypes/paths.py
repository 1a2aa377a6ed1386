"""Paths as users write them."""

from __future__ import annotations

import os
from pathlib import Path


def user_path(path: str | os.PathLike[str]) -> Path:
    """The path with ~ and ~NAME replaced by home directories, if there are such.

    `Path.expanduser` raises RuntimeError where there is none; here the path stays as it is, so that
    whoever opens it says that it does not exist.

    >>> user_path("~nosuchuser/photos").as_posix()
    '~nosuchuser/photos'
    """
    return Path(os.path.expanduser(path))
