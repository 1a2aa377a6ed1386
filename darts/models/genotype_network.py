"""The network of a genotype, in the kind of stack that its search space has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darts.models.derived import SETTINGS, Network, Setting
from darts.models.stages import STAGES_SETTING, StagesNetwork
from genotypes import Genotype, SearchSpace, parse_genotype

CellNetwork = Network | StagesNetwork
"""A network of derived cells."""


def setting_of(space: SearchSpace, stem: str) -> Setting:
    """The default size of a network of such cells.

    >>> from genotypes import find_space
    >>> setting_of(find_space("nasbench201"), "cifar").channels
    16
    """
    return STAGES_SETTING if space.stack == "stages" else SETTINGS[stem]


def create_cell_network(
    genotype: Genotype,
    *,
    num_classes: int,
    channels: int,
    layers: int,
    stem: str,
    auxiliary: bool = False,
) -> CellNetwork:
    """The network of a genotype, with fresh weights.

    Raises:
        UserError, ChannelError: There is no such network; see `Network` and `StagesNetwork`.
    """
    kind = StagesNetwork if genotype.rules.stack == "stages" else Network
    return kind(
        genotype,
        num_classes=num_classes,
        channels=channels,
        layers=layers,
        stem=stem,
        auxiliary=auxiliary,
    )


def cell_network_from_description(description: Mapping[str, Any]) -> CellNetwork:
    """The network of a `description`, with fresh weights; used by checkpoints.

    Raises:
        GenotypeError: The genotype in the description is wrong.
    """
    options = dict(description)
    genotype = parse_genotype(options.pop("genotype"), "network description")
    return create_cell_network(genotype, **options)
