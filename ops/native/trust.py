"""Whether a compiled library may be loaded: loading one runs it.

The cache may lie where others can write: a shared `$XDG_CACHE_HOME`, a home directory under sudo.
A library counts only if it is ours or the system's and nobody else can have written it, and only
in a folder in which nobody else can replace it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_GROUP_AND_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def distrust(library: Path, cache: Path) -> str:
    """Why a library must not be loaded; "" if it may be.

    Args:
        library: The file.
        cache: The folder of the user's caches, above the library's.

    Raises:
        OSError: There is no such file.
    """
    if not hasattr(os, "geteuid"):  # Windows: folders of users are closed to others.
        return ""
    found = library.lstat()
    if not stat.S_ISREG(found.st_mode):
        return f"{library} is no regular file"
    if not _is_ours(found):
        return f"{library} belongs to another user"
    if found.st_mode & _GROUP_AND_OTHERS:
        return f"{library} can be changed by other users"
    for folder in library.parents:
        found = folder.stat()
        if not _is_ours(found):
            return f"{folder} belongs to another user"
        if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            return f"{folder} can be changed by other users"
        if folder == library.parent and found.st_mode & _GROUP_AND_OTHERS:
            return f"{folder} can be changed by other users"
        if folder == cache:
            break
    return ""


def close_to_others(path: Path) -> None:
    """Take from group and others the right to change a file or folder of ours."""
    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~_GROUP_AND_OTHERS)


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid in (os.geteuid(), 0)
