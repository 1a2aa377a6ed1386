"""Boxes and default boxes: overlap, assignment, offsets, and the loss of SSD.

Source: SSD (arXiv 1512.02325, §2.2). Everything works on a whole batch without synchronising with
the device: the boxes of an image are padded with rows of label 0. torchvision's `SSD` processes one
image at a time; tests assert that the results are equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from darts.system import distributed

# Units of the offsets, which give all four about the same variance (SSD's "variances").
CENTRE_UNIT, SIZE_UNIT = 0.1, 0.2
# A decoded box is at most 1000/16 times as large as its default box, as in torchvision.
MOST_GROWTH = math.log(1000 / 16)


@dataclass(frozen=True)
class Targets:
    """The objects in a batch of images.

    Attributes:
        boxes: Corners (x1, y1, x2, y2) in pixels `[B, M, 4]`; rows of padding are ignored.
        labels: Classes `[B, M]`, int64, numbered from 1; 0 is padding.
    """

    boxes: Tensor
    labels: Tensor


def pair_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes `[..., M, 4]` with others `[..., N, 4]`: `[..., M, N]`.

        IoU(a, b) = |a ∩ b| / |a ∪ b|

    >>> pair_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2]]))
    tensor([[0.3333]])
    """
    one, other = boxes[..., :, None, :], others[..., None, :, :]
    sides = one[..., 2:].minimum(other[..., 2:]) - one[..., :2].maximum(other[..., :2])
    shared = sides.clamp(min=0).prod(-1)
    areas = [(b[..., 2:] - b[..., :2]).prod(-1) for b in (one, other)]
    return shared / (areas[0] + areas[1] - shared)


def assign(targets: Targets, default_boxes: Tensor, threshold: float = 0.5) -> Tensor:
    """Assign a box of the image to each default box: index `[B, A]`, or -1 for the background.

    A default box is assigned the box with the largest IoU, provided that it is at least
    `threshold`. In addition, each box is assigned to the default box that overlaps it most. If
    several boxes compete for a default box, the last one wins.

    >>> targets = Targets(torch.tensor([[[0.0, 0, 10, 10]]]), torch.tensor([[1]]))
    >>> assign(targets, torch.tensor([[0.0, 0, 10, 9], [20, 20, 30, 30]]))
    tensor([[ 0, -1]])

    Args:
        targets: Boxes and labels of the batch.
        default_boxes: Corners in pixels `[A, 4]`.
        threshold: Smallest IoU.
    """
    present = targets.labels > 0
    iou = pair_iou(targets.boxes, default_boxes[None]).masked_fill(~present[..., None], -1.0)
    best, chosen = iou.max(1)
    chosen = chosen.masked_fill(best < threshold, -1)
    # `amax` is deterministic; the order of plain writes to one index is undefined.
    numbers = torch.arange(iou.shape[1], device=iou.device).expand_as(present)
    numbers = numbers.masked_fill(~present, -1)
    forced = torch.full_like(chosen, -1).scatter_reduce(1, iou.argmax(2), numbers, "amax")
    return torch.where(forced >= 0, forced, chosen)


def encode_boxes(boxes: Tensor, default_boxes: Tensor) -> Tensor:
    """Offsets `[..., A, 4]` of boxes from default boxes; the inverse of `decode_boxes`.

        t_xy = (centre - default centre) / (0.1 · default size)
        t_wh = log(size / default size) / 0.2

    >>> box = torch.tensor([[1.0, 0, 11, 10]])
    >>> encode_boxes(box, torch.tensor([[0.0, 0, 10, 10]]))
    tensor([[1., 0., 0., 0.]])
    """
    centre, size = _centre_and_size(boxes)
    default_centre, default_size = _centre_and_size(default_boxes)
    shift = (centre - default_centre) / default_size / CENTRE_UNIT
    return torch.cat([shift, (size / default_size).log() / SIZE_UNIT], dim=-1)


def decode_boxes(offsets: Tensor, default_boxes: Tensor) -> Tensor:
    """Corners `[..., A, 4]` of the boxes that `offsets` describe; see `encode_boxes`."""
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
    """The box loss and the class loss of SSD.

        box_loss = 1/N · Σ_{assigned} smooth_l1(offsets - true offsets)
        class_loss = 1/N · Σ_{assigned and hard} cross_entropy(logits, class)

    N is the number of assigned default boxes in the batch; with several processes, the mean number
    of a process, so that the mean of their losses is that of the whole batch. The hard boxes of an
    image are the background boxes with the largest loss, `negatives` times as many as its assigned
    boxes. (If an image has fewer background boxes, torchvision counts assigned boxes twice; this
    function does not.)

    >>> default_boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    >>> targets = Targets(torch.tensor([[[0.0, 0, 10, 10]]]), torch.tensor([[1]]))
    >>> detection_loss(torch.zeros(1, 2, 4), torch.zeros(1, 2, 2), targets, default_boxes)
    (tensor(0.), tensor(1.3863))

    Args:
        offsets: Predicted offsets `[B, A, 4]`.
        logits: Predicted logits `[B, A, 1 + classes]`, the background first.
        targets: Boxes and labels of the batch.
        default_boxes: Corners in pixels `[A, 4]`.
        negatives: Number of hard boxes per assigned box.

    Returns:
        The two losses.
    """
    if not targets.labels.shape[1]:
        targets = _padded(targets)
    assigned = assign(targets, default_boxes)
    found = assigned >= 0
    place = assigned.clamp(min=0)
    labels = targets.labels.gather(1, place).masked_fill(~found, 0)
    boxes = targets.boxes.gather(1, place[..., None].expand(-1, -1, 4))
    # A box of padding may have size 0; its infinite logarithm times 0 would be NaN.
    boxes = torch.where(found[..., None], boxes, default_boxes)
    count = _shared(found.sum())
    distance = functional.smooth_l1_loss(
        offsets, encode_boxes(boxes, default_boxes), reduction="none"
    )
    box_loss = (distance.sum(-1) * found).sum() / count
    each = functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    order = each.detach().masked_fill(found, -torch.inf).argsort(1, descending=True)
    hard = order.argsort(1) < negatives * found.sum(1, keepdim=True)
    class_loss = (each * (found | hard)).sum() / count
    return box_loss, class_loss


def _shared(count: Tensor) -> Tensor:
    """The mean of a count over all processes; of 1 or more in total."""
    if distributed.world() == 1:
        return count.clamp(min=1)
    mean = count.double()
    distributed.average([mean])
    return mean.clamp(min=1 / distributed.world())


def _padded(targets: Targets) -> Targets:
    """Add one row of padding to targets without boxes, because a maximum needs an element."""
    count = len(targets.labels)
    return Targets(targets.boxes.new_zeros(count, 1, 4), targets.labels.new_zeros(count, 1))


def _centre_and_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Centres and sizes `[..., 2]` of boxes `[..., 4]`."""
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + size / 2, size
