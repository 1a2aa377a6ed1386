"""Predictions for many image files: finding them, batches, and the results as a table or a file."""

from __future__ import annotations

import csv
import glob
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from darts.data.scanning import Scan
from darts.data.transforms import load_image
from darts.errors import UserError
from darts.files import user_path
from darts.report.notebook import Figures, Summarised
from darts.system.device import resolve_device
from darts.training.onnx_predictor import load_onnx
from darts.training.predict import Labeller, best_classes, load_trained

Ranked = list[tuple[str, float]]
"""The most probable classes of an image with their probabilities, best first; see `predict`."""


@dataclass(frozen=True)
class PredictedImage:
    """What is known about an image file.

    Attributes:
        path: The file.
        best: The most probable classes, empty if it could not be read.
        problem: Why it could not be read, else "".
    """

    path: str
    best: Ranked
    problem: str = ""


@dataclass(frozen=True, repr=False)
class Predictions(Summarised):
    """Predictions for some image files, in their order.

    Attributes:
        source: The checkpoint or file whose network was used.
        classes: Names of all classes.
        task: The kind of task: "single-label" or "multi-label".
        images: The files.
    """

    source: str
    classes: tuple[str, ...]
    task: str
    images: tuple[PredictedImage, ...]

    def figures(self) -> Figures:
        """The first files with their best class."""
        shown = [(row[0], row[1]) for row in self.rows()[1:21]]
        more = len(self.images) - len(shown)
        return [*shown, *([("…", f"{more} more")] if more else [])]

    @property
    def unreadable(self) -> tuple[PredictedImage, ...]:
        """The files that could not be read as images."""
        return tuple(image for image in self.images if image.problem)

    def rows(self) -> list[tuple[str, ...]]:
        """A table for people: a file a line."""
        width = max((len(image.best) for image in self.images), default=0)
        rows = [("image", *(f"{n + 1}." for n in range(width)))]
        for image in self.images:
            cells = [f"{name} {100 * value:.2f} %" for name, value in image.best]
            cells = cells or ["unreadable" if image.problem else "no label"]
            rows.append((image.path, *cells, *[""] * (width - len(cells))))
        return rows

    def as_csv(self) -> str:
        """One line a file: `image, class, probability, class_2, probability_2 …, error`."""
        width = max((len(image.best) for image in self.images), default=0)
        endings = ["" if n == 0 else f"_{n + 1}" for n in range(width)]
        head = [f"{name}{end}" for end in endings for name in ("class", "probability")]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image", *head, "error"])
        for image in self.images:
            cells = [cell for name, value in image.best for cell in (name, repr(value))]
            cells += [""] * (2 * width - len(cells))
            writer.writerow([image.path, *cells, image.problem])
        return stream.getvalue()

    def as_json(self) -> str:
        """All of it; probabilities that are no numbers are null."""
        return json.dumps(
            {
                "source": self.source,
                "task": self.task,
                "classes": list(self.classes),
                "images": [_plain(image) for image in self.images if not image.problem],
                "unreadable": [
                    {"image": image.path, "reason": image.problem} for image in self.unreadable
                ],
            },
            indent=1,
            ensure_ascii=False,
            allow_nan=False,
        )


def _plain(image: PredictedImage) -> dict[str, Any]:
    ranked = [
        {"class": name, "probability": value if math.isfinite(value) else None}
        for name, value in image.best
    ]
    return {"image": image.path, "best": ranked}


def find_images(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The image files that words name: files, folders with all that is in them, and patterns.

    Hidden files, files that are no images and folders of programs are left out of folders.

    Returns:
        The files, each once, in the order of the words; and what a user should know about the
        folders and about words that name nothing, as sentences.

    Raises:
        UserError: No word names a file, or a folder holds no image.
    """
    found: dict[str, None] = {}
    sentences: list[str] = []
    for word in words:
        try:
            paths = _named(word)
        except UserError as error:
            if len(words) == 1:
                raise
            sentences.append(str(error))
            continue
        for path in paths:
            if not path.is_dir():
                found[str(path)] = None
                continue
            scan = Scan(path)
            images = scan.images(path)
            if not images:
                raise UserError(f"{path}: there are no images in this folder.")
            sentences += scan.left_out.sentences
            found.update(dict.fromkeys(images))
    if not found:
        raise UserError(" ".join(sentences))
    return list(found), sentences


def _named(word: str) -> list[Path]:
    try:
        path = user_path(word)
        if path.exists():
            return [path]
        matches = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(word) else []
    except (OSError, RuntimeError, ValueError):
        matches = []
    if not matches:
        kind = "no file matches this pattern" if glob.has_magic(word) else "there is no such file"
        raise UserError(f"{word}: {kind}. Give image files, folders or patterns such as '*.jpg'.")
    return [Path(match) for match in matches]


def open_labeller(checkpoint: Path | str, device: str = "auto") -> Labeller:
    """The network of a run, a checkpoint or an exported `.onnx` file.

    Args:
        checkpoint: The run or file.
        device: Device of a run's network; ONNX files run on the CPU.

    Raises:
        UserError: It cannot be loaded.
    """
    if Path(checkpoint).suffix.lower() == ".onnx":
        return load_onnx(checkpoint)
    return load_trained(checkpoint, resolve_device(device))


def predict_files(
    predictor: Labeller,
    paths: Sequence[str],
    *,
    source: str,
    best: int = 5,
    batch_size: int = 64,
) -> Predictions:
    """The most probable classes of image files; those that cannot be read keep their reason.

    Args:
        predictor: The network.
        paths: The files.
        source: Name of the network for the results.
        best: Number of classes for each image.
        batch_size: Images at once.

    Raises:
        UserError: `best` or `batch_size` is not positive.
    """
    for name, value in (("--top-k", best), ("--batch-size", batch_size)):
        if value < 1:
            raise UserError(f"{name} {value}: must be at least 1.")
    images = [
        one
        for start in range(0, len(paths), batch_size)
        for one in _batch(predictor, paths[start : start + batch_size], best)
    ]
    return Predictions(source, predictor.classes, predictor.target.kind, tuple(images))


def _batch(predictor: Labeller, paths: Sequence[str], best: int) -> Iterator[PredictedImage]:
    read: dict[str, torch.Tensor] = {}
    problems: dict[str, str] = {}
    for path in paths:
        try:
            read[path] = load_image(path, predictor.card)
        except UserError as error:
            problems[path] = str(error)
    ranked = best_classes(predictor, torch.cat(list(read.values())), best) if read else []
    found = dict(zip(read, ranked, strict=True))
    for path in paths:
        yield PredictedImage(path, found.get(path, []), problems.get(path, ""))
