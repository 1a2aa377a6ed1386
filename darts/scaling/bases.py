"""What is scaled, a base, and what comes of it, a rung: rounded to what the network needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Protocol

import numpy as np

from darts.costs.cells import network_cost
from darts.errors import UserError
from darts.models.derived import SETTINGS, AuxiliaryHead, default_stem
from darts.models.registry import Model, family_of
from darts.models.rounding import nearest_multiple
from darts.models.staged_config import StagedConfig
from darts.models.stems import STEMS
from darts.scaling.coefficients import Factors
from genotypes import Genotype


class Priced(Protocol):
    """Costs for one image, of whatever family."""

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
        model: Its genotype or config.
        settings: What a training needs beside the model: image size, stem, and for cells their
            channels and number.
        depth: Number of cells or blocks.
        width: Channels over those of the base; with several stages the geometric mean.
        channels: Of the first cell, or of the stem.
        resolution: Side of the images.
        price: Its cost, computed when asked for.
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
        return self.price()


class Base(Protocol):
    """A network that can be scaled.

    Attributes:
        depth: Number of cells or blocks.
        resolution: Side of its images.
        num_classes: Number of classes.
        unit_depth: The smallest change of the factor of depth that may matter.
        unit_resolution: Likewise of the factor of resolution.
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
        """The network nearest to the base times `factors`."""
        ...


@dataclass(frozen=True, kw_only=True)
class CellBase:
    """A stack of a genotype's cells.

    Channels go to the nearest multiple of `channel_multiple`, at least 2 because a factorised
    reduction makes two halves; cells to the nearest number from 3 on, which has both reduction
    cells; the resolution to a multiple of what stem and reductions divide it by.

    Raises:
        UserError: A multiple is impossible, or the base does not keep to it.
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
            raise UserError(f"--layers {self.layers}: a stack to be scaled has at least 3 cells.")
        if self.channel_multiple < 2 or self.channel_multiple % 2:
            raise UserError(
                f"--channel-multiple {self.channel_multiple}: channels of cells are even, because "
                "a factorised reduction makes two halves of them."
            )
        if self.channels % self.channel_multiple:
            raise UserError(
                f"--channels {self.channels}: not a multiple of {self.channel_multiple}; the next "
                f"ones are {_around(self.channels, self.channel_multiple)}."
            )
        if self._pixels % self._divided_by:
            raise UserError(
                f"--resolution-multiple {self._pixels}: stem and reduction cells divide height "
                f"and width by {self._divided_by}; give a multiple of that."
            )
        if self.resolution % self._pixels:
            raise UserError(
                f"--resolution {self.resolution}: not a multiple of {self._pixels}, which the "
                f"strides need; the next ones are {_around(self.resolution, self._pixels)}."
            )

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
        channels = nearest_multiple(self.channels * factors.width, self.channel_multiple)
        resolution = nearest_multiple(self.resolution * factors.resolution, self._pixels)
        settings: dict[str, Any] = {
            "stem": self.stem,
            "image_size": resolution,
            "channels": channels,
            "layers": layers,
        }
        if resolution < _smallest_at_head(self.stem) * self._divided_by:
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
    """A network of one of `darts.models.registry.FAMILIES`; its family says how it is rounded.

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
                f"--resolution {self.resolution}: not a multiple of {self._pixels}; the next ones "
                f"are {_around(self.resolution, max(self._pixels, 1))}."
            )

    @property
    def _pixels(self) -> int:
        if self.resolution_multiple is not None:
            return self.resolution_multiple
        return math.gcd(self.resolution, self.config.total_stride)

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
    """The base of a model; what is not given is that of its paper.

    Args:
        stem: "imagenet" or "cifar".
        channels, layers, channel_multiple: Of cells; other networks have their own.

    Raises:
        UserError: The model cannot be scaled so; the message says what it needs.
    """
    if isinstance(model, Genotype):
        stem = stem or default_stem(model)
        setting = SETTINGS[stem]
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
            f"--{given[0]}: only networks of cells have it; this one has widths and depths of "
            "its own. Leave that out."
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
    """The smallest image that the auxiliary head of a network of cells takes."""
    return AuxiliaryHead(2, 2, stem).smallest


def _around(value: int, multiple: int) -> str:
    below = value // multiple * multiple
    return f"{below} and {below + multiple}" if below else str(multiple)
