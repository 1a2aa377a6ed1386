"""The network of a genotype, in the kind of stack that its search space has."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from darts.errors import UserError
from darts.models.derived import SETTINGS, Network, Setting
from darts.models.stages import STAGES_SETTING, StagesNetwork
from darts.settings.used_files import differing_files
from genotypes import Genotype, SearchSpace, parse_genotype
from ops.registry import list_operations

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
    check_operations(genotype)
    kind = StagesNetwork if genotype.rules.stack == "stages" else Network
    return kind(
        genotype,
        num_classes=num_classes,
        channels=channels,
        layers=layers,
        stem=stem,
        auxiliary=auxiliary,
    )


def check_operations(genotype: Genotype) -> None:
    """Check that this process knows all operations; print a warning if their file has changed.

    Raises:
        UserError: It lacks one; the message names the file that the genotype was searched with.
    """
    known, mention = list_operations(), genotype.provenance.get("use")
    nodes = [node for kind in genotype.kinds for node in genotype.cell(kind)[0]]
    names = {operation: None for node in nodes for operation, _ in node}
    if unknown := [name for name in names if name not in known]:
        raise UserError(
            f"Genotype {genotype.name!r} has the operation {', '.join(unknown)}, which is not "
            f"built in. {_needed(mention)}"
        )
    for name in differing_files(mention):
        print(
            f"warning: {name} differs from the file that genotype {genotype.name!r} was searched "
            "with.",
            file=sys.stderr,
        )


def _needed(mention: Any) -> str:
    """Which file of the user's own to name, as a sentence."""
    files = mention if isinstance(mention, Mapping) else {}
    kept = [
        str(values["kept"])
        for values in files.values()
        if isinstance(values, Mapping) and "kept" in values
    ]
    if not kept:
        return "If it is one of your own, name its file: --use my_parts.py."
    return (
        f"It comes from {', '.join(map(str, files))}, whose code runs only if you name it. The "
        f"text that the search used is kept in {', '.join(kept)}; read it, then add "
        f"--use {','.join(kept)}."
    )


def cell_network_from_description(description: Mapping[str, Any]) -> CellNetwork:
    """The network of a `description`, with fresh weights; used by checkpoints.

    Raises:
        GenotypeError: The genotype in the description is wrong.
    """
    options = dict(description)
    genotype = parse_genotype(options.pop("genotype"), "network description")
    return create_cell_network(genotype, **options)
