"""What a detector finds in an image, and the suppression of duplicates."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, arange

from darts.system.torchvision_compat import torchvision

MOST_CANDIDATES = 400  # Boxes of each class before non-maximum suppression.
MOST_DETECTIONS = 100  # Detections of each image after it.


@dataclass(frozen=True)
class Detections:
    """Detections in one image, ordered by decreasing score.

    Attributes:
        boxes: Corners (x1, y1, x2, y2) in pixels of the input image `[N, 4]`.
        scores: Scores in 0..1 `[N]`.
        labels: Classes `[N]`, numbered from 1.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def suppressed(
    boxes: Tensor, scores: Tensor, *, score_threshold: float, nms_threshold: float
) -> Detections:
    """Remove duplicate detections of one image by non-maximum suppression.

    Only the best `MOST_CANDIDATES` boxes of each class are considered, and at most
    `MOST_DETECTIONS` detections are kept, the number that COCO's AP counts.

    >>> from torch import tensor
    >>> boxes = tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    >>> scores = tensor([[0.8], [0.9], [0.6]])
    >>> suppressed(boxes, scores, score_threshold=0.01, nms_threshold=0.45).scores
    tensor([0.9000, 0.6000])

    Args:
        boxes: Corners `[A, 4]`.
        scores: Scores `[A, classes]`.
        score_threshold: Detections with a lower score are dropped.
        nms_threshold: IoU above which the weaker of two detections of a class is dropped.
    """
    best, place = scores.topk(min(MOST_CANDIDATES, len(scores)), dim=0)
    labels = arange(1, scores.shape[1] + 1, device=scores.device).expand_as(best)
    passed = best > score_threshold
    best, place, labels = best[passed], place[passed], labels[passed]
    chosen = boxes[place]
    kept = torchvision.ops.batched_nms(chosen, best, labels, nms_threshold)[:MOST_DETECTIONS]
    return Detections(chosen[kept], best[kept], labels[kept])
