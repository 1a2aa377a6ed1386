"""What the test images say of the final network: read once, after everything is decided."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from scipy import stats
from torch import Tensor

from darts.data.dataset import Dataset
from darts.data.loader import evaluation_batches
from darts.data.sources import open_dataset
from darts.data.transforms import evaluation_transform
from darts.statistics.interval import CONFIDENCE, Interval
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
        truth: Its class.
        guess: What the network says.
        probability: How sure the network is of its guess.
        picture: The image as the network sees it, as a PNG in a data URI.
    """

    name: str
    truth: str
    guess: str
    probability: float
    picture: str


@dataclass(frozen=True, kw_only=True)
class TestFigures:
    """The final network on the test images.

    Attributes:
        images: Number of test images.
        accuracy: Share (%) of right answers.
        low: Lower bound of its 95 % interval.
        high: Upper bound.
        balanced: Mean (%) of the classes' shares of right answers.
        recalls: Share (%) of right answers of each class; None for a class without images.
        confusion: How often an image of class i (row) is called j (column).
        worst: The images that it gets most wrong.
    """

    images: int
    accuracy: float
    low: float
    high: float
    balanced: float
    recalls: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]
    worst: tuple[WrongImage, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TestFigures:
        """The inverse of `as_dict`, also after a way through JSON."""
        known = {one.name: values[one.name] for one in fields(cls)}
        return cls(
            **{
                **known,
                "recalls": tuple(known["recalls"]),
                "confusion": tuple(map(tuple, known["confusion"])),
                "worst": tuple(WrongImage(**one) for one in known["worst"]),
            }
        )


def share_interval(right: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """A share in % with its exact binomial bounds (Clopper and Pearson, 1934).

    >>> found = share_interval(10, 10)
    >>> round(found.low, 2), found.middle, found.high
    (69.15, 100.0, 100.0)
    """
    tail = (1 - confidence) / 2
    low = 0.0 if right == 0 else float(stats.beta.ppf(tail, right, total - right + 1))
    high = 1.0 if right == total else float(stats.beta.ppf(1 - tail, right + 1, total - right))
    return Interval(100 * low, 100 * right / total, 100 * high)


def judge_final(options: TrainingOptions, run: Path) -> TestFigures:
    """Test the network of a finished run on the test images of its data set.

    Raises:
        UserError: The run or the data cannot be read.
    """
    device = resolve_device(options.device)
    trained = load_trained(run, device)
    dataset = open_dataset(options, options.seed, device)
    probabilities = _probabilities(trained.network, dataset, device, options.batch_size)
    return figures_of(probabilities, dataset)


@torch.no_grad()
def _probabilities(network: Any, dataset: Dataset, device: Any, batch_size: int) -> Tensor:
    found = [
        network(images)[0].float().softmax(1).cpu()
        for images, _ in evaluation_batches(
            dataset.test, batch_size, device, evaluation_transform(dataset)
        )
    ]
    return torch.cat(found)


def figures_of(probabilities: Tensor, dataset: Dataset) -> TestFigures:
    """The figures of predicted probabilities `[N, classes]` for all test images."""
    labels, classes = dataset.test.labels, dataset.num_classes
    sure, guesses = probabilities.max(1)
    confusion = torch.zeros(classes, classes, dtype=torch.int64)
    confusion.index_put_((labels, guesses), torch.ones_like(labels), accumulate=True)
    sizes, right = confusion.sum(1), confusion.diagonal()
    recalls = tuple(
        100 * good / size if size else None
        for good, size in zip(right.tolist(), sizes.tolist(), strict=True)
    )
    known = [value for value in recalls if value is not None]
    share = share_interval(int(right.sum()), len(labels))
    wrong = (guesses != labels).nonzero().flatten()
    order = wrong[sure[wrong].argsort(descending=True, stable=True)][:_WORST]
    return TestFigures(
        images=len(labels),
        accuracy=share.middle,
        low=share.low,
        high=share.high,
        balanced=sum(known) / len(known),
        recalls=recalls,
        confusion=tuple(map(tuple, confusion.tolist())),
        worst=tuple(
            WrongImage(
                name=_name(dataset, index),
                truth=dataset.classes[int(labels[index])],
                guess=dataset.classes[int(guesses[index])],
                probability=float(sure[index]),
                picture=_picture(dataset, index),
            )
            for index in order.tolist()
        ),
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
