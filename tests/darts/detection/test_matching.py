"""Assignment, offsets and loss, compared with a literal form and with torchvision's SSD."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from darts.detection.default_boxes import create_default_boxes, scales
from darts.detection.matching import (
    Targets,
    assign,
    decode_boxes,
    detection_loss,
    encode_boxes,
    pair_iou,
)
from darts.system.torchvision_compat import torchvision


def random_targets(generator: torch.Generator, counts: list[int], size: float) -> Targets:
    boxes = torch.zeros(len(counts), max(counts), 4, dtype=torch.float64)
    labels = torch.zeros(len(counts), max(counts), dtype=torch.int64)
    for row, count in enumerate(counts):
        corners = torch.rand(count, 2, 2, generator=generator, dtype=torch.float64) * size
        low, high = corners.amin(1), corners.amax(1) + 2
        boxes[row, :count] = torch.cat([low, high], 1)
        labels[row, :count] = torch.randint(1, 4, (count,), generator=generator)
    return Targets(boxes, labels)


@pytest.fixture
def problem() -> tuple[Tensor, Tensor, Targets, Tensor]:
    """Offsets, logits, targets (one image has none) and default boxes, in float64."""
    generator = torch.Generator().manual_seed(3)
    default = create_default_boxes((8, 4, 2, 1), 64).corners.double()
    targets = random_targets(generator, [3, 1, 5, 0], 60)
    count = len(default)
    offsets = torch.randn(4, count, 4, generator=generator, dtype=torch.float64)
    logits = torch.randn(4, count, 4, generator=generator, dtype=torch.float64)
    return offsets, logits, targets, default


def iou_by_hand(one: list[float], other: list[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def literal_assignment(boxes: list[list[float]], default: list[list[float]]) -> list[int]:
    """The assignment of SSD, §2.2, one box at a time."""
    chosen = []
    for place in default:
        overlaps = [iou_by_hand(box, place) for box in boxes]
        best = max(overlaps, default=-1.0)
        chosen.append(overlaps.index(best) if best >= 0.5 else -1)
    for number, box in enumerate(boxes):
        overlaps = [iou_by_hand(box, place) for place in default]
        chosen[overlaps.index(max(overlaps))] = number
    return chosen


def literal_loss(offsets: Tensor, logits: Tensor, targets: Targets, default: Tensor) -> Any:
    """Both losses, one image and one box at a time."""
    boxes_sum = classes_sum = torch.zeros((), dtype=torch.float64)
    total = 0
    for row in range(len(offsets)):
        present = targets.labels[row] > 0
        boxes = targets.boxes[row][present]
        chosen = literal_assignment(boxes.tolist(), default.tolist())
        background = []
        for place, number in enumerate(chosen):
            chances = logits[row, place].log_softmax(0)
            if number < 0:
                background.append(-chances[0])
                continue
            total += 1
            classes_sum = classes_sum - chances[int(targets.labels[row, number])]
            x1, y1, x2, y2 = boxes[number].tolist()
            a1, b1, a2, b2 = default[place].tolist()
            wanted = [
                ((x1 + x2) / 2 - (a1 + a2) / 2) / (a2 - a1) / 0.1,
                ((y1 + y2) / 2 - (b1 + b2) / 2) / (b2 - b1) / 0.1,
                math.log((x2 - x1) / (a2 - a1)) / 0.2,
                math.log((y2 - y1) / (b2 - b1)) / 0.2,
            ]
            for k in range(4):
                distance = (offsets[row, place, k] - wanted[k]).abs()
                near = distance < 1
                boxes_sum = boxes_sum + (distance**2 / 2 if near else distance - 0.5)
        hard = 3 * (len(chosen) - len(background))
        for value in sorted(background, key=lambda one: -one.item())[:hard]:
            classes_sum = classes_sum + value
    return boxes_sum / total, classes_sum / total


def test_iou_by_hand() -> None:
    one = torch.tensor([[0.0, 0, 2, 2]])
    others = torch.tensor([[1.0, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]])
    assert pair_iou(one, others).tolist() == [[pytest.approx(1 / 7), 1.0, 0.0]]


def test_assignment_equals_the_literal_one(problem: Any) -> None:
    _, _, targets, default = problem
    found = assign(targets, default)
    for row in range(4):
        boxes = targets.boxes[row][targets.labels[row] > 0].tolist()
        assert found[row].tolist() == literal_assignment(boxes, default.tolist())
    assert (found[3] == -1).all()
    assert {number for number in found[2].tolist() if number >= 0} == set(range(5))


def test_loss_and_gradients_equal_the_literal_ones(problem: Any) -> None:
    offsets, logits, targets, default = problem
    results = []
    for loss in (detection_loss, literal_loss):
        inputs = [value.clone().requires_grad_() for value in (offsets, logits)]
        losses = loss(*inputs, targets, default)
        results.append([*losses, *torch.autograd.grad(sum(losses), inputs)])
    for ours, literal in zip(*results, strict=True):
        torch.testing.assert_close(ours, literal, rtol=1e-12, atol=1e-12)


def test_loss_equals_torchvisions(problem: Any) -> None:
    offsets, logits, targets, default = problem
    detection = torchvision.models.detection
    boxes = detection.anchor_utils.DefaultBoxGenerator([[2]])
    ssd = detection.ssd.SSD(torch.nn.Identity(), boxes, (64, 64), 4, head=torch.nn.Identity())
    listed = [
        {"boxes": b[label > 0], "labels": label[label > 0]}
        for b, label in zip(targets.boxes, targets.labels, strict=True)
    ]
    matched = [
        ssd.proposal_matcher(torchvision.ops.box_iou(target["boxes"], default))
        if len(target["boxes"])
        else torch.full((len(default),), -1)
        for target in listed
    ]
    outputs = {"bbox_regression": offsets, "cls_logits": logits}
    theirs = ssd.compute_loss(listed, outputs, [default] * 4, matched)
    box_loss, class_loss = detection_loss(offsets, logits, targets, default)
    torch.testing.assert_close(box_loss, theirs["bbox_regression"], rtol=1e-12, atol=0)
    torch.testing.assert_close(class_loss, theirs["classification"], rtol=1e-12, atol=0)


def test_decoding_inverts_encoding(problem: Any) -> None:
    _, _, targets, default = problem
    boxes = targets.boxes[2, torch.arange(len(default)) % 5]
    torch.testing.assert_close(decode_boxes(encode_boxes(boxes, default), default), boxes)


def test_loss_without_boxes_is_zero_and_differentiable() -> None:
    default = create_default_boxes((2, 1), 32).corners
    targets = Targets(torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64))
    offsets = torch.zeros(1, len(default), 4, requires_grad=True)
    logits = torch.zeros(1, len(default), 3, requires_grad=True)
    losses = detection_loss(offsets, logits, targets, default)
    assert [loss.item() for loss in losses] == [0.0, 0.0]
    sum(losses).backward()  # type: ignore[union-attr]
    assert offsets.grad is not None
    assert not offsets.grad.any()


def test_scales_are_those_of_ssd300() -> None:
    """The sizes in pixels of the authors' configuration for COCO at 300 pixels."""
    assert [round(300 * scale) for scale in scales(6)] == [21, 45, 99, 153, 207, 261, 315]


def test_default_boxes_by_hand() -> None:
    """Maps of 2x2 and 1x1 for images of 100 pixels."""
    boxes = create_default_boxes((2, 1), 100)
    assert boxes.shapes == (4, 4)
    corners = boxes.corners
    assert corners.shape == (4 * 4 + 4, 4)
    middle = math.sqrt(0.07 * 0.15) * 100
    wide, tall = 7 * math.sqrt(2), 7 / math.sqrt(2)
    sizes = [(7, 7), (middle, middle), (wide, tall), (tall, wide)]
    second_place = [(75 - w / 2, 25 - h / 2, 75 + w / 2, 25 + h / 2) for w, h in sizes]
    torch.testing.assert_close(corners[4:8], torch.tensor(second_place), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(corners[16], torch.tensor([42.5, 42.5, 57.5, 57.5]))
