"""Boxes and default boxes: overlap, assignment, offsets, and the loss of SSD.

Source: SSD (arXiv 1512.02325, §2.2). All for a whole batch at once and without waiting for the
device: an image's boxes are padded with rows of label 0. torchvision's `SSD` goes image by image;
the numbers are the same (tests hold them to it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

# Offsets are learnt in these units, so that all four have about the same spread (SSD's variances
# 0.1 and 0.2).
CENTRE_UNIT, SIZE_UNIT = 0.1, 0.2
# A box grows to at most 1000/16 times its default box, as in torchvision.
MOST_GROWTH = math.log(1000 / 16)


@dataclass(frozen=True)
class Targets:
    """What is to be found in a batch.

    Attributes:
        boxes: Corners (x1, y1, x2, y2) in pixels [B, M, 4]; of padding, anything.
        labels: Classes from 1; 0 is padding [B, M], int64.
    """

    boxes: Tensor
    labels: Tensor


def pair_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes [..., M, 4] with others [..., N, 4]: [..., M, N]."""
    one, other = boxes[..., :, None, :], others[..., None, :, :]
    sides = one[..., 2:].minimum(other[..., 2:]) - one[..., :2].maximum(other[..., :2])
    shared = sides.clamp(min=0).prod(-1)
    areas = [(b[..., 2:] - b[..., :2]).prod(-1) for b in (one, other)]
    return shared / (areas[0] + areas[1] - shared)


def assign(targets: Targets, default_boxes: Tensor, threshold: float = 0.5) -> Tensor:
    """Which of its image's boxes each default box stands for: [B, A], -1 for the background.

    The one that it overlaps most, if by `threshold` or more; and each box gets the default box that
    overlaps it most in any case (of boxes that want the same one, the last in order gets it).
    """
    present = targets.labels > 0
    iou = pair_iou(targets.boxes, default_boxes[None]).masked_fill(~present[..., None], -1.0)
    best, chosen = iou.max(1)
    chosen = chosen.masked_fill(best < threshold, -1)
    # Scattering a maximum, because the order of plain writes to one place is open.
    numbers = torch.arange(iou.shape[1], device=iou.device).expand_as(present)
    numbers = numbers.masked_fill(~present, -1)
    forced = torch.full_like(chosen, -1).scatter_reduce(1, iou.argmax(2), numbers, "amax")
    return torch.where(forced >= 0, forced, chosen)


def encode_boxes(boxes: Tensor, default_boxes: Tensor) -> Tensor:
    """Offsets [..., A, 4] of boxes from default boxes: centre, and logarithm of the size."""
    centre, size = _centre_and_size(boxes)
    default_centre, default_size = _centre_and_size(default_boxes)
    shift = (centre - default_centre) / default_size / CENTRE_UNIT
    return torch.cat([shift, (size / default_size).log() / SIZE_UNIT], dim=-1)


def decode_boxes(offsets: Tensor, default_boxes: Tensor) -> Tensor:
    """Corners [..., A, 4] of the boxes that `offsets` stand for."""
    default_centre, default_size = _centre_and_size(default_boxes)
    centre = offsets[..., :2] * CENTRE_UNIT * default_size + default_centre
    half = (offsets[..., 2:] * SIZE_UNIT).clamp(max=MOST_GROWTH).exp() * default_size / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def detection_loss(
    offsets: Tensor,
    logits: Tensor,
    targets: Targets,
    default_boxes: Tensor,
    *,
    negatives: float = 3.0,
) -> tuple[Tensor, Tensor]:
    """SSD's losses of boxes and of classes, each over the number of assigned default boxes.

        boxes = Σ_assigned smooth_l1(offsets - true offsets) / N
        classes = Σ_{assigned and hard} cross_entropy(logits, class) / N

    Hard are, in each image, the background boxes of the largest loss, `negatives` times as many as
    the assigned ones. (Where there are not so many, torchvision counts assigned boxes twice.)

    Args:
        offsets: [B, A, 4].
        logits: [B, A, 1 + classes], the background first.
        default_boxes: Corners in pixels [A, 4].
    """
    if not targets.labels.shape[1]:
        targets = _padded(targets)
    assigned = assign(targets, default_boxes)
    found = assigned >= 0
    place = assigned.clamp(min=0)
    labels = targets.labels.gather(1, place).masked_fill(~found, 0)
    boxes = targets.boxes.gather(1, place[..., None].expand(-1, -1, 4))
    # Padding may have no size, whose logarithm would spoil the gradient even times 0.
    boxes = torch.where(found[..., None], boxes, default_boxes)
    count = found.sum().clamp(min=1)
    distance = functional.smooth_l1_loss(
        offsets, encode_boxes(boxes, default_boxes), reduction="none"
    )
    box_loss = (distance.sum(-1) * found).sum() / count
    each = functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    order = each.detach().masked_fill(found, -torch.inf).argsort(1, descending=True)
    hard = order.argsort(1) < negatives * found.sum(1, keepdim=True)
    class_loss = (each * (found | hard)).sum() / count
    return box_loss, class_loss


def _padded(targets: Targets) -> Targets:
    """Of a batch without boxes: one row of padding, as reductions need one."""
    count = len(targets.labels)
    return Targets(targets.boxes.new_zeros(count, 1, 4), targets.labels.new_zeros(count, 1))


def _centre_and_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + size / 2, size
