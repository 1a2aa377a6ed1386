"""Scores of a network on images, as numbers and as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_SHOWN = 20  # Classes that a summary lists in full.
_WORST = 5


@dataclass(frozen=True)
class ClassScores:
    """How well one class is recognised, in %.

    Attributes:
        name: Name of the class.
        images: Number of images that have this label.
        precision: Share of the images that were given this label which have it; None if none was.
        recall: Share of the images with this label that were given it; None if there are none.
        f1: Harmonic mean of both, 2 TP / (2 TP + FP + FN); 0 where this is 0 / 0.
        average_precision: See `darts.targets.measures.precision_over_recall`; only with several
            labels for an image, and None without images.
    """

    name: str
    images: int
    precision: float | None
    recall: float | None
    f1: float
    average_precision: float | None = None

    @classmethod
    def counted(
        cls, name: str, counts: Sequence[int], average_precision: float | None = None
    ) -> ClassScores:
        """From the numbers of images: rightly given this label, given it, and having it."""
        right, given, images = counts
        return cls(
            name,
            images,
            100 * right / given if given else None,
            100 * right / images if images else None,
            200 * right / (given + images) if given + images else 0.0,
            average_precision,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        found = {
            "class": self.name,
            "images": self.images,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }
        if self.average_precision is not None:
            found["average_precision"] = self.average_precision
        return found


class Scores(Protocol):
    """Scores on some images; shares are in %.

    Attributes:
        loss: Mean loss.
        quality: The main measure in %, by which networks are chosen: accuracy, or with several
            labels for an image the mean average precision.
        classes: The scores of each class.
    """

    @property
    def loss(self) -> float: ...

    @property
    def quality(self) -> float: ...

    @property
    def classes(self) -> tuple[ClassScores, ...]: ...

    def as_dict(self) -> dict[str, float]:
        """The scores of all classes together by name: loss, accuracy …"""

    def lines(self) -> list[tuple[str, str]]:
        """Names and values for people, without the loss."""

    def remarks(self) -> list[str]:
        """What a reader of these scores should know, in sentences."""


def prefixed(scores: Scores, part: str) -> dict[str, float]:
    """The scores by name, with the part of the data in front: test_loss, test_accuracy …"""
    return {f"{part}_{name}": value for name, value in scores.as_dict().items()}


def class_rows(scores: Scores) -> list[dict[str, Any]]:
    """The scores of each class, as values for JSON."""
    return [one.as_dict() for one in scores.classes]


def class_table(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A table of the classes with a header; of many classes, those with the lowest F1.

    Args:
        rows: From `class_rows`.
    """
    shown = list(rows)
    if len(shown) > _SHOWN:
        shown = sorted(shown, key=lambda row: row["f1"])[:_WORST]
    precise = any("average_precision" in row for row in shown)
    keys = ["precision", "recall", "f1", *(["average_precision"] if precise else [])]
    titles = {"f1": "F1", "average_precision": "AP"}
    head = ("class", "images", *(titles.get(key, key) for key in keys))
    return [
        head,
        *(
            (row["class"], f"{row['images']:,}", *(_percent(row.get(key)) for key in keys))
            for row in shown
        ),
    ]


def table_title(rows: Sequence[Mapping[str, Any]]) -> str:
    """What `class_table` shows."""
    if len(rows) > _SHOWN:
        return f"The {_WORST} of {len(rows):,} classes with the lowest F1"
    return "Classes"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} %"
