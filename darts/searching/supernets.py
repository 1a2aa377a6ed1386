"""The supernet of a search space, in the kind of stack that the space has."""

from __future__ import annotations

from typing import Any

from darts.methods.architecture import Architecture
from darts.searching.search_network import SearchNetwork
from darts.searching.supernet import Supernet


def create_supernet(architecture: Architecture, **sizes: Any) -> SearchNetwork:
    """The supernet of an architecture's space.

    Args:
        architecture: Gives the cells, and the columns of the tables.
        sizes: Channels, layers, K, classes, stem, back end …; see `Supernet`.

    Raises:
        UserError, ChannelError: There is no such supernet.
    """
    return Supernet(
        architecture.topology,
        architecture.columns,
        candidates=architecture.candidates if architecture.space.restricted else None,
        **sizes,
    )
