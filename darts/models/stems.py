"""Stems: what turns an image into the two input states of the first cell (PC-DARTS, §4.2, §4.3).

Layers and widths are those of the authors' model_search.py, model_search_imagenet.py and model.py.
The stem's norms always have affine parameters, in a supernet too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor, nn

from darts.errors import UserError
from darts.settings.options import PHOTOGRAPH_SIZE

# The authors' stem multiplier, used everywhere but in the retraining stem for ImageNet.
MULTIPLIER = 3


class Stem(nn.Module):
    """Maps images `[B, 3, H, W]` to the states s0 `[B, out_channels0, …]` and s1.

    Attributes:
        out_channels0: Channels of s0.
        out_channels1: Channels of s1.
        reduces: Whether s1 is half the size of s0, as after a reduction cell.
        multiple: What the stem divides height and width by; they must be multiples of it.
    """

    out_channels0: int
    out_channels1: int
    reduces: bool
    multiple: int


class CifarStem(Stem):
    """A 3x3 convolution and a norm; both states are its output, as large as the image."""

    reduces = False
    multiple = 1

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_channels0 = self.out_channels1 = width
        self.conv = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        state = self.norm(self.conv(images))
        return state, state


class ImageNetStem(Stem):
    """Three 3x3 convolutions of stride 2: s0 at a quarter of the image size, s1 at an eighth."""

    reduces = True
    multiple = 8

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_channels0 = self.out_channels1 = width
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width, 3, stride=2, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(width)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        half = self.norm1(self.conv1(images))
        quarter = self.norm2(self.conv2(self.relu(half)))
        eighth = self.norm3(self.conv3(self.relu(quarter)))
        return quarter, eighth


STEMS: Mapping[str, type[CifarStem] | type[ImageNetStem]] = MappingProxyType(
    {"cifar": CifarStem, "imagenet": ImageNetStem}
)


def create_search_stem(name: str, channels: int) -> Stem:
    """The stem of a supernet whose first cell has `channels` channels: 3C wide.

    Raises:
        UserError: There is no such stem.
    """
    return _stem_class(name)(MULTIPLIER * channels)


def create_network_stem(name: str, channels: int) -> Stem:
    """The stem of a derived network: 3C wide for "cifar", C wide for "imagenet".

    Raises:
        UserError: There is no such stem.
    """
    return _stem_class(name)(channels if name == "imagenet" else MULTIPLIER * channels)


def choose_stem(name: str, image_size: int) -> str:
    """`name`, or for "auto" the stem that suits images of `image_size` pixels."""
    if name != "auto":
        return name
    return "imagenet" if image_size >= PHOTOGRAPH_SIZE else "cifar"


def check_image_size(height: int, width: int, multiple: int) -> None:
    """Raise UserError unless `multiple`, which stem and reduction cells divide by, goes in."""
    if height % multiple or width % multiple:
        raise UserError(
            f"This network takes images whose height and width are multiples of {multiple}, "
            f"because its stem and its reduction cells divide them by that; {height}x{width} is "
            "not. Resize the images, or choose another stem or number of layers."
        )


def _stem_class(name: str) -> type[CifarStem] | type[ImageNetStem]:
    if name not in STEMS:
        raise UserError(f"There is no stem {name!r}; the stems are {', '.join(STEMS)}.")
    return STEMS[name]
