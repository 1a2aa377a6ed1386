"""Stems: the first layers, which compute the two input states of the first cell from an image.

Source: PC-DARTS (arXiv 1907.05737, §4.2, §4.3). Layers and widths are those of its code:
model_search.py, model_search_imagenet.py and model.py. The batch norms of a stem always have affine
parameters, even in a supernet.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor, nn

from darts.errors import UserError
from darts.settings.options import PHOTOGRAPH_SIZE
from ops.chains import ChainStage, run_chain, takes_chain

# The stem multiplier of the code of DARTS, used by all stems except retraining on ImageNet.
MULTIPLIER = 3


class CellStem(nn.Module):
    """Base class: maps images `[B, 3, H, W]` to the states s0 and s1 of the first cell.

    Attributes:
        out_channels0: Channels of s0.
        out_channels1: Channels of s1.
        reduces: Whether s1 has half the spatial size of s0, as after a reduction cell.
        multiple: The stem divides height and width by this; they must be multiples of it.
    """

    out_channels0: int
    out_channels1: int
    reduces: bool
    multiple: int


class CifarStem(CellStem):
    """A 3x3 convolution and a batch norm; both states are the result, in the size of the image.

    >>> import torch
    >>> [tuple(state.shape) for state in CifarStem(48)(torch.zeros(1, 3, 32, 32))]
    [(1, 48, 32, 32), (1, 48, 32, 32)]

    Args:
        width: Channels of both states.
        chained: Whether training may use the kernels of `ops.chains`, as in a derived network.
    """

    reduces = False
    multiple = 1

    def __init__(self, width: int, chained: bool = False) -> None:
        super().__init__()
        self._chained = chained
        self.out_channels0 = self.out_channels1 = width
        self.conv = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        stages = (ChainStage(self.norm, (self.conv,), relu=False),)
        if self._chained and takes_chain(stages, images):
            state = run_chain(stages, images)
        else:
            state = self.norm(self.conv(images))
        return state, state


class ImageNetStem(CellStem):
    """Three 3x3 convolutions with stride 2: s0 has 1/4 of the image size, s1 has 1/8.

    >>> import torch
    >>> [tuple(state.shape) for state in ImageNetStem(48)(torch.zeros(1, 3, 224, 224))]
    [(1, 48, 56, 56), (1, 48, 28, 28)]
    """

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


def create_search_stem(name: str, channels: int) -> CellStem:
    """Create the stem of a supernet: 3C channels, where C is `channels`.

    Raises:
        UserError: There is no such stem.
    """
    return _stem_class(name)(MULTIPLIER * channels)


def create_network_stem(name: str, channels: int) -> CellStem:
    """Create the stem of a derived network: 3C channels for "cifar", C for "imagenet".

    Raises:
        UserError: There is no such stem.
    """
    if _stem_class(name) is CifarStem:
        return CifarStem(MULTIPLIER * channels, chained=True)
    return _stem_class(name)(channels if name == "imagenet" else MULTIPLIER * channels)


def choose_stem(name: str, image_size: int) -> str:
    """Resolve "auto" to the stem that suits images of `image_size` pixels.

    >>> choose_stem("auto", 32)
    'cifar'
    """
    if name != "auto":
        return name
    return "imagenet" if image_size >= PHOTOGRAPH_SIZE else "cifar"


def check_image_size(height: int, width: int, multiple: int) -> None:
    """Raise UserError unless height and width are multiples of `multiple`."""
    if height % multiple or width % multiple:
        raise UserError(
            f"This network needs images whose height and width are multiples of {multiple}, "
            "because its stem and its reduction cells divide them by this number; "
            f"{height}x{width} is not. Resize the images, or choose another stem or number of "
            "layers."
        )


def _stem_class(name: str) -> type[CifarStem] | type[ImageNetStem]:
    if name not in STEMS:
        raise UserError(f"There is no stem {name!r}; the stems are {', '.join(STEMS)}.")
    return STEMS[name]
