"""Parameters of supernets in closed form, without building them."""

from __future__ import annotations

from dataclasses import dataclass

from cells.skeleton import Skeleton
from cells.topology import Topology
from darts.costs.count import count, operation_cost
from darts.models.stages import (
    StageReduction,
    cell_stages,
    create_stage_head,
    create_stage_stem,
)
from darts.models.stems import create_search_stem
from genotypes import SearchSpace
from ops.partial import partial_size


@dataclass(frozen=True, kw_only=True)
class SupernetSize:
    """The size of a supernet for small images.

    Attributes:
        nodes: Number of inner nodes of a cell.
        channels: C of the first cell.
        layers: Number of cells.
        k: K; the mixed operations process C/K channels.
        num_classes: Number of classes.
    """

    nodes: int
    channels: int = 16
    layers: int = 8
    k: int = 1
    num_classes: int = 10


def usual_size(space: SearchSpace) -> SupernetSize:
    """The size of the supernet in the literature: C = 16, eight cells, or three stages of five.

    >>> from genotypes import find_space
    >>> usual_size(find_space("nasbench201")).layers
    15
    """
    return SupernetSize(nodes=space.nodes or 4, layers=15 if space.stack == "stages" else 8)


def supernet_parameters(space: SearchSpace, size: SupernetSize) -> int:
    """The number of parameters of a supernet, without alpha and beta.

    >>> from genotypes import find_space
    >>> supernet_parameters(find_space("s2"), usual_size(find_space("s2")))
    665466

    Raises:
        ValueError: The space has an operation that does not exist.
        ChannelError: K does not divide the channels.
        UserError: The cells cannot be divided into stages.
    """
    if space.stack == "stages":
        skeleton = cell_stages(size.layers, size.channels)
        total = count(create_stage_stem(size.channels), 1).params
        for factor in (1, 2):
            channels = factor * size.channels
            total += count(StageReduction(channels), 2, channels=channels).params
        last = skeleton.out_channels
        total += count(create_stage_head(last), 1, channels=last).params
    else:
        stem = create_search_stem("cifar", size.channels)
        total = count(stem, stem.multiple).params
        outputs = len(space.output_states(size.nodes))
        skeleton = Skeleton.of(
            layers=size.layers,
            channels=size.channels,
            stem=(stem.out_channels0, stem.out_channels1),
            width=lambda kind: outputs,
        )
        total += sum(
            (place.before_previous + place.previous) * place.channels for place in skeleton.cells
        )
    topology = Topology(size.nodes, space.inputs)
    for place in skeleton.cells:
        channels = partial_size(place.channels, size.k)
        for edge in topology.edges:
            stride = topology.stride(edge.source, place.reduction)
            for name in space.candidates(place.kind, edge.source, edge.target):
                total += operation_cost(name, channels, stride, 4, searching=True).params
    return total + (skeleton.out_channels + 1) * size.num_classes
