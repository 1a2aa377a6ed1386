"""The list of image files that a run uses, so that another run can use exactly the same ones.

The first line of `images.jsonl` is an object with `manifest` (version of the format), `dataset`,
`seed`, `classes`, `size` (default size of the images in pixels), `images` (their number in each
part), `skipped` (unreadable files that were left out) and `sha256` (of all following lines). Each
following line is an object for one image: `part` (weights or architecture in a search, otherwise
train; or test), `label` (number of its class, or a list of numbers if images may have several
labels), `bytes` (size of its file) and `path` (relative to the folder of the data set).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from darts.data.dataset import Dataset
from darts.errors import UserError
from darts.files import atomic_write, plain_json, read_text
from darts.run_files import RunFiles

FORMAT = 1
MANIFEST_PARTS = ("weights", "architecture", "train", "test")


class Entry(NamedTuple):
    """One image of a manifest.

    Attributes:
        part: One of `MANIFEST_PARTS`.
        label: Number of its class, or the numbers of its labels.
        bytes: Size of its file.
        path: Path relative to the folder of the data set.
    """

    part: str
    label: int | tuple[int, ...]
    bytes: int
    path: str

    @property
    def several(self) -> bool:
        """Whether the image may have several labels."""
        return isinstance(self.label, tuple)

    @property
    def labels(self) -> tuple[int, ...]:
        """The numbers of its labels."""
        return self.label if isinstance(self.label, tuple) else (self.label,)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Image files in the order in which a run numbers them, training images first.

    Attributes:
        dataset: Name of the data set, as the user gave it.
        seed: Seed that they were sampled from.
        classes: Name of each class.
        entries: One entry per image.
        skipped: Paths of files that were left out because they cannot be decoded.
        size: Default size of the images in pixels; None if an earlier version wrote the list.
    """

    dataset: str
    seed: int
    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    skipped: tuple[str, ...] = ()
    size: int | None = None

    @classmethod
    def of(cls, dataset: Dataset, seed: int, parts: Mapping[str, Tensor]) -> Manifest:
        """Build the manifest of a data set of files.

        Args:
            dataset: The data set.
            seed: Seed that its images were sampled from.
            parts: Disjoint sets of numbers of training images, by name.
        """
        files = dataset.files
        assert files is not None
        part_of = dict.fromkeys(range(len(files.train)), "train")
        for part, indices in parts.items():
            part_of.update(dict.fromkeys(indices.tolist(), part))
        groups = (
            (files.train, dataset.train.labels, part_of),
            (files.test, dataset.test.labels, dict.fromkeys(range(len(files.test)), "test")),
        )
        entries = tuple(
            Entry(names[number], _numbers(label), os.stat(path).st_size, below(files.root, path))
            for paths, labels, names in groups
            for number, (path, label) in enumerate(zip(paths, labels.tolist(), strict=True))
        )
        return cls(
            dataset=dataset.name,
            seed=seed,
            classes=dataset.classes,
            entries=entries,
            skipped=tuple(below(files.root, path) for path in files.skipped),
            size=files.size,
        )

    def write(self, path: Path) -> None:
        """Write the manifest to `path`."""
        body = "".join(_line(entry._asdict()) for entry in self.entries)
        head = {
            "manifest": FORMAT,
            "dataset": self.dataset,
            "seed": self.seed,
            "classes": self.classes,
            "size": self.size,
            "images": Counter(entry.part for entry in self.entries),
            "skipped": self.skipped,
            "sha256": hashlib.sha256(body.encode()).hexdigest(),
        }
        with atomic_write(path) as stream:
            stream.write(_line(head) + body)

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a manifest from a file or a run directory.

        Raises:
            UserError: There is none, or it was changed after it was written.
        """
        path = RunFiles(path).images if path.is_dir() else path
        try:
            head, _, body = read_text(path).partition("\n")
        except (OSError, ValueError) as error:
            raise UserError(
                f"{path} cannot be read as a list of images ({error}); give the images.jsonl of a "
                "run on image files, or its run directory"
            ) from None
        try:
            values = plain_json(head)
            version, digest = values["manifest"], values["sha256"]
        except (ValueError, TypeError, KeyError):
            raise UserError(f"{path} is no list of images as written by a run") from None
        if version != FORMAT:
            raise UserError(f"{path} has format {version}; this toolkit reads format {FORMAT}")
        if hashlib.sha256(body.encode()).hexdigest() != digest:
            raise UserError(
                f"{path} was changed or truncated after it was written: its sha256 differs"
            )
        try:
            entries = tuple(_entry(plain_json(line)) for line in body.splitlines())
            manifest = cls(
                dataset=str(values["dataset"]),
                seed=int(values["seed"]),
                classes=tuple(map(str, values["classes"])),
                entries=entries,
                skipped=tuple(map(str, values["skipped"])),
                size=None if values.get("size") is None else int(values["size"]),
            )
            numbers = {label for entry in entries for label in entry.labels}
            if any(not 0 <= number < len(manifest.classes) for number in numbers):
                raise ValueError("a label has no class")
            return manifest
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path} is no list of images as written by a run: {error}") from None

    def label_numbers(self) -> Tensor:
        """The class numbers `[N]`, int64, of images with one label each."""
        return torch.tensor([number for entry in self.entries for number in entry.labels])

    def label_rows(self) -> Tensor:
        """The labels as 0 and 1 `[N, C]`, uint8."""
        rows = torch.zeros(len(self.entries), len(self.classes), dtype=torch.uint8)
        for row, entry in enumerate(self.entries):
            rows[row, list(entry.labels)] = 1
        return rows

    def without(self, paths: Collection[str]) -> Manifest:
        """Return the manifest without the given files, which are listed as skipped."""
        entries = tuple(entry for entry in self.entries if entry.path not in paths)
        return replace(self, entries=entries, skipped=(*self.skipped, *paths))

    def check(self, root: Path, where: str) -> None:
        """Check that every file exists below `root` and has its recorded size.

        Args:
            root: The folder of the data set.
            where: Path of the manifest, for the error.

        Raises:
            UserError: Files are missing or changed. The message has their number and the first.
        """
        missing, changed = [], []
        for entry in self.entries:
            try:
                if os.stat(root / entry.path).st_size != entry.bytes:
                    changed.append(entry.path)
            except OSError:
                missing.append(entry.path)
        for paths, what in ((missing, "missing"), (changed, "of another size than before")):
            if paths:
                verb = "is" if len(paths) == 1 else "are"
                raise UserError(
                    f"{len(paths):,} of the {len(self.entries):,} images that {where} lists {verb} "
                    f"{what} below {root}, the first is {paths[0]}. Restore what has changed, or "
                    "resume the run without it by --resume RUN --skip-corrupt. A new run can "
                    "sample another subset."
                )


def _entry(values: dict[str, Any]) -> Entry:
    entry = Entry(**values)
    # A path must never leave the folder of the data set.
    if (
        entry.part not in MANIFEST_PARTS
        or os.path.isabs(entry.path)
        or ".." in entry.path.split("/")
    ):
        raise ValueError(f"a line holds {values}")
    several = isinstance(entry.label, list)
    label = tuple(map(int, entry.label)) if several else int(entry.label)  # type: ignore[arg-type]
    return Entry(entry.part, label, int(entry.bytes), entry.path)


def _numbers(label: int | list[int]) -> int | tuple[int, ...]:
    """A label as a manifest has it: a number, or the places of the ones in a row of 0 and 1."""
    if isinstance(label, int):
        return label
    return tuple(number for number, mark in enumerate(label) if mark)


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":")) + "\n"


def below(root: Path, path: str) -> str:
    """Return `path` relative to `root`, with forward slashes.

    >>> below(Path("/data"), "/data/train/cat/1.png")
    'train/cat/1.png'
    """
    return Path(path).relative_to(root).as_posix()


def part_indices(entries: tuple[Entry, ...], part: str) -> Tensor:
    """Return the numbers of the entries of one part, int64."""
    found = [number for number, entry in enumerate(entries) if entry.part == part]
    return torch.tensor(found, dtype=torch.int64)
