"""Shapes by formula equal those of a pass over real numbers, and refused inputs stay refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from darts.costs.shapes import ShapesOnly


class Joined(nn.Module):
    """Sums, a product with a gate, concatenation and a mean."""

    def forward(self, x: Tensor) -> Tensor:
        gated = (x + x * x.mean((2, 3), keepdim=True).sigmoid()) * 2.0
        return torch.cat([gated, x], dim=1).mean((-1,))


LAYERS = [
    nn.Conv2d(6, 4, (3, 5), stride=(2, 1), padding=(0, 2), dilation=(2, 1)),
    nn.Conv2d(6, 6, 5, padding="same", groups=3),
    nn.Sequential(nn.ReLU(), nn.Conv2d(6, 8, 1), nn.BatchNorm2d(8), nn.SiLU(inplace=True)),
    nn.MaxPool2d(3, 2, padding=1),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.AvgPool2d(3, padding=1, count_include_pad=False),
    nn.AvgPool2d(2),
    nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5), nn.Hardswish()),
    nn.AdaptiveAvgPool2d(3),
    Joined(),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
@pytest.mark.parametrize("size", [(11, 9), (8, 8)], ids=str)
def test_shapes_equal_those_of_numbers(layer: nn.Module, size: tuple[int, int]) -> None:
    x = torch.zeros(2, 6, *size)
    with ShapesOnly(), torch.no_grad():
        numbers = layer.eval()(x)  # Numbers are computed as ever.
        meta = layer.to("meta")(x.to("meta"))
    assert meta.is_meta
    assert meta.shape == numbers.shape
    layer.to_empty(device="cpu")


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2), nn.Conv2d(6, 4, 9)], ids=repr
)
def test_what_does_not_fit_is_refused(layer: nn.Module) -> None:
    with ShapesOnly(), pytest.raises((RuntimeError, ValueError)):
        layer.to("meta")(torch.empty(2, 6, 8, 8, device="meta"))


def test_counting_imports_no_compiler() -> None:
    program = (
        "import sys\n"
        "from darts.costs.count import count\n"
        "from darts.models.registry import create_network\n"
        "for name in ('pcdarts_imagenet', 'regnety_200mf', 'efficientnet_b0'):\n"
        "    network = create_network(name, num_classes=10)\n"
        "    assert count(network, network.resolution).macs\n"
        "print('sympy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
