"""Bases and rungs: a base is the network to scale, a rung is one scaled and rounded network.

Source: EfficientNet (arXiv 1905.11946, §3). Each kind of network has rounding rules of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Protocol

import numpy as np

from cells.skeleton import STAGE_COUNT
from darts.costs.cells import network_cost
from darts.errors import UserError
from darts.models.derived import SETTINGS, AuxiliaryHead, default_stem
from darts.models.genotype_network import setting_of
from darts.models.registry import Model, family_of
from darts.models.rounding import nearest_multiple
from darts.models.staged_config import StagedConfig
from darts.models.stems import STEMS
from darts.scaling.coefficients import Factors
from genotypes import Genotype


class Priced(Protocol):
    """Cost of a network for one image, whatever its family."""

    @property
    def params(self) -> int: ...

    @property
    def macs(self) -> int: ...

    @property
    def activations(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One network of a ladder.

    Attributes:
        model: Genotype or config of the network.
        settings: Training settings that the model does not contain: image size and stem; for
            cells also the initial channels and the number of cells.
        depth: Number of cells or blocks.
        width: Ratio of the channels to those of the base; the geometric mean over the stages.
        channels: Initial channels of the cells, or channels of the stem.
        resolution: Side of the images, in pixels.
        price: Computes the cost; called once, when `cost` is first read.
    """

    model: Model
    settings: Mapping[str, Any]
    depth: int
    width: float
    channels: int
    resolution: int
    price: Callable[[], Priced]

    @cached_property
    def cost(self) -> Priced:
        """Cost of the network for one image."""
        return self.price()


_FINEST = 4
"""Image sizes of published EfficientNets are multiples of this."""


class Base(Protocol):
    """A network that can be scaled.

    Attributes:
        depth: Number of cells or blocks.
        resolution: Side of the images, in pixels.
        num_classes: Number of classes.
        unit_depth: Smallest change of the depth factor that can change the network.
        unit_resolution: Smallest change of the resolution factor that can change the network.
    """

    @property
    def depth(self) -> int: ...

    @property
    def resolution(self) -> int: ...

    @property
    def num_classes(self) -> int: ...

    @property
    def unit_depth(self) -> float: ...

    @property
    def unit_resolution(self) -> float: ...

    def rung(self, factors: Factors) -> Rung:
        """Multiply the base by `factors` and round to the nearest network that exists."""
        ...


@dataclass(frozen=True, kw_only=True)
class CellBase:
    """A stack of a genotype's cells as a base.

    A rung has `round(d · layers)` cells, `round(w · channels)` channels and images of side
    `round(r · resolution)`. The number of cells is at least 3, because a stack needs both
    reduction cells; in a network of stages it is a multiple of 3. Channels are rounded to a
    multiple of `channel_multiple`, which is even because a factorised reduction splits them into
    two halves. The resolution is rounded to a multiple of the total stride of stem and cells.

    Departure: EfficientNet scales MBConv networks; the rounding of cells is ours.

    >>> from genotypes import load_genotype
    >>> base = create_base(load_genotype("pcdarts_imagenet"))
    >>> base.rung(Factors(1.2, 1.1, 1.15)).settings["layers"]
    17

    Attributes:
        genotype: The cells.
        channels: Initial channels.
        layers: Number of cells.
        stem: "imagenet" or "cifar".
        resolution: Side of the images, in pixels.
        num_classes: Number of classes.
        channel_multiple: Channels are multiples of this even number.
        resolution_multiple: The resolution is a multiple of this; None: of the total stride.

    Raises:
        UserError: A multiple is impossible, or the base itself is not a multiple of it.
    """

    genotype: Genotype
    channels: int
    layers: int
    stem: str
    resolution: int
    num_classes: int
    channel_multiple: int = 2
    resolution_multiple: int | None = None

    def __post_init__(self) -> None:
        if self.layers < 3:
            raise UserError(f"--layers {self.layers}: scaling needs a stack of at least 3 cells.")
        if self.channel_multiple < 2 or self.channel_multiple % 2:
            raise UserError(
                f"--channel-multiple {self.channel_multiple}: channels of cells must be even, "
                "because a factorised reduction splits them into two halves."
            )
        if self.channels % self.channel_multiple:
            raise UserError(
                f"--channels {self.channels}: not a multiple of {self.channel_multiple}; the "
                f"nearest are {_around(self.channels, self.channel_multiple)}."
            )
        if self._pixels % self._divided_by:
            raise UserError(
                f"--resolution-multiple {self._pixels}: stem and reduction cells divide height "
                f"and width by {self._divided_by}; give a multiple of {self._divided_by}."
            )
        if self.resolution % self._pixels:
            raise UserError(
                f"--resolution {self.resolution}: not a multiple of {self._pixels}, which the "
                f"strides need; the nearest are {_around(self.resolution, self._pixels)}."
            )

    @property
    def _stages(self) -> bool:
        return self.genotype.rules.stack == "stages"

    @property
    def _divided_by(self) -> int:
        return 4 * STEMS[self.stem].multiple

    @property
    def _pixels(self) -> int:
        return self.resolution_multiple or self._divided_by

    @property
    def depth(self) -> int:
        return self.layers

    @property
    def unit_depth(self) -> float:
        return 1 / self.layers

    @property
    def unit_resolution(self) -> float:
        return self._pixels / self.resolution

    def rung(self, factors: Factors) -> Rung:
        layers = max(3, math.floor(self.layers * factors.depth + 0.5))
        if self._stages:
            layers = nearest_multiple(self.layers * factors.depth, STAGE_COUNT)
        channels = nearest_multiple(self.channels * factors.width, self.channel_multiple)
        resolution = nearest_multiple(self.resolution * factors.resolution, self._pixels)
        settings: dict[str, Any] = {
            "stem": self.stem,
            "image_size": resolution,
            "channels": channels,
            "layers": layers,
        }
        if self._stages or resolution < _smallest_at_head(self.stem) * self._divided_by:
            settings["auxiliary"] = False
        return Rung(
            model=self.genotype,
            settings=settings,
            depth=layers,
            width=channels / self.channels,
            channels=channels,
            resolution=resolution,
            price=lambda: network_cost(
                self.genotype,
                channels=channels,
                layers=layers,
                stem=self.stem,
                resolution=resolution,
                num_classes=self.num_classes,
            ),
        )


