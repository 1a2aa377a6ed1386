"""Which networks a population has: drawn from a space inside a window of costs, from one seed."""

from __future__ import annotations

from dataclasses import dataclass

from darts.design_space.options import Amount, SpaceOptions
from darts.design_space.sampling import Budget, Sample, sample
from darts.design_space.spaces import create_space
from darts.errors import UserError
from darts.models.anynet.config import Stem
from darts.models.stems import choose_stem
from darts.settings.quantities import parse_count
from darts.system.randomness import RandomStreams

TOLERANCE = 0.05
"""How far a network may lie from the multiply-adds asked for, where one number is given."""


@dataclass(frozen=True, kw_only=True)
class Images:
    """What networks are drawn for.

    Attributes:
        resolution: Side of the images, in pixels.
        num_classes: Number of classes.
        stem: "cifar" or "imagenet", as derived networks have it.
    """

    resolution: int
    num_classes: int
    stem: str

    @classmethod
    def of(cls, resolution: int, num_classes: int, stem: str = "auto") -> Images:
        """The same with the stem chosen by the resolution where it is "auto"."""
        chosen = choose_stem(stem, resolution)
        return cls(resolution=resolution, num_classes=num_classes, stem=chosen)


def draw_networks(
    options: SpaceOptions,
    images: Images,
    seed: int,
    *,
    channels: int | None = None,
    layers: int | None = None,
) -> tuple[Sample, ...]:
    """The networks of a population; the first ones of a seed are the same for any number of them.

    Args:
        channels, layers: Of the network of `options.like`.

    Raises:
        UserError: There is no such space, no amount or window can be read from an option, or the
            space has too few networks within it.
        GenotypeError: There is no genotype `options.like`.
    """
    stem: Stem = "cifar" if images.stem == "cifar" else "simple"
    space = create_space(
        options.space, stages=options.stages, stem=stem, stem_width=options.stem_width
    )
    return sample(
        space,
        options.n,
        RandomStreams(seed, ["networks"])["networks"],
        budget=budget_of(options, images, channels=channels, layers=layers),
        resolution=images.resolution,
        num_classes=images.num_classes,
    )


def budget_of(
    options: SpaceOptions,
    images: Images,
    *,
    channels: int | None = None,
    layers: int | None = None,
) -> Budget:
    """What a network of the population may cost.

    Raises:
        UserError, GenotypeError: See `draw_networks`.
    """
    if options.macs is not None and options.like is not None:
        raise UserError("--macs and --like: one of the two says what a network may cost.")
    low, high = 0.0, float("inf")
    if options.macs is not None:
        low, high = parse_window(options.macs)
    elif options.like is not None:
        macs = genotype_macs(options.like, images, channels=channels, layers=layers)
        low, high = _around(macs)
    return Budget(
        min_macs=low,
        max_macs=high,
        max_params=_most(options.max_params, "--max-params"),
        max_activations=_most(options.max_activations, "--max-activations"),
    )


def parse_window(text: str | float) -> tuple[float, float]:
    """A window of multiply-adds: "360M-400M", or one number, 5 % less to 5 % more.

    >>> parse_window("360M-400M"), parse_window("1.2G")
    ((360000000, 400000000), (1140000000.0, 1260000000.0))

    Raises:
        UserError: It is no such window, or an empty one.
    """
    low, dash, high = str(text).partition("-")
    if not dash:
        return _around(parse_count(text, "--macs"))
    window = parse_count(low, "--macs"), parse_count(high, "--macs")
    if window[0] > window[1]:
        raise UserError(f"--macs {text}: the window ends below its beginning.")
    return window


def genotype_macs(
    genotype: str, images: Images, *, channels: int | None = None, layers: int | None = None
) -> int:
    """Multiply-adds of a genotype's network for one image.

    Raises:
        GenotypeError: There is no such genotype.
        UserError: Its network takes no such images.
    """
    import torch

    from darts.costs.count import count
    from darts.models.derived import create_network

    with torch.device("meta"):
        network = create_network(
            genotype,
            num_classes=images.num_classes,
            channels=channels,
            layers=layers,
            stem=images.stem,
        )
    return count(network, images.resolution).macs


def _around(macs: float) -> tuple[float, float]:
    budget = Budget.around(macs, TOLERANCE)
    return budget.min_macs, budget.max_macs


def _most(amount: Amount, what: str) -> float:
    return float("inf") if amount is None else parse_count(amount, what)
