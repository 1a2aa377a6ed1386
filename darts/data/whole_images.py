"""Whole photographs in memory, or in a cache file that is mapped into memory.

The file `whole-SIZEpx-KEY.u8` holds the pixels of one photograph after the other, `[H, W, 3]`
uint8, then for each of them height, width and CRC-32 (uint32, little endian), then the SHA-256 of
the key and that table. While it is being written its name ends in `.partial`, and a file that ends
in `.sums` holds the rows of the table whose photographs are already on the disk.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from darts.data.cache import DIGEST_BYTES, cache_key, check_space, flushed, only_writer
from darts.data.counting import counting
from darts.data.crops import Cropped, RandomCrops
from darts.data.dataset import BatchReader
from darts.data.pixels import Decoding, centre_square
from darts.data.streaming import ImageFiles, in_workers
from darts.errors import UserError

_ROW = 12
_PIECE = 8  # Photographs that a thread or process handles at a time.
_AHEAD = 4  # Pieces for each thread that are read in advance.


@dataclass(frozen=True, eq=False)
class WholeImages:
    """Photographs in their own shapes, an `ImageSet` whose `fetch` returns centre squares.

    Attributes:
        pixels: All photographs, one after the other, `[bytes]` uint8.
        shapes: Height and width of each photograph `[M, 2]`.
        offsets: Where each one begins in `pixels` `[M]`.
        rows: The photograph of each image `[N]`.
        labels: Labels of the images, on the CPU.
        size: Side in pixels of the squares that `fetch` returns.
        decoding: How they are resized.
        workers: Number of threads that read in advance.
        path: The cache file; None for images in memory.
        sums: CRC-32 of each photograph `[M]`.
        checked: Whether each photograph has been compared with its checksum `[M]`.
    """

    pixels: np.ndarray
    shapes: np.ndarray
    offsets: np.ndarray
    rows: Tensor
    labels: Tensor
    size: int
    decoding: Decoding
    workers: int
    path: Path | None = None
    sums: np.ndarray | None = None
    checked: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def picture(self, index: int) -> np.ndarray:
        """The photograph `[H, W, 3]` uint8.

        Raises:
            UserError: It differs from its checksum.
        """
        row = int(self.rows[index])
        height, width = (int(side) for side in self.shapes[row])
        start = int(self.offsets[row])
        flat = self.pixels[start : start + 3 * height * width]
        if self.checked is not None and self.sums is not None and not self.checked[row]:
            if zlib.crc32(flat.data) != self.sums[row]:
                raise UserError(
                    f"{self.path} is damaged (image {row} differs from its checksum); delete it, "
                    "and the next run writes it again"
                )
            self.checked[row] = True
        return flat.reshape(height, width, 3)

    def fetch(self, indices: Tensor) -> Tensor:
        """Return the images `indices` as `[B, 3, S, S]` uint8, channels last."""
        batch = np.empty((len(indices), self.size, self.size, 3), np.uint8)
        for place, index in enumerate(indices.tolist()):
            batch[place] = centre_square(self.picture(index), self.size, self.decoding)
        return torch.from_numpy(batch).permute(0, 3, 1, 2)

    def reader(self, pin: bool = False) -> BatchReader:
        """Return a reader whose batches are made in advance by threads."""
        return lambda batches: self._ahead(self, batches, pin)

    def cropping(self, crops: RandomCrops) -> Cropped:
        """Random crops of these photographs."""
        return Cropped(self, crops)

    def read_ahead(
        self, fetcher: Cropped, batches: Sequence[Tensor], pin: bool
    ) -> Iterator[Tensor]:
        """Yield the crops of each batch, cut in advance by threads."""
        return self._ahead(fetcher, batches, pin)

    def _ahead(
        self, fetcher: WholeImages | Cropped, batches: Sequence[Tensor], pin: bool
    ) -> Iterator[Tensor]:
        threads = max(1, self.workers)
        pieces = [piece for batch in batches for piece in batch.split(_PIECE)]
        with ThreadPoolExecutor(threads) as pool:
            waiting: deque[Future[Tensor]] = deque()
            coming = iter(pieces)

            def submit() -> None:
                if (piece := next(coming, None)) is not None:
                    waiting.append(pool.submit(fetcher.fetch, piece))

            for _ in range(_AHEAD * threads):
                submit()
            for batch in batches:
                shape = (len(batch), fetcher.size, fetcher.size, 3)
                joined = torch.empty(shape, dtype=torch.uint8, pin_memory=pin).permute(0, 3, 1, 2)
                for part in joined.split(_PIECE):
                    part.copy_(waiting.popleft().result())
                    submit()
                yield joined

    def subset(self, indices: Tensor) -> WholeImages:
        """The images with these numbers; the pixels are shared."""
        return replace(self, labels=self.labels[indices], rows=self.rows[indices])

    def resized(self, size: int) -> WholeImages:
        """The same photographs with other squares."""
        return replace(self, size=size)

    def to(self, device: torch.device | str) -> WholeImages:
        """Photographs of different shapes stay in memory."""
        return self


@dataclass(frozen=True)
class _Whole:
    """The task of a worker: decode some photographs, or return the error that names one."""

    files: ImageFiles

    def __getitem__(self, indices: Tensor) -> list[np.ndarray] | UserError:
        try:
            return [self.files.picture(index) for index in indices.tolist()]
        except UserError as error:
            return error


def _decoded(files: ImageFiles, numbers: Tensor) -> Iterator[list[np.ndarray]]:
    """The photographs in pieces, in order."""
    pieces = numbers.split(_PIECE)
    workers = min(files.workers, len(numbers) // 64)  # A process is worthwhile from 64 images on.
    for piece in in_workers(_Whole(files), pieces, workers):
        if isinstance(piece, UserError):
            raise piece
        yield piece


def in_memory(files: ImageFiles) -> WholeImages:
    """Decode all photographs into memory.

    Raises:
        UserError: A file cannot be decoded.
    """
    flat: list[np.ndarray] = []
    shapes: list[tuple[int, ...]] = []
    with counting("decoding images", len(files)) as advance:
        for piece in _decoded(files, torch.arange(len(files))):
            flat += [picture.reshape(-1) for picture in piece]
            shapes += [picture.shape[:2] for picture in piece]
            advance(len(piece))
    return _whole(files, np.concatenate(flat), np.array(shapes))


def expected_bytes(files: ImageFiles, sample: int = 32) -> int:
    """About the memory that all photographs need, from some of them.

    Raises:
        UserError: A file cannot be decoded.
    """
    numbers = torch.linspace(0, len(files) - 1, min(sample, len(files))).long().unique()
    sizes = [files.picture(index).size for index in numbers.tolist()]
    return round(len(files) * sum(sizes) / len(sizes))


def cached_whole(files: ImageFiles, root: Path, directory: Path) -> WholeImages:
    """The photographs from their cache file, which is written first if it is missing.

    Writing shows its progress, and continues after an interruption. Only one process writes; others
    wait for it.

    Args:
        files: The images.
        root: The folder that contains the files.
        directory: The folder of cache files.

    Raises:
        UserError: An image cannot be read, the disk is too small, or the cache file is damaged.
    """
    key = cache_key(files, root)
    path = directory / f"whole-{files.size}px-{key[:16]}.u8"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with only_writer(path.with_suffix(".lock")):
                if not path.exists():
                    _write(files, key, path)
        return _opened(files, key, path)
    except OSError as error:
        raise UserError(f"the cache {path} cannot be written or read: {error}") from error


def _write(files: ImageFiles, key: str, path: Path) -> None:
    partial, journal = path.with_suffix(".partial"), path.with_suffix(".sums")
    partial.touch()
    journal.touch()
    rows = np.frombuffer(journal.read_bytes()[: journal.stat().st_size // _ROW * _ROW], "<u4")
    rows = rows.reshape(-1, 3)
    ends = np.cumsum(3 * rows[:, 0].astype(np.int64) * rows[:, 1])
    done = int(np.searchsorted(ends, partial.stat().st_size, side="right"))
    written = int(ends[done - 1]) if done else 0
    check_space(max(0, expected_bytes(files) - written), path)
    with (
        open(partial, "r+b") as pixels,
        open(journal, "r+b") as table,
        counting("decoding images into the cache", len(files), done) as advance,
    ):
        # Photographs written after the last flush are written again.
        pixels.seek(written)
        pixels.truncate()
        table.seek(_ROW * done)
        table.truncate()
        rest = torch.arange(done, len(files))
        for piece in _decoded(files, rest) if len(rest) else ():
            pixels.write(b"".join(picture.tobytes() for picture in piece))
            flushed(pixels)
            entries = [(*picture.shape[:2], zlib.crc32(picture.data)) for picture in piece]
            table.write(np.array(entries, "<u4").tobytes())
            flushed(table)
            advance(len(piece))
        content = journal.read_bytes()
        pixels.write(content + hashlib.sha256(key.encode() + content).digest())
        flushed(pixels)
    os.replace(partial, path)
    journal.unlink()


def _opened(files: ImageFiles, key: str, path: Path) -> WholeImages:
    count = len(files)
    start = path.stat().st_size - _ROW * count - DIGEST_BYTES
    with open(path, "rb") as stream:
        stream.seek(max(0, start))
        tail = stream.read()
    table, digest = tail[: _ROW * count], tail[_ROW * count :]
    rows = np.frombuffer(table, "<u4").reshape(-1, 3) if len(table) == _ROW * count else None
    if (
        rows is None
        or hashlib.sha256(key.encode() + table).digest() != digest
        or start != int((3 * rows[:, 0].astype(np.int64) * rows[:, 1]).sum())
    ):
        raise UserError(f"{path} is damaged; delete it, and the next run writes it again")
    found = _whole(files, np.memmap(path, np.uint8, "r", shape=(start,)), rows[:, :2])
    return replace(found, path=path, sums=rows[:, 2], checked=np.zeros(count, bool))


def _whole(files: ImageFiles, pixels: np.ndarray, shapes: np.ndarray) -> WholeImages:
    lengths = 3 * shapes[:, 0].astype(np.int64) * shapes[:, 1]
    return WholeImages(
        pixels=pixels,
        shapes=shapes,
        offsets=np.cumsum(lengths) - lengths,
        rows=torch.arange(len(files)),
        labels=files.labels,
        size=files.size,
        decoding=files.decoding,
        workers=files.workers,
    )
