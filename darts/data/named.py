"""CIFAR-10, CIFAR-100, SVHN and Fashion-MNIST, read by torchvision, and downloads of all sets."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darts.data.catalogue import KNOWN, find, missing_error
from darts.data.dataset import ImageTensor
from darts.data.photograph_sets import PHOTOGRAPH_SETS, download_photographs
from darts.data.source import Source
from darts.errors import UserError
from darts.files import scratch_folder

TIMEOUT = 20.0  # seconds without an answer after which a download fails


def open_named(name: str, directory: Path, download: bool) -> Source:
    """Open a data set of torchvision.

    Args:
        name: Its name in `KNOWN`.
        directory: Folder that contains it, in torchvision's own layout.
        download: Whether to download it if it is missing.

    Raises:
        UserError: It is missing and cannot be downloaded, or its files are damaged.
    """
    ensure_present(name, directory, download)
    try:
        parts = [_torchvision(name, directory, train) for train in (True, False)]
    except (RuntimeError, OSError, ValueError, EOFError) as error:
        raise UserError(
            f"the files of {name} in {directory} are incomplete or damaged ({error}); "
            "delete them, and they are downloaded again"
        ) from error
    known = KNOWN[name]
    train, test = map(_tensor, parts)
    return Source(
        classes=tuple(getattr(parts[0], "classes", map(str, range(known.classes)))),
        train=train,
        test=test,
        flip=known.flip,
        size=known.size,
        statistics=known.statistics,
    )


def ensure_present(name: str, directory: Path, download: bool) -> None:
    """Download a data set that is missing.

    Raises:
        UserError: It is missing and cannot be downloaded.
    """
    if find(name, directory) is None:
        if not download:
            raise missing_error(name, directory, "downloading is switched off")
        _download(name, directory)


def _torchvision(name: str, root: Path, train: bool, download: bool = False) -> Any:
    from darts.system.torchvision_compat import (
        torchvision,  # imported here because it is heavy and only these data sets need it
    )

    datasets = torchvision.datasets
    if name == "svhn":
        return datasets.SVHN(root, split="train" if train else "test", download=download)
    kinds = {
        "cifar10": datasets.CIFAR10,
        "cifar100": datasets.CIFAR100,
        "fashion-mnist": datasets.FashionMNIST,
    }
    return kinds[name](root, train=train, download=download)


def _tensor(dataset: Any) -> ImageTensor:
    """Convert `[N, H, W, 3]`, `[N, 3, H, W]` (SVHN) or `[N, H, W]` (Fashion-MNIST)."""
    pixels = torch.as_tensor(np.ascontiguousarray(dataset.data))
    if pixels.dim() == 3:
        pixels = pixels[:, None]
    elif pixels.shape[-1] == 3:
        pixels = pixels.permute(0, 3, 1, 2).contiguous()
    labels = dataset.labels if hasattr(dataset, "labels") else dataset.targets
    return ImageTensor(pixels, torch.as_tensor(labels, dtype=torch.int64))


def _download(name: str, directory: Path) -> None:
    """Download into a hidden folder, then move the complete files; a failure leaves nothing."""
    try:
        with _scratch(directory) as scratch, _patience(TIMEOUT):
            if name in PHOTOGRAPH_SETS:
                download_photographs(name, scratch)
            else:
                for train in (True, False):
                    _torchvision(name, scratch, train, download=True)
            for file in KNOWN[name].files:
                target = directory / file
                target.parent.mkdir(parents=True, exist_ok=True)
                (scratch / file).rename(target)
    # URLError is an OSError; torchvision raises ValueError where the address no longer exists.
    except (OSError, RuntimeError, ValueError, HTTPException) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
        raise missing_error(name, directory, f"downloading failed ({reason})") from error


@contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    created = next((p for p in (*reversed(directory.parents), directory) if not p.exists()), None)
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with scratch_folder(directory, "download") as scratch:
            yield scratch
    except BaseException:
        if created:
            shutil.rmtree(created, ignore_errors=True)
        raise


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Set a time-out for sockets; torchvision sets none and would hang on a dead network."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
