"""torchvision can be imported with this torch, and its non-maximum suppression is correct."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from darts.system.torchvision_compat import (
    _LIBRARY,
    greedy_nms,
    plain_roi_align,
    torchvision,
)


def test_a_fresh_process_uses_all_of_torchvision() -> None:
    program = """
from darts.system.torchvision_compat import torchvision
import torch, torchvision.datasets, torchvision.transforms.v2
torchvision.datasets.CIFAR10, torchvision.datasets.ImageFolder
print(tuple(torchvision.models.resnet18().eval()(torch.zeros(1, 3, 32, 32)).shape))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "(1, 1000)\n"), done.stderr


def test_operators_are_declared_only_where_the_native_ones_are_missing() -> None:
    assert (_LIBRARY is None) == torchvision.extension._has_ops()


def random_boxes(count: int, generator: torch.Generator) -> Tensor:
    """Boxes with corners on a coarse grid, so that equal overlaps and empty boxes occur."""
    corners = torch.randint(0, 8, (count, 2, 2), generator=generator).double()
    return torch.cat([corners.amin(1), corners.amax(1)], dim=1)


def literal_nms(boxes: Tensor, scores: Tensor, threshold: float) -> list[int]:
    """Every pair, one by one."""

    def overlap(a: list[float], b: list[float]) -> float:
        width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - width * height
        return width * height / union if union else 0.0

    corners, kept = boxes.tolist(), []
    for index in sorted(range(len(corners)), key=lambda i: -scores[i].item()):
        if all(overlap(corners[index], corners[other]) <= threshold for other in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize("nms", [torchvision.ops.nms, greedy_nms], ids=["torchvision", "fallback"])
@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("count", [0, 1, 60])
@pytest.mark.parametrize("block", [512, 7])
def test_nms_equals_the_literal_form(nms, threshold, count, block, generator, monkeypatch) -> None:
    monkeypatch.setattr("darts.system.torchvision_compat._BLOCK", block)
    boxes = random_boxes(count, generator)
    scores = torch.randint(0, 10, (count,), generator=generator).double()  # with ties
    assert nms(boxes, scores, threshold).tolist() == literal_nms(boxes, scores, threshold)


def test_an_overlap_equal_to_the_threshold_stays() -> None:
    boxes = torch.tensor([[0.0, 0.0, 2.0, 1.0], [1.0, 0.0, 2.0, 1.0], [0.0, 0.0, 2.0, 1.0]])
    scores = torch.tensor([0.1, 0.2, 0.3])
    # Box 2 overlaps exactly half of box 1, and all of box 0.
    assert greedy_nms(boxes, scores, 0.5).tolist() == [2, 1]
    assert greedy_nms(boxes, scores, 0.49).tolist() == [2]
    # As a float, 0.1 exceeds the number 0.1: one shared unit of ten is too much.
    tenth = torch.tensor([[0.0, 0.0, 10.0, 1.0], [9.0, 0.0, 10.0, 1.0]])
    assert torchvision.ops.nms(tenth, scores[:2], 0.1).tolist() == [1]


def test_boxes_of_other_classes_do_not_suppress(generator) -> None:
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(3, 1)
    scores = torch.tensor([0.1, 0.2, 0.3])
    kept = torchvision.ops.batched_nms(boxes, scores, torch.tensor([0, 1, 1]), 0.5)
    assert kept.tolist() == [2, 0]


@pytest.mark.filterwarnings("ignore:`create_unbacked_symint`")
def test_torchvision_describes_the_operators_to_the_compiler() -> None:
    with FakeTensorMode(shape_env=ShapeEnv()):
        kept = torch.ops.torchvision.nms(torch.empty(5, 4), torch.empty(5), 0.5)
    assert kept.dtype == torch.int64
    assert kept.dim() == 1


def literal_roi_align(
    maps: Tensor, boxes: Tensor, scale: float, rows: int, columns: int, ratio: int, aligned: bool
) -> Tensor:
    """One sample after the other, as in the native kernel."""

    def sample(image: Tensor, y: float, x: float) -> Tensor:
        height, width = image.shape[-2:]
        if not (-1 <= y <= height and -1 <= x <= width):
            return torch.zeros(len(image), dtype=image.dtype)
        y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
        top, left = min(int(y), max(height - 2, 0)), min(int(x), max(width - 2, 0))
        bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
        down, aside = y - top, x - left
        return (
            (1 - down) * ((1 - aside) * image[:, top, left] + aside * image[:, top, right])
            + down * ((1 - aside) * image[:, bottom, left] + aside * image[:, bottom, right])
        )  # fmt: skip

    found = torch.zeros(len(boxes), maps.shape[1], rows, columns, dtype=maps.dtype)
    for number, box in enumerate(boxes.tolist()):
        x1, y1, x2, y2 = (scale * one - 0.5 * aligned for one in box[1:])
        width, height = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
        for row in range(rows):
            for column in range(columns):
                for i in range(ratio):
                    for j in range(ratio):
                        y = y1 + height * (row + (i + 0.5) / ratio) / rows
                        x = x1 + width * (column + (j + 0.5) / ratio) / columns
                        found[number, :, row, column] += sample(maps[int(box[0])], y, x) / ratio**2
    return found


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("sides", [(5, 7), (1, 4)])
def test_roi_align_equals_the_literal_form(aligned, sides, generator) -> None:
    """With boxes within the image, across its border, and outside."""
    maps = torch.rand(2, 3, *sides, generator=generator, dtype=torch.float64)
    corners = torch.rand(9, 2, 2, generator=generator, dtype=torch.float64) * 60 - 15
    images = torch.randint(0, 2, (9, 1), generator=generator).double()
    boxes = torch.cat([images, corners.amin(1), corners.amax(1)], dim=1)
    arguments = (boxes, 0.25, 2, 3, 2, aligned)
    found = plain_roi_align(maps, *arguments)
    torch.testing.assert_close(found, literal_roi_align(maps, *arguments), rtol=1e-12, atol=1e-12)
    assert found.abs().sum() > 0
    # Of one image alone, and none at all.
    second = boxes[boxes[:, 0] == 1]
    alone = plain_roi_align(maps, second, *arguments[1:])
    torch.testing.assert_close(alone, found[boxes[:, 0] == 1])
    assert plain_roi_align(maps, boxes[:0], *arguments[1:]).shape == (0, 3, 2, 3)


def test_roi_align_of_torchvision_is_ours_where_the_native_one_is_missing(generator) -> None:
    maps = torch.rand(2, 3, 8, 8, generator=generator, requires_grad=True)
    boxes = [torch.tensor([[0.0, 0.0, 20.0, 20.0]]), torch.tensor([[5.0, 3.0, 30.0, 22.0]])]
    found = torchvision.ops.roi_align(maps, boxes, 3, 0.25, 2)
    rows = torch.cat([torch.tensor([[0.0], [1.0]]), torch.cat(boxes)], dim=1)
    torch.testing.assert_close(found, plain_roi_align(maps, rows, 0.25, 3, 3, 2, False))
    found.sum().backward()
    assert maps.grad is not None
    with pytest.raises(ValueError, match="depends on the box"):
        plain_roi_align(maps, rows, 0.25, 3, 3, -1, False)
