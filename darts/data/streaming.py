"""Images that stay in files: decoded ahead of time by worker processes, in a known order.

A worker only decodes, resizes and cuts out the middle square; all randomness comes later, on the
device, so the number of workers never changes a result.
"""

from __future__ import annotations

import os
import signal
import struct
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from darts.data.counting import counting
from darts.data.dataset import BatchReader, ImageTensor
from darts.errors import UserError

PIECE = 32  # images that a worker decodes at a time

# What Pillow raises on files that are truncated, damaged or no images at all.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def decode(path: Path | str, size: int) -> np.ndarray:
    """One image file as [size, size, 3] uint8: shorter side to `size`, then the middle square.

    Grey, palette and transparent images become RGB.

    Raises:
        UserError: the file cannot be read as an image; it is named.
    """
    try:
        with Image.open(path) as image:
            # JPEG can decode at a half or a quarter; twice the wanted size loses nothing visible.
            image.draft(None, (2 * size, 2 * size))
            square = _square(image.convert("RGB"), size)
            return np.array(square)  # A copy: Pillow hands out read-only memory.
    except _BROKEN as error:
        raise UserError(
            f"{path} cannot be read as an image ({error}); repair or remove it"
        ) from error


def _square(image: Image.Image, size: int) -> Image.Image:
    width, height = image.size
    short = min(width, height)
    width, height = size * width // short, size * height // short
    left, top = round((width - size) / 2), round((height - size) / 2)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return image.crop((left, top, left + size, top + size))


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images in files, brought to `size` pixels when they are read.

    Args:
        paths: One file an image.
        labels: Class numbers [N], int64.
        size: Side in pixels of the images that `fetch` and the readers give.
        workers: Processes that decode for each reader; 0 decodes in this one.
    """

    paths: tuple[str, ...]
    labels: Tensor
    size: int
    workers: int = 2

    def __len__(self) -> int:
        return len(self.paths)

    def fetch(self, indices: Tensor) -> Tensor:
        """Images [B, 3, S, S] uint8.

        Raises:
            UserError: a file cannot be read as an image.
        """
        batch = np.empty((len(indices), self.size, self.size, 3), np.uint8)
        for row, index in enumerate(indices.tolist()):
            try:
                batch[row] = decode(self.paths[index], self.size)
            except UserError as error:
                raise UserError(
                    f"{error}, or leave out all such files by --skip-corrupt"
                ) from error
        return torch.from_numpy(batch).permute(0, 3, 1, 2)

    def reader(self, pin: bool = False) -> BatchReader:
        return _WorkerReader(self, pin)

    def subset(self, indices: Tensor) -> ImageFiles:
        paths = tuple(self.paths[index] for index in indices.tolist())
        return replace(self, paths=paths, labels=self.labels[indices])

    def resized(self, size: int) -> ImageFiles:
        return replace(self, size=size)

    def to(self, device: torch.device | str) -> ImageFiles:
        return self

    @property
    def decoded_bytes(self) -> int:
        """Memory that all images would take."""
        return len(self) * self.size * self.size * 3

    def in_memory(self) -> ImageTensor:
        """All images, decoded once."""
        # A process is worth starting for a few dozen images or more.
        files = replace(self, workers=min(self.workers, len(self) // 64))
        pixels = torch.empty((len(self), 3, self.size, self.size), dtype=torch.uint8)
        parts = torch.arange(len(self)).split(32)
        with counting("decoding images", len(self)) as advance:
            for part, batch in zip(parts, files.reader()(parts), strict=True):
                pixels[part] = batch
                advance(len(part))
        return ImageTensor(pixels, self.labels)


def in_workers(work: Any, items: Sequence[Any], workers: int) -> Iterator[Any]:
    """`work[item]` of every item, in order, computed by so many processes (0: in this one)."""
    yield from DataLoader(
        work,
        sampler=items,
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=max(workers, 0),
        worker_init_fn=_die_quietly,
        generator=torch.Generator(),
    )


class _WorkerReader:
    """Reads batches of files through processes that live as long as the reader.

    A batch is decoded in pieces, by all workers at once: the first one comes early, and little
    memory is shared at a time.
    """

    def __init__(self, files: ImageFiles, pin: bool) -> None:
        self._files, self._pin = files, pin
        self._plan: list[Tensor] = []
        self._loader: DataLoader[Any] | None = DataLoader(
            _Fetch(files),  # type: ignore[arg-type]
            sampler=self._plan,
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=files.workers,
            persistent_workers=files.workers > 0,
            worker_init_fn=_die_quietly,
            # Unused, but without it each epoch would draw a number from torch's global generator.
            generator=torch.Generator(),
        )

    def __call__(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        pieces = self._pieces([piece for batch in batches for piece in batch.split(PIECE)])
        size = self._files.size
        for batch in batches:
            # Channels last, as decoded.
            joined = torch.empty(
                (len(batch), size, size, 3), dtype=torch.uint8, pin_memory=self._pin
            )
            joined = joined.permute(0, 3, 1, 2)
            for part in joined.split(PIECE):
                part.copy_(next(pieces))
            yield joined

    def _pieces(self, plan: Sequence[Tensor]) -> Iterator[Tensor]:
        self._plan[:] = plan
        done = 0
        try:
            for piece in self._loader or ():
                if isinstance(piece, UserError):
                    raise piece
                yield piece
                done += 1
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            self._loader = None
            warnings.warn(
                f"{error}: going on without processes that decode images, which is slower. Where "
                "shared memory is small, as in many containers, enlarge it",
                stacklevel=2,
            )
        yield from map(self._files.fetch, plan[done:])


@dataclass(frozen=True)
class _Fetch:
    """What a worker does: one whole batch, or the error that names the file it stopped at.

    The error travels as a value, because the loader would bury its message in a traceback.
    """

    files: ImageFiles

    def __getitem__(self, indices: Tensor) -> Tensor | UserError:
        try:
            return self.files.fetch(indices)
        except UserError as error:
            return error


def _as_it_is(batch: Any) -> Any:
    return batch


def _die_quietly(worker: int) -> None:
    """Signals may reach the whole process group, while the parent still has a step to finish.

    An interrupt is left to the parent. A request to terminate has to be obeyed, since Python ends
    workers that way too; but only with exit code 0 does torch not raise in the parent at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
