"""Image files that cannot be read, found before a run starts."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import torch

from darts.data.counting import counting
from darts.data.source import Source
from darts.data.streaming import ImageFiles, decode, in_workers
from darts.errors import UserError

NAMED = 5
CHUNK = 64
# JPEGs are decoded at an eighth of their size, which reads every byte in less than half the time.
GLANCE = 8


def without_unreadable(source: Source, test: bool) -> tuple[Source, tuple[str, ...]]:
    """`source` without the files that cannot be read as images, and these.

    Every file is decoded once, small. What is left out is counted on standard error, and the first
    few are named.

    Args:
        test: Whether the test images are looked at, too.

    Raises:
        UserError: A class has no image left.
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
        left = images.labels[kept].bincount(minlength=len(source.classes))
        empty = (left == 0) & (images.labels.bincount(minlength=len(source.classes)) > 0)
        if empty.any():
            name = source.classes[int(empty.nonzero()[0])]
            raise UserError(f"no {part} image of class {name} can be read")
        parts[part] = images.subset(kept.nonzero().flatten())
    if skipped:
        named = ", ".join(skipped[:NAMED]) + (" …" if len(skipped) > NAMED else "")
        noun = "file that" if len(skipped) == 1 else "files that"
        print(f"left out {len(skipped):,} {noun} cannot be read: {named}", file=sys.stderr)
    return replace(source, **parts), tuple(skipped)


def find_broken(images: ImageFiles, what: str = "reading images") -> list[int]:
    """Numbers of the images whose files cannot be decoded."""
    chunks = torch.arange(len(images)).split(CHUNK)
    work = _Glance(images.paths)
    workers = min(images.workers, len(chunks) - 1)
    broken: list[int] = []
    with counting(what, len(images)) as advance:
        for chunk, found in zip(chunks, in_workers(work, chunks, workers), strict=True):
            broken += found
            advance(len(chunk))
    return broken


class _Glance:
    """What a worker does: the numbers of a chunk's broken files."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = paths

    def __getitem__(self, chunk: torch.Tensor) -> list[int]:
        return [index for index in chunk.tolist() if not _can_be_read(self.paths[index])]


def _can_be_read(path: str) -> bool:
    try:
        decode(path, GLANCE)
    except UserError:
        return False
    return True
