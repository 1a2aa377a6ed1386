"""COCO's average precision, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from darts.detection.annotations import Annotations
from darts.errors import UserError

Result = Mapping[str, Any]
"""A detection in COCO's format of results: image_id, category_id, bbox, score."""


@dataclass(frozen=True)
class Precision:
    """COCO's figures in %; None where the images show nothing of that size.

    Attributes:
        ap: Mean over overlaps of 0.50 to 0.95 and over the classes.
        ap50, ap75: At one overlap.
        ap_small, ap_medium, ap_large: Of objects below 32², below 96² and from 96² pixels on.
        recall: Mean share of the objects found, with 100 detections an image.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    recall: float | None

    def as_dict(self) -> dict[str, float | None]:
        return asdict(self)

    def __str__(self) -> str:
        names = ("AP", "AP50", "AP75", "small", "medium", "large")
        values = (self.ap, self.ap50, self.ap75, self.ap_small, self.ap_medium, self.ap_large)
        known = ("–" if value is None else f"{value:.1f}" for value in values)
        return "  ".join(f"{name} {value}" for name, value in zip(names, known, strict=True))


def check_pycocotools() -> None:
    """Raise UserError where pycocotools is not installed."""
    try:
        import pycocotools  # noqa: F401
    except ImportError:
        raise UserError(
            "AP is reckoned by pycocotools, which is not installed: "
            "pip install 'darts-nas[detection]', or pip install pycocotools."
        ) from None


def average_precision(part: Annotations, results: Sequence[Result]) -> Precision:
    """The figures of `results`, which are all detections in the images of `part`.

    Raises:
        UserError: pycocotools is not installed.
    """
    check_pycocotools()
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # It reports its every step.
        truth = COCO()
        truth.dataset = dict(part.record)
        truth.createIndex()
        if results:
            found = truth.loadRes([dict(result) for result in results])
        else:  # Which loadRes does not take.
            found = COCO()
            found.dataset = {**part.record, "annotations": []}
            found.createIndex()
        judge = COCOeval(truth, found, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    # -1 stands for "nothing of this kind in the images".
    values = [100 * float(value) if value >= 0 else None for value in judge.stats]
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    return Precision(**dict(zip(names, values[:6], strict=True)), recall=values[8])
