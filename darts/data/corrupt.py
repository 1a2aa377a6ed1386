"""Find image files that cannot be decoded, before a run starts."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import torch

from darts.data.counting import counting
from darts.data.pixels import decode
from darts.data.source import Source
from darts.data.splits import lacking
from darts.data.streaming import ImageFiles, in_workers
from darts.errors import UserError

NAMED = 5  # unreadable files that are named
CHUNK = 64  # images that a worker checks at a time
# At an eighth of its size a JPEG is still read to the end, in less than half the time.
THUMBNAIL = 8


def without_unreadable(source: Source, test: bool) -> tuple[Source, tuple[str, ...]]:
    """Return `source` without the files that cannot be decoded, and the paths of those files.

    Every file is decoded once at a small size. The number of files that are left out is printed on
    standard error, with the names of the first few.

    Args:
        source: A data set; if it is not made of files, it is returned unchanged.
        test: Whether the test images are checked as well.

    Raises:
        UserError: A class has no readable image.
    """
    skipped: list[str] = []
    parts: dict[str, Any] = {}
    for part in ("train", "test") if test else ("train",):
        images = getattr(source, part)
        if not isinstance(images, ImageFiles):
            return source, ()
        broken = find_broken(images, f"reading all {part} images")
        skipped += (images.paths[index] for index in broken)
        kept = torch.ones(len(images), dtype=torch.bool)
        kept[broken] = False
        if lost := lacking(images.labels, kept.nonzero().flatten()):
            name = source.classes[lost[0]]
            raise UserError(f"no {part} image of class {name} can be read")
        parts[part] = images.subset(kept.nonzero().flatten())
    if skipped:
        named = ", ".join(skipped[:NAMED]) + (" …" if len(skipped) > NAMED else "")
        noun = "file that" if len(skipped) == 1 else "files that"
        print(f"left out {len(skipped):,} {noun} cannot be read: {named}", file=sys.stderr)
    return replace(source, **parts), tuple(skipped)


def find_broken(images: ImageFiles, what: str = "reading images") -> list[int]:
    """Return the numbers of the images whose files cannot be decoded.

    Args:
        images: The images to check.
        what: Text of the progress bar.
    """
    chunks = torch.arange(len(images)).split(CHUNK)
    work = _Check(images.paths)
    workers = min(images.workers, len(chunks) - 1)
    broken: list[int] = []
    with counting(what, len(images)) as advance:
        for chunk, found in zip(chunks, in_workers(work, chunks, workers), strict=True):
            broken += found
            advance(len(chunk))
    return broken


class _Check:
    """The task of a worker: find the broken files of a chunk of image numbers."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = paths

    def __getitem__(self, chunk: torch.Tensor) -> list[int]:
        return [index for index in chunk.tolist() if not _can_be_read(self.paths[index])]


def _can_be_read(path: str) -> bool:
    try:
        decode(path, THUMBNAIL)
    except UserError:
        return False
    return True
