"""torchvision can be imported with this torch, and its non-maximum suppression is correct."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from darts.system.torchvision_compat import _LIBRARY, greedy_nms, torchvision


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
def test_nms_equals_the_literal_form(nms, threshold, count, generator) -> None:
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
