"""COCO's average precision, computed by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from darts.detection.annotations import Annotations
from darts.errors import UserError

Result = Mapping[str, Any]
"""A detection in COCO's result format: image_id, category_id, bbox, score."""


@dataclass(frozen=True)
class Precision:
    """COCO's metrics in %; None if no image shows an object of that size.

    >>> precision = Precision(28.9, 46.9, 30.0, None, 31.6, 48.8, 40.1)
    >>> print(precision)
    AP 28.9  AP50 46.9  AP75 30.0  small –  medium 31.6  large 48.8

    Attributes:
        ap: Average precision, averaged over IoU thresholds 0.50, 0.55, … 0.95 and over classes.
        ap50: Average precision at the IoU threshold 0.50.
        ap75: Average precision at the IoU threshold 0.75.
        ap_small: AP of objects with an area below 32² pixels.
        ap_medium: AP of objects with an area from 32² to 96² pixels.
        ap_large: AP of objects with an area above 96² pixels.
        recall: Average recall with 100 detections per image.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    recall: float | None

    def as_dict(self) -> dict[str, float | None]:
        """All metrics by name."""
        return asdict(self)

    def __str__(self) -> str:
        names = ("AP", "AP50", "AP75", "small", "medium", "large")
        values = (self.ap, self.ap50, self.ap75, self.ap_small, self.ap_medium, self.ap_large)
        known = ("–" if value is None else f"{value:.1f}" for value in values)
        return "  ".join(f"{name} {value}" for name, value in zip(names, known, strict=True))


def check_pycocotools() -> None:
    """Check that pycocotools is installed.

    Raises:
        UserError: It is not.
    """
    try:
        import pycocotools  # noqa: F401
    except ImportError:
        raise UserError(
            "Computing AP needs pycocotools: pip install pycocotools (or pip install -e "
            "'.[detection]' in the toolkit's folder)."
        ) from None


def average_precision(part: Annotations, results: Sequence[Result]) -> Precision:
    """Compute COCO's metrics.

    Args:
        part: Images and true boxes.
        results: All detections in these images.

    Raises:
        UserError: pycocotools is not installed.
    """
    check_pycocotools()
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # It prints every step.
        truth = COCO()
        truth.dataset = dict(part.record)
        truth.createIndex()
        if results:
            found = truth.loadRes([dict(result) for result in results])
        else:  # `loadRes` does not accept an empty list.
            found = COCO()
            found.dataset = {**part.record, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # -1 means that the images show no such object.
    values = [100 * float(value) if value >= 0 else None for value in evaluation.stats]
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    return Precision(**dict(zip(names, values[:6], strict=True)), recall=values[8])
