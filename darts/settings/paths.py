"""Settings that name files: a run keeps them with their folder, so that it resumes from any other.

Torch-free.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from darts.settings.options import names_of

Options = TypeVar("Options")

_FILES = (
    "genotype",
    "model",
    "pretrained",
    "teacher",
    "subset",
    "table",
    "checkpoint",
    "train_annotations",
    "val_annotations",
)
_FOLDERS = ("data_dir", "cache", "train_images", "val_images")
_KINDS = ("folder", "array", "csv")


def with_absolute_paths(options: Options) -> Options:
    """Options whose relative paths have been completed by the present folder.

    Only what is there is a path: names of the zoo and of data sets stay as they are.
    """
    completed: dict[str, Callable[[str], str]] = {
        "dataset": _dataset,
        "space": _joined_by("+"),
        **dict.fromkeys(_FILES, _file),
        **dict.fromkeys(_FOLDERS, _folder),
    }
    changes: dict[str, Any] = {}
    for name in names_of(type(options)):
        value = getattr(options, name)
        if name in completed and isinstance(value, str):
            changes[name] = completed[name](value)
    return replace(options, **changes)  # type: ignore[type-var]


def _dataset(text: str) -> str:
    """
    >>> _dataset("cifar10"), _dataset("folder:/photos")
    ('cifar10', 'folder:/photos')
    """
    kind, colon, path = text.partition(":")
    return f"{kind}:{_file(path)}" if colon and kind in _KINDS else text


def _file(text: str) -> str:
    """A file or folder that exists, or FILE:NAME with such a file, from the root on."""
    for path, rest in ((text, ""), text.rpartition(":")[::2]):
        if path and not path.startswith("~") and _exists(path):
            return f"{os.path.abspath(path)}{':' + rest if rest else ''}"
    return text


def _folder(text: str) -> str:
    return text if text == "auto" or text.startswith("~") else os.path.abspath(text)


def _joined_by(sign: str) -> Callable[[str], str]:
    return lambda text: sign.join(
        _file(one) if one.endswith((".yaml", ".yml")) else one for one in text.split(sign)
    )


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # Longer than a name may be: a genotype that is written out.
        return False
