"""Images in files: worker processes decode them in advance, in a known order.

A worker decodes, resizes and crops: to the centre square, or at random with numbers that belong to
the image. All other augmentation happens later, on the device. So the number of workers never
changes a result.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from darts.data.counting import counting
from darts.data.crops import Cropped, RandomCrops
from darts.data.dataset import BatchReader, ImageTensor
from darts.data.pixels import PLAIN, Decoding, decode, decode_whole
from darts.errors import UserError

_SHARED_MEMORY, _PAGE = Path("/dev/shm"), 4096
PIECE = 32  # images that a worker decodes at a time


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images in files, an `ImageSet`; they are resized to `size` pixels when they are read.

    Attributes:
        paths: The file of each image.
        labels: Class numbers `[N]`, int64.
        size: Side in pixels of the images that `fetch` and the readers return.
        workers: Number of processes that decode for each reader; 0: decode in this process.
        decoding: How files become pixels.
    """

    paths: tuple[str, ...]
    labels: Tensor
    size: int
    workers: int = 2
    decoding: Decoding = PLAIN

    def __len__(self) -> int:
        return len(self.paths)

    def fetch(self, indices: Tensor) -> Tensor:
        """Return the images `indices` as `[B, 3, S, S]` uint8.

        Raises:
            UserError: A file cannot be decoded.
        """
        batch = np.empty((len(indices), self.size, self.size, 3), np.uint8)
        for row, index in enumerate(indices.tolist()):
            with _naming_the_way_out():
                batch[row] = decode(self.paths[index], self.size, self.decoding)
        return torch.from_numpy(batch).permute(0, 3, 1, 2)

    def picture(self, index: int) -> np.ndarray:
        """The whole photograph with this number, `[H, W, 3]` uint8.

        Raises:
            UserError: The file cannot be decoded.
        """
        with _naming_the_way_out():
            return decode_whole(self.paths[index], self.size, self.decoding)

    def reader(self, pin: bool = False) -> BatchReader:
        return _WorkerReader(self, pin)

    def cropping(self, crops: RandomCrops) -> Cropped:
        """Random crops of the whole photographs."""
        return Cropped(self, crops)

    def read_ahead(
        self, fetcher: Cropped, batches: Sequence[Tensor], pin: bool
    ) -> Iterator[Tensor]:
        """Yield the crops of each batch, cut in advance by processes."""
        return _WorkerReader(fetcher, pin)(batches)

    def subset(self, indices: Tensor) -> ImageFiles:
        paths = tuple(self.paths[index] for index in indices.tolist())
        return replace(self, paths=paths, labels=self.labels[indices])

    def resized(self, size: int) -> ImageFiles:
        return replace(self, size=size)

    def to(self, device: torch.device | str) -> ImageFiles:
        return self

    @property
    def decoded_bytes(self) -> int:
        """Memory that all images need once decoded, in bytes."""
        return len(self) * self.size * self.size * 3

    def in_memory(self) -> ImageTensor:
        """Decode all images into memory."""
        # Starting a process is worthwhile from about 64 images on.
        files = replace(self, workers=min(self.workers, len(self) // 64))
        pixels = torch.empty((len(self), 3, self.size, self.size), dtype=torch.uint8)
        parts = torch.arange(len(self)).split(32)
        with counting("decoding images", len(self)) as advance:
            for part, batch in zip(parts, files.reader()(parts), strict=True):
                pixels[part] = batch
                advance(len(part))
        return ImageTensor(pixels, self.labels)


@contextmanager
def _naming_the_way_out() -> Iterator[None]:
    """Add the option that leaves out unreadable files to their error."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{error}, or leave out all such files by --skip-corrupt") from error


def in_workers(work: Any, items: Sequence[Any], workers: int) -> Iterator[Any]:
    """Yield `work[item]` of each item in order; `workers` processes compute it (0: this one)."""
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
    """Reads batches of files with processes that live as long as the reader.

    All workers decode pieces of the same batch. So the first batch is ready early, and little
    shared memory is in use at a time.
    """

    def __init__(self, files: ImageFiles | Cropped, pin: bool) -> None:
        self._files, self._pin = files, pin
        workers = _workers_with_room(files.workers, 3 * PIECE * files.size**2)
        self._plan: list[Tensor] = []
        self._loader: DataLoader[Any] | None = DataLoader(
            _Fetch(files),  # type: ignore[arg-type]
            sampler=self._plan,
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=_die_quietly,
            # Without a generator of its own, it would draw from the global generator every epoch.
            generator=torch.Generator(),
        )

    def __call__(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        pieces = self._pieces([piece for batch in batches for piece in batch.split(PIECE)])
        size = self._files.size
        for batch in batches:
            # Channels-last, like the decoded images.
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
                f"{error}: continuing without processes that decode images, which is slower. If "
                "shared memory is small, as in many containers, enlarge it",
                stacklevel=2,
            )
        yield from map(self._files.fetch, plan[done:])


def _workers_with_room(wanted: int, piece: int) -> int:
    """The number of processes for whose pieces shared memory has room; fewer than `wanted` is said.

    Without room a process cannot hand over what it has decoded, and the loader waits for ever.

    Args:
        wanted: Number of processes.
        piece: Bytes of a piece.
    """
    if not wanted or not _SHARED_MEMORY.is_dir():
        return wanted
    free = shutil.disk_usage(_SHARED_MEMORY).free
    # A process works two pieces ahead, and one more is being copied. Half is left for others.
    room = free // (2 * 3 * (piece + _PAGE))
    if room < wanted:
        print(
            f"{_SHARED_MEMORY} has {free / 2**20:.0f} MB free, room for {room} of {wanted} "
            "processes that decode images. Enlarge it for more speed (docker run --shm-size 1g).",
            file=sys.stderr,
        )
    return min(wanted, room)


@dataclass(frozen=True)
class _Fetch:
    """The task of a worker: decode one piece, or return the error that names the broken file.

    The error is returned instead of raised, because the loader would wrap it in a traceback.
    """

    files: ImageFiles | Cropped

    def __getitem__(self, indices: Tensor) -> Tensor | UserError:
        try:
            return self.files.fetch(indices)
        except UserError as error:
            return error


def _as_it_is(batch: Any) -> Any:
    return batch


def _die_quietly(worker: int) -> None:
    """Handle signals in a worker so that the parent can finish its step.

    Signals may reach the whole process group. SIGINT is ignored: the parent handles it. SIGTERM
    ends the worker, because Python uses it to end workers; the exit code is 0, because any other
    code makes torch raise an error in the parent at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
