"""The supernet of a search space, in the kind of stack that the space has."""

from __future__ import annotations

from typing import Any

from darts.methods.architecture import Architecture
from darts.searching.search_network import SearchNetwork
from darts.searching.stages_supernet import StagesSupernet
from darts.searching.supernet import Supernet


def create_supernet(architecture: Architecture, **sizes: Any) -> SearchNetwork:
    """The supernet of an architecture's space.

    Args:
        architecture: Gives the cells, and the columns of the tables.
        sizes: Channels, layers, K, classes, stem, back end …; see `Supernet`.

    Raises:
        UserError, ChannelError: There is no such supernet.
    """
    space = architecture.space
    topology, columns = architecture.topology, architecture.columns
    rules: dict[str, Any] = {
        "candidates": architecture.candidates if space.restricted else None,
        "normalised": space.normalised_pools,
    }
    if space.stack == "stages":
        return StagesSupernet(topology, columns, **rules, **sizes)
    return Supernet(topology, columns, **rules, output=space.output, **sizes)
