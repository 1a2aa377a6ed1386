"""The field of a fit: networks of several families below the same ceilings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import torch

from darts.costs.latency import measure_latency
from darts.design_space.budget import Budget
from darts.design_space.sampling import sample
from darts.design_space.spaces import create_space
from darts.errors import UserError
from darts.fitting.plan import Field
from darts.fitting.scaled import Scaled, scale_to
from darts.models.anynet.config import AnyNetStem
from darts.models.image_spec import ImageSpec
from darts.models.registry import Model, create_network, describe_model, find_model
from darts.settings.quantities import format_count, format_seconds
from darts.system.randomness import RandomStreams
from genotypes import Genotype, GenotypeError, random_genotype
from genotypes.search_space import DARTS
from ops.partial import ChannelError

SEARCHED, ZOO, RANDOM, REGNET, EFFICIENTNET = (
    *("searched cell", "published cell", "random cell"),
    *("RegNet", "EfficientNet"),
)
PRETRAINED = "pretrained network"

_ZOO = ("darts_v2", "pcdarts_cifar10", "pdarts_cifar10", "darts_v1", "pcdarts_imagenet")
_STREAM = "random cells of a fit"
_NODES = 4
# A share of the ceiling of multiply-adds: tried in turn until the latency is below its ceiling.
_SLOWER = (1.0, 0.5, 0.25, 0.12, 0.06)
_STEM_WIDTHS = (32, 16, 8)
_DRAWS = 40_000

Latency = Callable[[Scaled, ImageSpec], float]
"""Seconds that a network takes for one image."""


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A network that competes.

    Attributes:
        name: Its name in tables.
        kind: Its family in words.
        model: Plain values of its genotype or config; see `darts.models.registry.describe_model`.
        channels: Channels of a genotype's first cell.
        layers: Cells of a genotype's network.
        macs: Multiply-adds for one image.
        params: Parameters.
        latency: Seconds for one image on this machine.
        pretrained: File or run with its first weights.
        stem: Its stem, where that is not the usual one for the images.
    """

    name: str
    kind: str
    model: Mapping[str, Any]
    channels: int | None
    layers: int | None
    macs: int
    params: int
    latency: float
    pretrained: str | None = None
    stem: str | None = None

    @property
    def recipe(self) -> dict[str, Any]:
        """The settings of a training that belong to this network."""
        found: dict[str, Any] = {"channels": self.channels, "layers": self.layers}
        more = {"pretrained": self.pretrained, "stem": self.stem}
        return found | {name: value for name, value in more.items() if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """What a network may cost.

    Attributes:
        macs: Most multiply-adds for one image.
        latency: Most seconds for one image; None: any.
    """

    macs: int
    latency: float | None = None

    def words(self) -> str:
        """Both ceilings."""
        found = f"{format_count(self.macs)} multiply-adds"
        if self.latency is not None:
            found += f" and {format_seconds(self.latency)}"
        return found


def latency_here(device: torch.device | str) -> Latency:
    """Measures networks on a device; see `darts.costs.latency.measure_latency`."""

    def measured(network: Scaled, images: ImageSpec) -> float:
        built = create_network(
            network.model,
            num_classes=images.num_classes,
            channels=network.channels,
            layers=network.layers,
            stem=images.stem,
        )
        built.check_image_size(images.resolution, images.resolution)
        shape = (1, 3, images.resolution, images.resolution)
        return measure_latency(built, shape, device, repeats=7, budget=0.2)

    return measured


def make_field(
    wanted: Field,
    searched: Mapping[int, Genotype],
    images: ImageSpec,
    ceilings: Ceilings,
    seed: int,
    latency: Latency,
) -> list[Entrant]:
    """The networks of a field, each as large as the ceilings allow.

    Args:
        wanted: How many networks of each kind.
        searched: Searched cells by their seed.
        images: What the networks classify.
        ceilings: What they may cost.
        seed: Chooses random cells and RegNets.
        latency: Measures networks.

    Raises:
        UserError: No network is below the ceilings.
    """
    found: list[Entrant] = []
    known: set[str] = set()

    def add(kind: str, name: str, sizes: Iterator[Scaled]) -> bool:
        """Add the first of these sizes that is fast enough; whether there is one."""
        for network in sizes:
            if str(describe_model(network.model)) + str(network.channels) in known:
                return False
            seconds = latency(network, images)
            if ceilings.latency is not None and seconds > ceilings.latency:
                continue
            known.add(str(describe_model(network.model)) + str(network.channels))
            found.append(_entrant(name, kind, network, seconds))
            return True
        return False

    for number, cell in searched.items():
        add(SEARCHED, f"searched-{number}", _sizes(cell, images, ceilings.macs))
    for name in _ZOO[: wanted.zoo]:
        add(ZOO, name, _sizes(find_model(name), images, ceilings.macs))
    stream = RandomStreams(seed, [_STREAM])[_STREAM]
    for number in range(wanted.random):
        cell = random_genotype(_NODES, stream, f"random-{number}", DARTS)
        add(RANDOM, cell.name, _sizes(cell, images, ceilings.macs))
    for number in range(wanted.regnet):
        add(REGNET, f"regnet-{number}", _regnets(number, images, ceilings.macs, seed))
    for number in range(wanted.efficientnet):
        share = 1 / (1 + number)
        sizes = _sizes(find_model("efficientnet_b0"), images, share * ceilings.macs)
        add(EFFICIENTNET, f"efficientnet-{number}", sizes)
    if not found:
        raise UserError(
            f"No network for images of {images.resolution} pixels is below the ceilings, "
            f"{ceilings.words()}: raise --max-macs or --max-latency."
        )
    return found


def _entrant(name: str, kind: str, network: Scaled, seconds: float) -> Entrant:
    return Entrant(
        name=name,
        kind=kind,
        model=describe_model(network.model),
        channels=network.channels,
        layers=network.layers,
        macs=network.macs,
        params=network.params,
        latency=seconds,
    )


def _sizes(model: Model, images: ImageSpec, macs: float) -> Iterator[Scaled]:
    """The model at the ceiling, and ever smaller."""
    for share in _SLOWER:
        with suppress(UserError, GenotypeError, ChannelError):
            yield scale_to(model, images, share * macs)


def _regnets(number: int, images: ImageSpec, macs: float, seed: int) -> Iterator[Scaled]:
    """A sampled RegNet near the ceiling, and ever smaller ones; every third is half as large."""
    name = f"regnet {number} of a fit"
    stem: AnyNetStem = "cifar" if images.stem == "cifar" else "simple"
    for share in _SLOWER:
        most = share * macs * (0.5 if number % 3 == 2 else 1.0)
        for width in _STEM_WIDTHS:
            with suppress(UserError):
                (one,) = sample(
                    create_space("regnetx", stem=stem, stem_width=width),
                    1,
                    RandomStreams(seed, [name])[name],
                    budget=Budget(min_macs=0.7 * most, max_macs=most),
                    resolution=images.resolution,
                    num_classes=images.num_classes,
                    max_draws=_DRAWS,
                )
                yield Scaled(
                    model=one.config,
                    channels=None,
                    layers=None,
                    macs=one.cost.macs,
                    params=one.cost.params,
                )
                break


def read_field(values: Sequence[Mapping[str, Any]]) -> list[Entrant]:
    """The inverse of `Entrant.as_dict`, for a list of them."""
    return [Entrant(**one) for one in values]
