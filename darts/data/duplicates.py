"""Equal image files in the training and the test images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence

_MOST_FILES = 200_000  # In more files the search would take minutes.


def duplicate_sentences(train: Sequence[str], test: Sequence[str]) -> list[str]:
    """What the user should know about test images that are training images, byte by byte."""
    if len(train) + len(test) > _MOST_FILES:
        return []
    found = list(duplicates(train, test))
    if not found:
        return []
    number = f"{len(found):,} of the {len(test):,} test images"
    copy, original = found[0]
    return [
        f"{number} {'is a copy' if len(found) == 1 else 'are copies'} of training images, such as "
        f"{copy} of {original}: test accuracy is too high. Remove them."
    ]


def duplicates(train: Sequence[str], test: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each test file whose bytes are those of a training file, with that file.

    Only files of equal size are read.
    """
    by_size: dict[int, list[str]] = {}
    for path in train:
        by_size.setdefault(_size(path), []).append(path)
    known: dict[int, dict[bytes, str]] = {}
    for path in test:
        size = _size(path)
        if size not in by_size:
            continue
        if size not in known:
            known[size] = {_digest(one): one for one in reversed(by_size[size])}
        if (original := known[size].get(_digest(path))) is not None:
            yield path, original


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _digest(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).digest()
    except OSError:
        return path.encode(errors="surrogateescape")
