"""Images of a run that can no longer be read, when it is resumed.

A resumed run needs as many training images as before, because the order of its epoch numbers
them. So another image of the same part and class takes the place of one that is gone. Test images
are left out.
"""

from __future__ import annotations

import os
import sys
from bisect import bisect
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from darts.data.corrupt import NAMED, find_broken
from darts.data.manifest import Entry, Manifest
from darts.data.source import Source
from darts.data.streaming import ImageFiles
from darts.errors import UserError

# Clocks of file servers differ.
_SLACK = 60.0


def with_substitutes(source: Source, manifest: Manifest, listed: Path) -> Manifest:
    """The list of images of a resumed run, with others for those that can no longer be read.

    These are missing, have another size than the list says, or were written after it and cannot be
    decoded. Their number is printed on standard error, with the names of the first few.

    Args:
        source: The data set.
        manifest: The list of images of the run.
        listed: The file that it was read from.

    Raises:
        UserError: No training image of a class can be read.
    """
    gone = _gone(source, manifest, listed.stat().st_mtime)
    if not gone:
        return manifest
    lost = set(gone)
    alike: dict[Any, list[Entry]] = defaultdict(list)
    for entry in manifest.entries:
        if entry.path not in lost:
            alike[entry.part, entry.label].append(entry)
    for entries in alike.values():
        entries.sort(key=_path)
    listed_now = [
        _another(entry, alike[entry.part, entry.label], manifest) if entry.path in lost else entry
        for entry in manifest.entries
        if entry.path not in lost or entry.part != "test"
    ]
    named = ", ".join(gone[:NAMED]) + (" …" if len(gone) > NAMED else "")
    noun = "image" if len(gone) == 1 else "images"
    print(
        f"data: {len(gone):,} {noun} of this run can no longer be read: {named}. Other training "
        "images of the same class take the place of training images; test images are left out.",
        file=sys.stderr,
    )
    return replace(manifest, entries=tuple(listed_now), skipped=(*manifest.skipped, *gone))


def _gone(source: Source, manifest: Manifest, written: float) -> list[str]:
    paths = list(dict.fromkeys(entry.path for entry in manifest.entries))
    size_of = {entry.path: entry.bytes for entry in manifest.entries}
    lost: set[str] = set()
    later: list[str] = []
    for path in paths:
        try:
            found = os.stat(source.folder / path)
        except OSError:
            lost.add(path)
            continue
        if found.st_size != size_of[path]:
            lost.add(path)
        elif found.st_ctime > written - _SLACK:
            later.append(path)
    if isinstance(source.train, ImageFiles) and later:
        whole = tuple(str(source.folder / path) for path in later)
        labels = source.train.labels[:1].repeat(len(later), *[1] * (source.train.labels.ndim - 1))
        images = replace(source.train, paths=whole, labels=labels)
        lost.update(later[number] for number in find_broken(images))
    return [path for path in paths if path in lost]


def _another(entry: Entry, alike: Sequence[Entry], manifest: Manifest) -> Entry:
    """The next by path of the images of the same part and label; the first follows the last."""
    if not alike:
        names = ", ".join(manifest.classes[number] for number in entry.labels) or "no class"
        raise UserError(
            f"No image of {names} that trains ({entry.part}) can be read any more, such as "
            f"{entry.path}. Restore one, or start a new run."
        )
    return alike[bisect(alike, entry.path, key=_path) % len(alike)]


def _path(entry: Entry) -> str:
    return entry.path
