"""The networks that a comparison trains: the judged one, and populations of the same cost.

Costs are for one image at the resolution of the data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from darts.comparing.options import RANDOM_CELLS, StudyOptions
from darts.costs.cells import network_cost
from darts.costs.count import count
from darts.design_space.budget import Budget
from darts.design_space.sampling import sample
from darts.design_space.spaces import create_space, list_spaces
from darts.errors import UserError, closest
from darts.models.anynet.config import AnyNetStem
from darts.models.genotype_network import setting_of
from darts.models.image_spec import ImageSpec
from darts.models.registry import Model, create_network, find_model, list_models
from darts.settings.quantities import parse_count
from darts.system.randomness import RandomStreams
from genotypes import Genotype, random_genotype

# Genotypes sampled for each one needed, before genotypes outside the tolerance are accepted.
_DRAWS = 20
# Networks sampled from a design space before it is given up; takes a few seconds.
_SPACE_DRAWS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ComparedNetwork:
    """A network to be trained.

    Attributes:
        label: Its name in tables.
        model: Its genotype or config.
        properties: Its params, macs, activations, and further properties.
        channels: Channels of the first cell of a genotype's network.
        layers: Number of cells of a genotype's network.
    """

    label: str
    model: Model
    properties: Mapping[str, float]
    channels: int | None = None
    layers: int | None = None

    def network(self, images: ImageSpec, generator: torch.Generator | None = None) -> Any:
        """The network with new weights and without an auxiliary head."""
        return create_network(
            self.model,
            num_classes=images.num_classes,
            channels=self.channels,
            layers=self.layers,
            stem=images.stem,
            generator=generator,
        )


def contender(options: StudyOptions, name: str, model: Model, images: ImageSpec) -> ComparedNetwork:
    """The judged network, of the size that the options say or scaled to `options.macs`.

    Raises:
        UserError: `options.macs` is given, but the network is not a genotype's.
    """
    channels = layers = None
    if isinstance(model, Genotype):
        usual = setting_of(model.rules, images.stem)
        layers = options.layers or usual.layers
        channels = options.channels or usual.channels
        if options.macs is not None:
            macs = parse_count(options.macs, "--macs")
            channels = _nearest_channels(model, macs, layers, images)
    elif options.macs is not None:
        raise UserError(
            "--macs scales only networks of genotypes, by their channels; leave it out."
        )
    plain = ComparedNetwork(
        label=name, model=model, properties={}, channels=channels, layers=layers
    )
    with torch.device("meta"):
        network = plain.network(images)
    network.check_image_size(images.resolution, images.resolution)
    cost = count(network, images.resolution)
    return ComparedNetwork(
        label=name, model=model, properties=_costs(cost), channels=channels, layers=layers
    )


def is_population(name: str) -> bool:
    """Whether `name` is a design space or random-cells, not a single network.

    >>> is_population("regnetx"), is_population("random-cells"), is_population("regnetx_600mf")
    (True, True, False)
    """
    return name == RANDOM_CELLS or name.lower() in list_spaces()


def named_network(options: StudyOptions, name: str, images: ImageSpec) -> ComparedNetwork:
    """A single network as a baseline, at its own size; `options.macs` does not scale it.

    Raises:
        UserError: There is no such network or population, or it cannot take the images.
    """
    try:
        model = find_model(name)
    except UserError:
        populations = (RANDOM_CELLS, *list_spaces())
        raise UserError(
            f"--baseline {name}: neither a population ({', '.join(populations)}) nor a network."
            f"{closest(name, (*populations, *list_models()))} Networks are those of `python -m "
            "darts cost`, such as regnetx_600mf or resnet50, and YAML files."
        ) from None
    label = Path(name).stem if Path(name).suffix else name
    return contender(replace(options, macs=None), label, model, images)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A population to compare with, not yet trained.

    Attributes:
        name: Name of the space.
        candidates: Its networks.
        notes: Caveats for the reader.
    """

    name: str
    candidates: tuple[ComparedNetwork, ...]
    notes: tuple[str, ...] = field(default=())


