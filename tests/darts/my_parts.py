"""A user's own file: two parts, an operation and a space. Tests copy it; nothing imports it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from darts.methods.relaxation import BaseRelaxation
from darts.plugins import register


@register("relaxation", "sharp")
@dataclass(frozen=True)
class Sharp(BaseRelaxation):
    """A softmax with a temperature."""

    temperature: float = 0.5

    def probabilities(self, alpha):
        return (alpha / self.temperature).softmax(dim=1)

    def log_probabilities(self, alpha):
        return (alpha / self.temperature).log_softmax(dim=1)


@register("regulariser", "decided")
@dataclass(frozen=True)
class Decided:
    """Rewards rows with one large weight."""

    strength: float = 0.1
    recordable: ClassVar[bool] = True

    def __call__(self, architecture):
        tables = [architecture.weights(kind).operations for kind in architecture.kinds]
        return -self.strength * torch.cat(tables).square().sum(1).mean()


class Scaled(nn.Module):
    """ReLU, depthwise convolution, batch norm."""

    def __init__(self, channels, stride, affine, size):
        super().__init__()
        self.convolution = nn.Conv2d(
            channels, channels, size, stride, size // 2, groups=channels, bias=False
        )
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x):
        return self.norm(self.convolution(x.relu()))


@register.operation("scaled_3x3")
class Scaled3(Scaled):
    def __init__(self, channels, stride, affine):
        super().__init__(channels, stride, affine, size=3)


@register.operation("scaled_5x5")
def scaled_5(channels, stride, affine):
    return Scaled(channels, stride, affine, size=5)


register.space(name="scaled", operations=("none", "scaled_3x3", "scaled_5x5"))
