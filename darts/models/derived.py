"""The derived network: a stem, a stack of derived cells, a classifier and an auxiliary head.

The structure is that of DARTS and PC-DARTS (model.py in their code): C doubles at the reduction
cells, at one third and two thirds of the depth. The auxiliary head reads the second of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from cells.derived_cell import DerivedCell
from cells.skeleton import Skeleton
from darts.errors import UserError
from darts.models.classifier import Classifier
from darts.models.stems import check_image_size, create_network_stem
from genotypes import Genotype
from ops.recompute import recomputed
from ops.regularize import Noise, dropout, needed_noise


@dataclass(frozen=True)
class Setting:
    """Default size of a network, and the image size of its data.

    Attributes:
        channels: C of the first cell.
        layers: Number of cells.
        num_classes: Number of classes.
        resolution: Height and width of the images.
    """

    channels: int
    layers: int
    num_classes: int
    resolution: int


# The sizes of PC-DARTS, §4.2 and §4.3, one per stem.
SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {"cifar": Setting(36, 20, 10, 32), "imagenet": Setting(48, 14, 1000, 224)}
)


class AuxiliaryHead(nn.Module):
    """A second classifier inside the network, used only in training (PC-DARTS, §4.2).

    ReLU, 5x5 average pooling, 1x1 convolution to 128 channels, 2x2 convolution to 768 channels and
    a linear layer. The ImageNet form pools with stride 2 instead of 3 and has no batch norm after
    the 2x2 convolution. This is an old error in the code of DARTS, kept because published networks
    have it. Departure: on images larger than usual, the 768 channels are averaged over the
    remaining pixels.

    Shapes: `[B, channels, H, W]` with H and W at least `smallest`; result `[B, num_classes]`.

    >>> import torch
    >>> AuxiliaryHead(16, 10, "cifar").eval()(torch.zeros(2, 16, 8, 8)).shape
    torch.Size([2, 10])

    Attributes:
        smallest: The smallest height and width of its input.
    """

    def __init__(self, channels: int, num_classes: int, stem: str) -> None:
        super().__init__()
        stride = 2 if stem == "imagenet" else 3
        self.smallest = 5 + stride
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, stride, count_include_pad=False),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.Identity() if stem == "imagenet" else nn.BatchNorm2d(768),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean(dim=(2, 3)))


class Network(Classifier):
    """A network of derived cells, to be trained from scratch.

    Args:
        genotype: The cells.
        num_classes: Number of classes.
        channels: C of the first cell; each reduction cell doubles it.
        layers: Number of cells.
        stem: "cifar" keeps the resolution, "imagenet" divides it by 8.
        auxiliary: Whether there is an auxiliary head.

    Attributes:
        description: Plain values from which `darts.models.registry.network_from_description`
            rebuilds the network.
        dropout: The probability of dropping an input of the classifier in training.
        recompute: Whether cells are recomputed in the backward pass, which saves memory.
        auxiliary_layer: The cell whose output the auxiliary head reads: the last reduction cell.
        image_multiple: Height and width of images must be multiples of this.
        feature_channels: Channels of the maps of `features`.
        feature_strides: Image size divided by the size of each map.
        resolution: Height and width of the images that the network is meant for.

    Raises:
        UserError: A number is not positive, or there is no such stem.
        ChannelError: A factorised reduction needs an even number of channels.
    """

    auxiliary_head: AuxiliaryHead | None

    def __init__(
        self,
        genotype: Genotype,
        *,
        num_classes: int,
        channels: int,
        layers: int,
        stem: str,
        auxiliary: bool = False,
    ) -> None:
        super().__init__()
        sizes = {"num_classes": num_classes, "channels": channels, "layers": layers}
        for name, value in sizes.items():
            if value < 1:
                raise UserError(f"A network needs {name} of at least 1, not {value}.")
        self.description: dict[str, Any] = {
            "genotype": genotype.as_dict(),
            **sizes,
            "stem": stem,
            "auxiliary": auxiliary,
        }
        self.stem = create_network_stem(stem, channels)
        skeleton = Skeleton.of(
            layers=layers,
            channels=channels,
            stem=(self.stem.out_channels0, self.stem.out_channels1),
            width=lambda kind: len(genotype.cell(kind)[1]),
            stem_reduces=self.stem.reduces,
        )
        cells = [DerivedCell(genotype, place) for place in skeleton.cells]
        self.cells = nn.ModuleList(cells)
        self.classifier = nn.Linear(skeleton.out_channels, num_classes)
        self.dropout = 0.0
        self.recompute = False
        self._reductions = skeleton.reductions
        self.auxiliary_layer = self._reductions[-1]
        head_channels = cells[self.auxiliary_layer].out_channels
        self.auxiliary_head = AuxiliaryHead(head_channels, num_classes, stem) if auxiliary else None
        self.image_multiple = self.stem.multiple * skeleton.shrinkage
        finest = self.stem.multiple // 2 if self.stem.reduces else 1
        self.feature_channels = (
            *((self.stem.out_channels0,) if self.stem.reduces else ()),
            *(skeleton.cells[layer].previous for layer in self._reductions),
            skeleton.out_channels,
        )
        self.feature_strides = tuple(
            finest * 2**scale for scale in range(len(self.feature_channels))
        )
        self.resolution = SETTINGS[stem].resolution

    @property
    def averaged(self) -> nn.Module:
        """The last cell."""
        return self.cells[-1]

    def check_image_size(self, height: int, width: int) -> None:
        """Raise UserError if the network (in training also its head) cannot process such images."""
        check_image_size(height, width, self.image_multiple)
        if self.training and self.auxiliary_head is not None:
            smallest = self.auxiliary_head.smallest * self.image_multiple
            if min(height, width) < smallest:
                raise UserError(
                    f"The auxiliary head of this network needs images of at least "
                    f"{smallest}x{smallest} pixels, not {height}x{width}. Leave the auxiliary head "
                    "out, or use larger images."
                )

    def forward(
        self, images: Tensor, drop_path: float = 0.0, generator: Noise | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Compute the logits and, in training mode, those of the auxiliary head.

        Args:
            images: `[B, 3, H, W]`; see `check_image_size`.
            drop_path: The probability of dropping an operation's output; unused in evaluation mode.
            generator: Source of the dropout masks; required in training with drop path or dropout.

        Returns:
            Logits `[B, num_classes]`, and those of the auxiliary head or None.
        """
        self.check_image_size(*images.shape[-2:])
        generator = needed_noise(self.training, drop_path, self.dropout, generator)
        auxiliary = None
        before_previous, previous = self.stem(images)
        for layer, cell in enumerate(self.cells):
            inputs = (before_previous, previous, drop_path)
            if self.recompute:
                output = recomputed(cell, *inputs, generator=generator)
            else:
                output = cell(*inputs, generator)
            before_previous, previous = previous, output
            if layer == self.auxiliary_layer and self.training and self.auxiliary_head is not None:
                auxiliary = self.auxiliary_head(output)
        features = previous.mean(dim=(2, 3))
        if generator is not None:
            features = dropout(features, self.dropout, generator)
        return self.classifier(features), auxiliary

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute feature maps: the outputs of the stem and of the last cell of each scale.

        They are sums of normalised operations without a final ReLU. See `darts.models.features`.
        """
        self.check_image_size(*images.shape[-2:])
        before_previous, previous = self.stem(images)
        maps = [before_previous] if self.stem.reduces else []
        for layer, cell in enumerate(self.cells):
            if layer in self._reductions:
                maps.append(previous)
            before_previous, previous = previous, cell(before_previous, previous)
        return (*maps, previous)


def default_stem(genotype: Genotype) -> str:
    """The stem of the genotype's search or of its data set; "cifar" if both are unknown."""
    provenance = genotype.provenance
    photographs = str(provenance.get("searched_on", "")).startswith("imagenet")
    return "imagenet" if photographs or provenance.get("stem") == "imagenet" else "cifar"
