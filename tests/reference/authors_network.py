"""Derived networks with the module structure of the code of DARTS and PC-DARTS (cnn/model.py).

Only names, layers and their order are theirs; the checkpoints that people share have these names.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genotypes import Genotype


class Reduce(nn.Module):
    """FactorizedReduce: `conv_1` reads the pixels, `conv_2` those one further down and right."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(c_in, c_out // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(c_in, c_out // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], dim=1))


class Layers(nn.Module):
    """Layers under the name `op`."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


def depthwise(c: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    around = dilation * (kernel - 1) // 2
    window = nn.Conv2d(c, c, kernel, stride, around, dilation, groups=c, bias=False)
    return [nn.ReLU(), window, nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c)]


def operation(name: str, c: int, stride: int) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else Reduce(c, c)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, 1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    if name == "conv_7x1_1x7":
        return nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(c, c, (1, 7), (1, stride), (0, 3), bias=False),
            nn.Conv2d(c, c, (7, 1), (stride, 1), (3, 0), bias=False),
            nn.BatchNorm2d(c),
        )
    kernel = int(name[-1])
    if name.startswith("dil_conv"):
        return Layers(*depthwise(c, kernel, stride, 2))
    return Layers(*depthwise(c, kernel, stride), *depthwise(c, kernel, 1))


def adapter(c_in: int, c_out: int) -> nn.Module:
    return Layers(nn.ReLU(), nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out))


class AuthorsCell(nn.Module):
    def __init__(
        self, genotype: Genotype, sizes: tuple[int, int, int], reduction: bool, after: bool
    ) -> None:
        super().__init__()
        before, previous, c = sizes
        self.preprocess0 = Reduce(before, c) if after else adapter(before, c)
        self.preprocess1 = adapter(previous, c)
        self.nodes, self.concat = genotype.cell("reduce" if reduction else "normal")
        self._ops = nn.ModuleList(
            operation(name, c, 2 if reduction and source < 2 else 1)
            for node in self.nodes
            for name, source in node
        )

    def forward(self, s0: Tensor, s1: Tensor) -> Tensor:
        states, operations = [self.preprocess0(s0), self.preprocess1(s1)], iter(self._ops)
        for node in self.nodes:
            states.append(sum(next(operations)(states[source]) for _, source in node))
        return torch.cat([states[state] for state in self.concat], dim=1)


class AuxiliaryOfAuthors(nn.Module):
    def __init__(self, c: int, classes: int, imagenet: bool) -> None:
        super().__init__()
        layers = [
            nn.ReLU(),
            nn.AvgPool2d(5, 2 if imagenet else 3, count_include_pad=False),
            nn.Conv2d(c, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            *([] if imagenet else [nn.BatchNorm2d(768)]),
            nn.ReLU(),
        ]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


class AuthorsNetwork(nn.Module):
    """NetworkCIFAR (stem "cifar") or NetworkImageNet (stem "imagenet") of their code."""

    def __init__(
        self, genotype: Genotype, c: int, layers: int, classes: int, stem: str, auxiliary: bool
    ) -> None:
        super().__init__()
        self.imagenet = stem == "imagenet"
        if self.imagenet:
            self.stem0 = nn.Sequential(
                nn.Conv2d(3, c // 2, 3, 2, 1, bias=False),
                nn.BatchNorm2d(c // 2),
                nn.ReLU(),
                nn.Conv2d(c // 2, c, 3, 2, 1, bias=False),
                nn.BatchNorm2d(c),
            )
            self.stem1 = nn.Sequential(
                nn.ReLU(), nn.Conv2d(c, c, 3, 2, 1, bias=False), nn.BatchNorm2d(c)
            )
            before = previous = c
        else:
            before = previous = 3 * c
            self.stem = nn.Sequential(
                nn.Conv2d(3, 3 * c, 3, padding=1, bias=False), nn.BatchNorm2d(3 * c)
            )
        self.cells = nn.ModuleList()
        after = self.imagenet
        for layer in range(layers):
            reduction = layer in (layers // 3, 2 * layers // 3)
            c *= 2 if reduction else 1
            cell = AuthorsCell(genotype, (before, previous, c), reduction, after)
            self.cells.append(cell)
            before, previous, after = previous, len(cell.concat) * c, reduction
            if layer == 2 * layers // 3:
                width = previous
        self.layer = 2 * layers // 3
        if auxiliary:
            self.auxiliary_head = AuxiliaryOfAuthors(width, classes, self.imagenet)
        self.auxiliary = auxiliary
        self.classifier = nn.Linear(previous, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.imagenet:
            s0 = self.stem0(images)
            s1 = self.stem1(s0)
        else:
            s0 = s1 = self.stem(images)
        second = None
        for layer, cell in enumerate(self.cells):
            s0, s1 = s1, cell(s0, s1)
            if layer == self.layer and self.auxiliary:
                second = self.auxiliary_head(s1)
        return self.classifier(s1.mean((2, 3))), second
