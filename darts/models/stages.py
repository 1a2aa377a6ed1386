"""The network of NAS-Bench-201: three stages of equal cells, joined by residual blocks.

Source: Dong and Yang, arXiv 2001.00326, §2.1, and the authors' code (D-X-Y/AutoDL-Projects): a 3x3
convolution and a batch norm; N cells of C channels; a residual block; N cells of 2C; a residual
block; N cells of 4C; batch norm, ReLU, average over all pixels, linear classifier.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from cells.derived_cell import DerivedStageCell
from cells.skeleton import STAGE_COUNT, Skeleton
from darts.errors import UserError
from darts.models.classifier import Classifier
from darts.models.derived import Setting
from darts.models.stems import check_image_size
from genotypes import Genotype
from ops.recompute import recomputed
from ops.regularize import Noise, dropout, needed_noise

STAGES_SETTING = Setting(channels=16, layers=15, num_classes=10, resolution=32)
"""The size of the networks of the benchmark: five cells in each stage."""


class StageReduction(nn.Module):
    """The residual block between two stages: twice the channels, half the size.

        y = conv(pool(x)) + BN(conv(ReLU(BN(conv(ReLU(x))))))

    The main path has two 3x3 convolutions, the first with stride 2. The shortcut averages 2x2
    pixels and has a 1x1 convolution without batch norm. Its batch norms have affine parameters,
    also in a supernet.

    Shapes: `[B, C, H, W]` with even H and W; result `[B, 2C, H/2, W/2]`.

    >>> import torch
    >>> StageReduction(4)(torch.zeros(2, 4, 8, 8)).shape
    torch.Size([2, 8, 4, 4])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.main = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, wide, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, padding=1, bias=False),
            nn.BatchNorm2d(wide),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels, wide, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.main(x)


def create_stage_stem(channels: int) -> nn.Sequential:
    """The stem: a 3x3 convolution and a batch norm, without ReLU."""
    return nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))


def create_stage_head(channels: int) -> nn.Sequential:
    """Batch norm and ReLU behind the last cell."""
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())


def cell_stages(layers: int, channels: int) -> Skeleton:
    """The places of the cells.

    Raises:
        UserError: The cells cannot be divided into three stages.
    """
    try:
        return Skeleton.of_stages(layers=layers, channels=channels)
    except ValueError as error:
        raise UserError(
            f"--layers {layers}: {error}. Give a multiple of {STAGE_COUNT}, such as "
            f"{STAGES_SETTING.layers} for five cells in each stage."
        ) from None


def check_stages_stem(stem: str) -> None:
    """Raise UserError unless the stem is the one of small images."""
    if stem != "cifar":
        raise UserError(
            f"--stem {stem}: a network of stages has a stem of its own, for small images. Give "
            "--stem cifar, and smaller images by --image-size."
        )


class StagesNetwork(Classifier):
    """A network of stages of derived cells, to be trained from scratch.

    >>> import torch
    >>> from genotypes import load_genotype
    >>> genotype = load_genotype("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    >>> network = StagesNetwork(genotype, num_classes=10, channels=16, layers=15, stem="cifar")
    >>> sum(p.numel() for p in network.parameters())
    73306

    Args:
        genotype: The cell.
        num_classes: Number of classes.
        channels: C, channels of the first stage.
        layers: Number of cells, a multiple of 3.
        stem: "cifar"; there is no other.
        auxiliary: False; such a network has no auxiliary head.

    Attributes:
        description: Plain values from which `darts.models.registry.network_from_description`
            rebuilds the network.
        dropout: The probability of dropping an input of the classifier in training.
        recompute: Whether cells are recomputed in the backward pass, which saves memory.
        image_multiple: Height and width of images must be multiples of this.

    Raises:
        UserError: A number is impossible, or the network cannot have such a stem or head.
    """

    auxiliary_head = None

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
        check_stages_stem(stem)
        if auxiliary:
            raise UserError("--auxiliary: a network of stages has no auxiliary head.")
        self.description: dict[str, Any] = {
            "genotype": genotype.as_dict(),
            **sizes,
            "stem": stem,
            "auxiliary": auxiliary,
        }
        skeleton = cell_stages(layers, channels)
        self.stem = create_stage_stem(channels)
        self.cells = nn.ModuleList(DerivedStageCell(genotype, place) for place in skeleton.cells)
        self.reductions = nn.ModuleList(
            StageReduction(channels * 2**stage) for stage in range(STAGE_COUNT - 1)
        )
        self.head = create_stage_head(skeleton.out_channels)
        self.classifier = nn.Linear(skeleton.out_channels, num_classes)
        self.dropout = 0.0
        self.recompute = False
        self.image_multiple = skeleton.shrinkage
        self.feature_channels = tuple(channels * 2**stage for stage in range(STAGE_COUNT))
        self.feature_strides = tuple(2**stage for stage in range(STAGE_COUNT))
        self.resolution = STAGES_SETTING.resolution

    @property
    def averaged(self) -> nn.Module:
        """Batch norm and ReLU behind the last cell."""
        return self.head

    def check_image_size(self, height: int, width: int) -> None:
        """Raise UserError if the network cannot halve such images twice."""
        check_image_size(height, width, self.image_multiple)

    def _maps(self, images: Tensor, drop_path: float, generator: Noise | None) -> list[Tensor]:
        """The outputs of the three stages."""
        self.check_image_size(*images.shape[-2:])
        x, maps, each = self.stem(images), [], len(self.cells) // STAGE_COUNT
        for index, cell in enumerate(self.cells):
            if index and index % each == 0:
                maps.append(x)
                x = self.reductions[len(maps) - 1](x)
            if self.recompute:
                x = recomputed(cell, x, drop_path, generator=generator)
            else:
                x = cell(x, drop_path, generator)
        return [*maps, x]

    def forward(
        self, images: Tensor, drop_path: float = 0.0, generator: Noise | None = None
    ) -> tuple[Tensor, None]:
        """Logits `[B, num_classes]`, and None because there is no auxiliary head.

        Args:
            images: `[B, 3, H, W]`; see `check_image_size`.
            drop_path: The probability of dropping an operation's output; unused in evaluation mode.
            generator: Source of the dropout masks; required in training with drop path or dropout.
        """
        generator = needed_noise(self.training, drop_path, self.dropout, generator)
        last = self._maps(images, drop_path, generator)[-1]
        features = self.head(last).mean(dim=(2, 3))
        if generator is not None:
            features = dropout(features, self.dropout, generator)
        return self.classifier(features), None

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps, the outputs of the stages; see `darts.models.features`."""
        return tuple(self._maps(images, 0.0, None))
