"""A cache of decoded images: one large file that is mapped into memory.

The file `images-SIZEpx-KEY.u8` holds the pixels `[N, S, S, 3]` uint8, a CRC-32 of each image
(uint32, little endian), and the SHA-256 of the key and those checksums. The key is a hash of the
images' paths, file sizes and times of change, in order, so different images get a different file.
While the file is being written its name ends in `.partial`, and a file that ends in `.sums` holds
the checksums of the images that are already on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from darts.data.counting import counting
from darts.data.dataset import BatchReader, ImageTensor
from darts.data.manifest import below
from darts.data.streaming import ImageFiles
from darts.errors import UserError

_BLOCK = 64  # images written between two calls of fsync
_AHEAD = 2  # batches that are read in advance
DIGEST_BYTES = 32
"""Length of the digest at the end of a cache file."""
_DECODING = 3  # It grows when the same file begins to be decoded to other pixels.


@dataclass(frozen=True, eq=False)
class MappedImages:
    """Decoded images in a cache file, an `ImageSet`.

    The checksum of an image is verified when it is read for the first time.

    Attributes:
        path: The cache file.
        labels: Class numbers `[N]`, int64.
        rows: Position in the file of each image `[N]`.
        pixels: All images of the file `[M, S, S, 3]` uint8, mapped into memory.
        sums: CRC-32 of each image of the file `[M]`.
        checked: Whether each image of the file has been verified `[M]`.
    """

    path: Path
    labels: Tensor
    rows: Tensor
    pixels: np.ndarray
    sums: np.ndarray
    checked: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def fetch(self, indices: Tensor) -> Tensor:
        """Return the images `indices` as `[B, 3, S, S]` uint8, channels last.

        Raises:
            UserError: An image differs from its checksum.
        """
        return self._fetch(indices, False)

    def _fetch(self, indices: Tensor, pin: bool) -> Tensor:
        rows = self.rows[indices].numpy()
        shape = (len(rows), *self.pixels.shape[1:])
        batch = torch.empty(shape, dtype=torch.uint8, pin_memory=pin)
        # In the mode "clip" numpy writes directly into the tensor; all rows are in range anyway.
        np.take(self.pixels, rows, axis=0, out=batch.numpy(), mode="clip")
        for place in (~self.checked[rows]).nonzero()[0]:
            if zlib.crc32(batch[place].numpy().data) != self.sums[rows[place]]:
                raise UserError(
                    f"{self.path} is damaged (image {rows[place]} differs from its checksum); "
                    "delete it, and the next run writes it again"
                )
        self.checked[rows] = True
        return batch.permute(0, 3, 1, 2)

    def reader(self, pin: bool = False) -> BatchReader:
        """Return a reader whose batches are read in advance by a thread."""

        def read(batches: Sequence[Tensor]) -> Iterator[Tensor]:
            with ThreadPoolExecutor(1) as pool:
                waiting: deque[Future[Tensor]] = deque()
                for batch in batches:
                    waiting.append(pool.submit(self._fetch, batch, pin))
                    if len(waiting) > _AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()

        return read

    def subset(self, indices: Tensor) -> MappedImages:
        return replace(self, labels=self.labels[indices], rows=self.rows[indices])

    def resized(self, size: int) -> MappedImages | ImageTensor:
        return self if size == self.pixels.shape[1] else self.in_memory().resized(size)

    def to(self, device: torch.device | str) -> MappedImages:
        return self

    def cropping(self, crops: Any) -> Any:
        raise TypeError("this cache holds squares; they are cropped on the device")

    @property
    def decoded_bytes(self) -> int:
        """Memory that all images need, in bytes."""
        return len(self) * self.pixels[0].size

    def in_memory(self) -> ImageTensor:
        """Read all images into memory."""
        return ImageTensor(self.fetch(torch.arange(len(self))).contiguous(), self.labels)


def cached(files: ImageFiles, root: Path, directory: Path) -> MappedImages:
    """Return the images of `files` from their cache file, which is written first if it is missing.

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
    path = directory / f"images-{files.size}px-{key[:16]}.u8"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with only_writer(path.with_suffix(".lock")):
                if not path.exists():
                    _make(files, key, path)
        return _opened(files, key, path)
    except OSError as error:
        raise UserError(f"the cache {path} cannot be written or read: {error}") from error


def cache_key(files: ImageFiles, root: Path) -> str:
    """Hash of what decides the pixels: the files, and how they are decoded."""
    how = json.dumps(files.decoding.as_dict(), sort_keys=True)
    digest = hashlib.sha256(f"{_DECODING} {files.size} {how}\n".encode())
    for path in files.paths:
        known = os.stat(path)
        entry = [below(root, path), known.st_size, known.st_mtime_ns]
        digest.update(json.dumps(entry).encode() + b"\n")
    return digest.hexdigest()


def _make(files: ImageFiles, key: str, path: Path) -> None:
    partial, journal = path.with_suffix(".partial"), path.with_suffix(".sums")
    each = 3 * files.size**2
    partial.touch()
    journal.touch()
    done = min(partial.stat().st_size // each, journal.stat().st_size // 4)
    check_space((len(files) - done) * each, path)
    with (
        open(partial, "r+b") as pixels,
        open(journal, "r+b") as sums,
        counting("decoding images into the cache", len(files), done) as advance,
    ):
        # Images written after the last fsync are written again.
        pixels.seek(done * each)
        pixels.truncate()
        sums.seek(4 * done)
        sums.truncate()
        blocks = torch.arange(done, len(files)).split(_BLOCK) if done < len(files) else ()
        for batch in files.reader()(blocks):
            images = batch.permute(0, 2, 3, 1).contiguous().numpy()
            pixels.write(images.tobytes())
            flushed(pixels)
            sums.write(np.array([zlib.crc32(image) for image in images], "<u4").tobytes())
            flushed(sums)
            advance(len(images))
        table = journal.read_bytes()
        pixels.write(table + hashlib.sha256(key.encode() + table).digest())
        flushed(pixels)
    os.replace(partial, path)
    journal.unlink()


def _opened(files: ImageFiles, key: str, path: Path) -> MappedImages:
    count, shape = len(files), (len(files), files.size, files.size, 3)
    start = int(np.prod(shape))
    with open(path, "rb") as stream:
        stream.seek(start)
        tail = stream.read()
    table, digest = tail[: 4 * count], tail[4 * count :]
    if len(digest) != DIGEST_BYTES or hashlib.sha256(key.encode() + table).digest() != digest:
        raise UserError(f"{path} is damaged; delete it, and the next run writes it again")
    return MappedImages(
        path=path,
        labels=files.labels,
        rows=torch.arange(count),
        pixels=np.memmap(path, np.uint8, "r", shape=shape),
        sums=np.frombuffer(table, "<u4"),
        checked=np.zeros(count, bool),
    )


def check_space(needed: int, path: Path) -> None:
    """Check that the disk of a cache file has room.

    Raises:
        UserError: Fewer than `needed` bytes are free.
    """
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise UserError(
            f"the cache needs {needed / 1e9:.1f} GB more in {path.parent}, where {free / 1e9:.1f} "
            "are free; use fewer images or another --cache"
        )


def flushed(stream: IO[bytes]) -> None:
    """Write what is buffered to the disk."""
    stream.flush()
    os.fsync(stream.fileno())


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock; without locks in the system, do nothing."""
    with path.open("w") as stream:
        try:
            import fcntl
        except ImportError:
            yield
            return
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another process that writes this cache", file=sys.stderr, flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
    path.unlink(missing_ok=True)