def baseline(
    name: str, options: StudyOptions, judged: ComparedNetwork, images: ImageSpec
) -> Baseline:
    """Sample one baseline, within the tolerance of the judged network's multiply-adds.

    Args:
        name: A design space, or random-cells.
        options: Size and tolerance of the population, and the seed.
        judged: The judged network.
        images: What the networks classify.

    Raises:
        UserError: There is no such space, or it has too few networks of this cost.
    """
    generator = RandomStreams(options.seed, [f"baseline {name}"])[f"baseline {name}"]
    macs = judged.properties["macs"]
    if name == RANDOM_CELLS:
        return _random_cells(options, judged, images, generator)
    stem: AnyNetStem = "cifar" if images.stem == "cifar" else "simple"
    space = create_space(name, stem=stem, stem_width=options.stem_width)
    try:
        drawn = sample(
            space,
            options.population,
            generator,
            budget=Budget.around(macs, options.tolerance),
            resolution=images.resolution,
            num_classes=images.num_classes,
            max_draws=_SPACE_DRAWS,
        )
    except UserError as error:
        raise UserError(
            f"--baseline {name}: {error} Or give the genotype's network more --channels or "
            "--layers, or the baseline another --stem-width."
        ) from None
    candidates = []
    for number, one in enumerate(drawn):
        properties = _costs(one.cost)
        if one.regnet is not None:
            properties |= {key: float(getattr(one.regnet, key)) for key in ("w0", "wa", "wm")}
        candidates.append(
            ComparedNetwork(label=f"{name}-{number:03d}", model=one.config, properties=properties)
        )
    return Baseline(name=name, candidates=tuple(candidates))


def _random_cells(
    options: StudyOptions, judged: ComparedNetwork, images: ImageSpec, generator: torch.Generator
) -> Baseline:
    """Random genotypes of the judged genotype's space, with its depth, scaled to its cost.

    Sampled until enough networks are within the tolerance, as networks of design spaces are.
    """
    if not isinstance(judged.model, Genotype) or judged.layers is None:
        raise UserError(f"--baseline {RANDOM_CELLS} compares cells, but this network has none.")
    macs, found = judged.properties["macs"], []
    for number in range(_DRAWS * options.population):
        genotype = random_genotype(
            judged.model.nodes, generator, f"{RANDOM_CELLS}-{number:03d}", judged.model.space
        )
        channels = _nearest_channels(genotype, macs, judged.layers, images)
        properties = _costs(_cells_cost(genotype, channels, judged.layers, images))
        found.append(
            ComparedNetwork(
                label=genotype.name,
                model=genotype,
                properties=properties,
                channels=channels,
                layers=judged.layers,
            )
        )
        within = [one for one in found if _distance(one, macs) <= options.tolerance]
        if len(within) == options.population:
            return Baseline(name=RANDOM_CELLS, candidates=tuple(within))
    nearest = sorted(found, key=lambda one: _distance(one, macs))[: options.population]
    farthest = _distance(nearest[-1], macs)
    return Baseline(
        name=RANDOM_CELLS,
        candidates=tuple(nearest),
        notes=(
            f"{RANDOM_CELLS}: channels change in steps of two, so that only {len(within)} of "
            f"{len(found)} genotypes can be scaled to within {options.tolerance:.0%} of the "
            f"multiply-adds; some differ by up to {farthest:.0%}.",
        ),
    )


def _distance(candidate: ComparedNetwork, macs: float) -> float:
    return abs(candidate.properties["macs"] / macs - 1)


def _nearest_channels(genotype: Genotype, macs: float, layers: int, images: ImageSpec) -> int:
    """The even number of channels whose network is closest to `macs` multiply-adds."""

    def difference(channels: int) -> float:
        return abs(_cells_cost(genotype, channels, layers, images).macs / macs - 1)

    # Multiply-adds grow roughly with the square of the channels.
    start = 16
    for _ in range(3):
        ratio = macs / _cells_cost(genotype, start, layers, images).macs
        start = max(2, 2 * round(start * math.sqrt(ratio) / 2))
    return min((max(2, start + step) for step in (-4, -2, 0, 2, 4)), key=difference)


def _cells_cost(genotype: Genotype, channels: int, layers: int, images: ImageSpec) -> Any:
    return network_cost(
        genotype,
        channels=channels,
        layers=layers,
        stem=images.stem,
        resolution=images.resolution,
        num_classes=images.num_classes,
    )


def _costs(cost: Any) -> dict[str, float]:
    return {name: float(getattr(cost, name)) for name in ("params", "macs", "activations")}
