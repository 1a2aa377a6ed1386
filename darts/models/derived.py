"""The derived network: a stem, a stack of derived cells, a classifier, and an auxiliary head.

Macro structure of DARTS and PC-DARTS (authors' model.py): C doubles at the reduction cells, which
lie at one and two thirds of the depth; the auxiliary head reads the cell two thirds down.
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
from genotypes import Genotype, parse_genotype
from ops.recompute import recomputed
from ops.regularize import Noise, dropout, needed_noise


@dataclass(frozen=True)
class Setting:
    """A network's size where nothing else is asked, and the image size of its data."""

    channels: int
    layers: int
    num_classes: int
    resolution: int


# PC-DARTS, §4.2 and §4.3: one setting a stem.
SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {"cifar": Setting(36, 20, 10, 32), "imagenet": Setting(48, 14, 1000, 224)}
)


class AuxiliaryHead(nn.Module):
    """A second classifier in mid-network, for training only (PC-DARTS, §4.2).

    ReLU, 5x5 average pooling, 1x1 convolution to 128, 2x2 convolution to 768, linear. The ImageNet
    form pools with stride 2 instead of 3 and lacks the norm after the 2x2 convolution: an old slip
    of the authors, kept because published networks have it. On images larger than the usual ones
    the 768 channels are averaged over what remains of the image.

    Shapes: `[B, channels, H, W]` with H and W at least `smallest`, result `[B, num_classes]`.
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
        channels: C of the first cell; it doubles at each reduction cell.
        layers: Number of cells.
        stem: "cifar" keeps the resolution, "imagenet" divides it by 8.
        auxiliary: Whether there is an auxiliary head.

    Raises:
        UserError: A number is not positive, or there is no such stem.
        ChannelError: An odd `channels` in a place that halves it.
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
        # Plain values that `network_from_description` rebuilds this network from.
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
        # Whether cells are computed again in the backward pass, to save memory.
        self.recompute = False
        # The last reduction cell lies two thirds down.
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

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Network:
        """The network of a `description`, with fresh weights.

        Raises:
            GenotypeError: The genotype in it is wrong.
        """
        options = dict(description)
        return cls(parse_genotype(options.pop("genotype"), "network description"), **options)

    def check_image_size(self, height: int, width: int) -> None:
        """Raise UserError unless the network takes such images (in training: its head as well)."""
        check_image_size(height, width, self.image_multiple)
        if self.training and self.auxiliary_head is not None:
            smallest = self.auxiliary_head.smallest * self.image_multiple
            if min(height, width) < smallest:
                raise UserError(
                    f"The auxiliary head needs images of at least {smallest}x{smallest} pixels "
                    f"here, not {height}x{width}. Leave the auxiliary head out, or use larger "
                    "images."
                )

    def forward(
        self, images: Tensor, drop_path: float = 0.0, generator: Noise | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Logits, and those of the auxiliary head in training mode if there is one.

        Args:
            images: `[B, 3, H, W]`; see `check_image_size`.
            drop_path: Probability of dropping an operation's output; without effect at test.
            generator: Noise of drop path and dropout, needed in training with either.

        Returns:
            `[B, num_classes]` twice, or None for the second.
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
        """Feature maps, see `darts.models.features`: what the stem and the last cell of each scale
        give.

        They are sums of normalised operations, with no ReLU behind them.
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
    """The stem that a genotype was searched with, or its data set's; "cifar" where unknown."""
    provenance = genotype.provenance
    photographs = str(provenance.get("searched_on", "")).startswith("imagenet")
    return "imagenet" if photographs or provenance.get("stem") == "imagenet" else "cifar"
