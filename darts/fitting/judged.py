"""What the test images say of the final network: read once, after everything is decided."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from darts.data.dataset import Dataset
from darts.data.loader import evaluation_batches
from darts.data.sources import open_dataset
from darts.data.transforms import evaluation_transform
from darts.statistics.shares import share_interval
from darts.system.device import resolve_device
from darts.training.options import TrainingOptions
from darts.training.predict import load_trained

_WORST = 12
_THUMBNAIL = 96


@dataclass(frozen=True, kw_only=True)
class WrongImage:
    """A test image that the network gets wrong.

    Attributes:
        name: Its file, or its number.
        truth: Its class, or its labels.
        guess: What the network says.
        probability: How sure the network is of its guess, or of its worst label.
        picture: The image as the network sees it, as a PNG in a data URI.
    """

    name: str
    truth: str
    guess: str
    probability: float
    picture: str


@dataclass(frozen=True, kw_only=True)
class FinalFigures:
    """The final network on the test images.

    Attributes:
        kind: single-label or multi-label.
        measure: The main measure in words: accuracy or mean average precision.
        images: Number of test images.
        accuracy: The main measure in %.
        low: Lower bound of its exact 95 % interval; None with several labels.
        high: Upper bound.
        lines: All measures as text.
        recalls: Share (%) of the images of each class that are recognised; None for a class
            without images.
        counts: Test images of each class.
        confusion: How often an image of class i (row) is called j (column); empty with several
            labels.
        worst: The images that it gets most wrong.
    """

    kind: str
    measure: str
    images: int
    accuracy: float
    low: float | None
    high: float | None
    lines: tuple[tuple[str, str], ...]
    recalls: tuple[float | None, ...]
    counts: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]
    worst: tuple[WrongImage, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FinalFigures:
        """The inverse of `as_dict`, also after a way through JSON."""
        known = {one.name: values[one.name] for one in fields(cls)}
        return cls(
            **{
                **known,
                "lines": tuple(map(tuple, known["lines"])),
                "recalls": tuple(known["recalls"]),
                "counts": tuple(known["counts"]),
                "confusion": tuple(map(tuple, known["confusion"])),
                "worst": tuple(WrongImage(**one) for one in known["worst"]),
            }
        )


def judge_final(options: TrainingOptions, run: Path) -> FinalFigures:
    """Test the network of a finished run on the test images of its data set.

    Raises:
        UserError: The run or the data cannot be read.
    """
    device = resolve_device(options.device)
    trained = load_trained(run, device)
    dataset = open_dataset(options, options.seed, device)
    mean, std = (tuple(trained.card[name]) for name in ("mean", "std"))
    dataset = replace(dataset, mean=mean, std=std)
    return figures_of(_logits(trained.network, dataset, device, options.batch_size), dataset)


@torch.no_grad()
def _logits(network: Any, dataset: Dataset, device: Any, batch_size: int) -> Tensor:
    found = [
        network(images)[0].float().cpu()
        for images, _ in evaluation_batches(
            dataset.test, batch_size, device, evaluation_transform(dataset)
        )
    ]
    return torch.cat(found)


def figures_of(logits: Tensor, dataset: Dataset) -> FinalFigures:
    """The figures of the logits `[N, classes]` of all test images."""
    labels, target = dataset.test.labels, dataset.target
    tally = target.tally(dataset.classes)
    tally.add(logits, labels)
    scores = tally.scores()
    probabilities = target.probabilities(logits)
    single = target.kind == "single-label"
    share = None
    if single:
        right = int((logits.argmax(1) == labels).sum())
        share = share_interval(right, len(labels))
    wrong = _wrong_single if single else _wrong_multi
    return FinalFigures(
        kind=target.kind,
        measure=target.measure,
        images=len(labels),
        accuracy=scores.quality,
        low=None if share is None else share.low,
        high=None if share is None else share.high,
        lines=tuple(scores.lines()),
        recalls=tuple(one.recall for one in scores.classes),
        counts=tuple(one.images for one in scores.classes),
        confusion=_confusion(logits.argmax(1), labels, dataset.num_classes) if single else (),
        worst=tuple(wrong(probabilities, dataset)),
    )


def _confusion(guesses: Tensor, labels: Tensor, classes: int) -> tuple[tuple[int, ...], ...]:
    found = torch.zeros(classes, classes, dtype=torch.int64)
    found.index_put_((labels, guesses), torch.ones_like(labels), accumulate=True)
    return tuple(map(tuple, found.tolist()))


def _wrong_single(probabilities: Tensor, dataset: Dataset) -> Iterator[WrongImage]:
    """The wrong images of whose class the network is surest."""
    labels = dataset.test.labels
    sure, guesses = probabilities.max(1)
    wrong = (guesses != labels).nonzero().flatten()
    order = wrong[sure[wrong].argsort(descending=True, stable=True)][:_WORST]
    for index in order.tolist():
        yield WrongImage(
            name=_name(dataset, index),
            truth=dataset.classes[int(labels[index])],
            guess=dataset.classes[int(guesses[index])],
            probability=float(sure[index]),
            picture=_picture(dataset, index),
        )


def _wrong_multi(probabilities: Tensor, dataset: Dataset) -> Iterator[WrongImage]:
    """The images with a label of which the network is surest that it is another."""
    labels = dataset.test.labels.float()
    off = (probabilities - labels).abs().max(1).values
    wrong = (off > 0.5).nonzero().flatten()
    order = wrong[off[wrong].argsort(descending=True, stable=True)][:_WORST]

    def named(chosen: Tensor) -> str:
        names = [dataset.classes[one] for one in chosen.nonzero().flatten().tolist()]
        return ", ".join(names) or "none"

    for index in order.tolist():
        yield WrongImage(
            name=_name(dataset, index),
            truth=named(labels[index] > 0),
            guess=named(probabilities[index] > 0.5),
            probability=float(off[index]),
            picture=_picture(dataset, index),
        )


def _name(dataset: Dataset, index: int) -> str:
    if dataset.files is None:
        return f"test image {index}"
    path = Path(dataset.files.test[index])
    return str(Path(*path.parts[-2:]))


def _picture(dataset: Dataset, index: int) -> str:
    """A small PNG; tiny images are enlarged without smoothing."""
    pixels = dataset.test.fetch(torch.tensor([index]))[0].permute(1, 2, 0).cpu().numpy()
    image = Image.fromarray(pixels)
    method = Image.Resampling.NEAREST if image.width < _THUMBNAIL else Image.Resampling.BILINEAR
    image = image.resize((_THUMBNAIL, _THUMBNAIL), method)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