@dataclass(frozen=True, kw_only=True)
class NetworkBase:
    """A network of one of `darts.models.registry.FAMILIES` as a base.

    The family's function `scaled` multiplies the widths by w and the depths by d and rounds them.
    The resolution is rounded to the nearest multiple of `resolution_multiple`.

    >>> from darts.models.registry import find_model
    >>> b0 = create_base(find_model("efficientnet_b0"))
    >>> [b0.rung(Factors(1, 1, size / 224)).resolution for size in (240, 260)]
    [240, 260]
    >>> rung = create_base(find_model("resnet50")).rung(Factors(1, 1, 2))
    >>> rung.resolution, round(rung.cost.macs / 1e9, 1)
    (448, 16.4)

    Attributes:
        config: The network.
        resolution: Side of the images, in pixels.
        num_classes: Number of classes.
        resolution_multiple: The resolution is a multiple of this; None: of 4, as in all published
            EfficientNets, or less if the base's is not. Strides round up, so that any size will do.

    Raises:
        UserError: The images are too small for the strides, or their side is not a multiple of
            `resolution_multiple`.
    """

    config: StagedConfig
    resolution: int
    num_classes: int
    resolution_multiple: int | None = None

    def __post_init__(self) -> None:
        self.config.check_image_size(self.resolution, self.resolution)
        if self._pixels < 1 or self.resolution % self._pixels:
            raise UserError(
                f"--resolution {self.resolution}: not a multiple of {self._pixels}; the "
                f"nearest are {_around(self.resolution, max(self._pixels, 1))}."
            )

    @property
    def _pixels(self) -> int:
        if self.resolution_multiple is not None:
            return self.resolution_multiple
        return math.gcd(self.resolution, _FINEST)

    @property
    def depth(self) -> int:
        return self.config.depth

    @property
    def unit_depth(self) -> float:
        return 1 / max(stage.depth for stage in self.config.stages)

    @property
    def unit_resolution(self) -> float:
        return self._pixels / self.resolution

    def rung(self, factors: Factors) -> Rung:
        family = family_of(self.config)
        smallest = -(-self.config.smallest_image // self._pixels) * self._pixels
        nearest = nearest_multiple(self.resolution * factors.resolution, self._pixels)
        resolution = max(nearest, smallest)
        config: StagedConfig = family.scaled(
            self.config, width=factors.width, depth=factors.depth, resolution=resolution
        )
        ratios = [
            new.width / old.width
            for new, old in zip(config.stages, self.config.stages, strict=True)
        ]
        return Rung(
            model=config,
            settings={"stem": config.setting, "image_size": resolution},
            depth=config.depth,
            width=float(np.exp(np.mean(np.log(ratios)))),
            channels=config.stem_width,
            resolution=resolution,
            price=lambda: family.cost(config, resolution=resolution, num_classes=self.num_classes),
        )


def create_base(
    model: Model,
    *,
    stem: str | None = None,
    channels: int | None = None,
    layers: int | None = None,
    resolution: int | None = None,
    num_classes: int | None = None,
    channel_multiple: int | None = None,
    resolution_multiple: int | None = None,
) -> Base:
    """Create the base of a model. Arguments left out default to the settings of its paper.

    Args:
        model: A genotype or a config.
        stem: "imagenet" or "cifar".
        channels: Initial channels of cells; only for a genotype.
        layers: Number of cells; only for a genotype.
        resolution: Side of the images, in pixels.
        num_classes: Number of classes.
        channel_multiple: Channels of cells are rounded to multiples of this; only for a genotype.
        resolution_multiple: The resolution is rounded to multiples of this.

    Raises:
        UserError: The model cannot be scaled with these arguments; the message says what it needs.
    """
    if isinstance(model, Genotype):
        stem = stem or default_stem(model)
        setting = setting_of(model.rules, stem)
        return CellBase(
            genotype=model,
            channels=channels or setting.channels,
            layers=layers or setting.layers,
            stem=stem,
            resolution=resolution or setting.resolution,
            num_classes=num_classes or setting.num_classes,
            channel_multiple=channel_multiple or 2,
            resolution_multiple=resolution_multiple,
        )
    options = {"channels": channels, "layers": layers, "channel-multiple": channel_multiple}
    if given := [name for name, value in options.items() if value is not None]:
        raise UserError(
            f"--{given[0]}: this option applies only to networks of cells; the config of this "
            "network fixes its widths and depths. Leave the option out."
        )
    if stem == "cifar":
        model = model.for_small_images()
    return NetworkBase(
        config=model,
        resolution=resolution or model.resolution,
        num_classes=num_classes or SETTINGS[model.setting].num_classes,
        resolution_multiple=resolution_multiple,
    )


@cache
def _smallest_at_head(stem: str) -> int:
    """Smallest feature map, in pixels, that the auxiliary head of a network of cells takes."""
    return AuxiliaryHead(2, 2, stem).smallest


def _around(value: int, multiple: int) -> str:
    below = value // multiple * multiple
    return f"{below} and {below + multiple}" if below else str(multiple)
