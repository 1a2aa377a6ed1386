"""Cost of the network that a search derives, as a sum over its operations.

    cost(genotype) = base + sum over kept edges (e, o) of  table[kind][e, o]

The base is the cost of stem, preprocessing and classifier. The sum is exact for multiply-adds and
parameters, and approximate for latency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from cells.skeleton import Skeleton
from cells.topology import Edge, Topology
from darts.costs.cells import network_cost
from darts.costs.count import operation_cost
from darts.costs.options import CostOptions
from darts.data.dataset import Dataset
from darts.models.genotype_network import CellNetwork, create_cell_network, setting_of
from darts.models.stems import STEMS
from genotypes import Genotype, Node, SearchSpace
from genotypes.search_space import DARTS


@dataclass(frozen=True, kw_only=True)
class Target:
    """The size of the network that will be built from the derived cells.

    Attributes:
        channels: C of the first cell.
        layers: Number of cells.
        stem: "cifar" or "imagenet".
        resolution: Height and width of the images.
        num_classes: Number of classes.
    """

    channels: int
    layers: int
    stem: str
    resolution: int
    num_classes: int

    def network(self, genotype: Genotype) -> CellNetwork:
        """Create the network of a genotype, without an auxiliary head.

        Raises:
            UserError, ChannelError: There is no such network.
        """
        return create_cell_network(
            genotype,
            num_classes=self.num_classes,
            channels=self.channels,
            layers=self.layers,
            stem=self.stem,
        )


def target_of(
    options: CostOptions, stem: str, dataset: Dataset, space: SearchSpace = DARTS
) -> Target:
    """The target network: the one of the paper's retraining, unless `options` say otherwise."""
    stem = options.target_stem or stem
    setting = setting_of(space, stem)
    # A search on ImageNet may use smaller images than the target network.
    size = setting.resolution if dataset.name == "imagenet" else dataset.image_size

    def asked(value: int | None, otherwise: int) -> int:
        return otherwise if value is None else value

    return Target(
        channels=asked(options.target_channels, setting.channels),
        layers=asked(options.target_layers, setting.layers),
        stem=stem,
        resolution=asked(options.target_resolution, size),
        num_classes=dataset.num_classes,
    )


@dataclass(frozen=True)
class CostTable:
    """One kind of cost for all networks that can be derived.

    Attributes:
        name: "macs", "params" or "latency" (seconds).
        base: The part of the cost that all networks share.
        operations: For each kind of cell a table `[E, O]`: the cost that an operation on an edge
            adds in all cells of this kind. The column of `none` is 0.
    """

    name: str
    base: float
    operations: Mapping[str, Tensor]

    def of(self, genotype: Genotype, topology: Topology, space: SearchSpace) -> float:
        """The cost of the network of `genotype`, a genotype of `space`."""
        total = self.base
        for kind in space.kinds:
            for edge, operation in chosen(genotype, kind, topology):
                total += self.operations[kind][edge, space.operations.index(operation)].item()
        return total

    def cheapest(self, topology: Topology, space: SearchSpace) -> float:
        """The cost of the cheapest network."""
        total = self.base
        for kind in space.kinds:
            for node in topology.inner:
                least = []
                for edge in topology.incoming(node):
                    choices = space.choices(kind, edge.source, edge.target)
                    columns = [space.operations.index(name) for name in choices]
                    least.append(self.operations[kind][edge.index, columns].amin())
                kept = space.kept_edges(len(least))
                total += torch.stack(least).sort().values[:kept].sum().item()
        return total

    def typical(self, topology: Topology, space: SearchSpace) -> float:
        """The mean cost of the networks of random cells, sampled as `random_genotype` does.

        With n source states, m of which a node keeps, each edge is kept with probability m / n and
        has each of its operations equally often.
        """
        total = self.base
        for kind in space.kinds:
            for node in topology.inner:
                edges = topology.incoming(node)
                share = space.kept_edges(len(edges)) / len(edges)
                for edge in edges:
                    choices = space.choices(kind, edge.source, edge.target)
                    columns = [space.operations.index(name) for name in choices]
                    total += share * self.operations[kind][edge.index, columns].mean().item()
        return total


def chosen(genotype: Genotype, kind: str, topology: Topology) -> list[tuple[int, str]]:
    """The kept edges of a cell, each with its operation: pairs (row, name)."""
    rows = {(edge.source, edge.target): edge.index for edge in topology.edges}
    nodes = zip(topology.inner, genotype.cell(kind)[0], strict=True)
    return [(rows[source, target], name) for target, node in nodes for name, source in node]


@cache
def counted_tables(
    target: Target, topology: Topology, space: SearchSpace
) -> tuple[CostTable, CostTable]:
    """Tables of multiply-adds and parameters, counted by `darts.costs.count`.

    The auxiliary head is not included.

    Raises:
        UserError, ChannelError: There is no such network, or it cannot process such images.
    """
    reference = reference_genotype(topology, space)
    whole = network_cost(
        reference,
        channels=target.channels,
        layers=target.layers,
        stem=target.stem,
        resolution=target.resolution,
        num_classes=target.num_classes,
    )

    def table(name: str) -> CostTable:
        def price(*operation: Any) -> float:
            return getattr(operation_cost(*operation), name)

        inside = table_of(name, 0.0, target, topology, space, price)
        rest = getattr(whole, name) - inside.of(reference, topology, space)
        return CostTable(name, rest, inside.operations)

    return table("macs"), table("params")


def table_of(
    name: str,
    base: float,
    target: Target,
    topology: Topology,
    space: SearchSpace,
    price: Callable[[str, int, int, int], float],
) -> CostTable:
    """Build a table from the price of (operation, channels, stride, input size)."""
    # As lists: sums of single numbers take a hundred times as long in a tensor.
    sums = {kind: [[0.0] * len(space.operations) for _ in topology.edges] for kind in space.kinds}
    for kind, channels, size in _cells(target, space):
        for edge in topology.edges:
            stride, inside = _place(kind, edge, topology, size)
            for column, operation in enumerate(space.operations):
                if operation != space.zero:
                    sums[kind][edge.index][column] += price(operation, channels, stride, inside)
    tables = {kind: torch.tensor(rows, dtype=torch.float64) for kind, rows in sums.items()}
    return CostTable(name, base, tables)


def places(
    target: Target, topology: Topology, space: SearchSpace
) -> Iterator[tuple[str, int, int, int]]:
    """All (operation, channels, stride, input size) that can occur in a network."""
    for kind, channels, size in _cells(target, space):
        for edge in topology.edges:
            for operation in space.operations:
                if operation != space.zero:
                    yield (operation, channels, *_place(kind, edge, topology, size))


def reference_genotype(topology: Topology, space: SearchSpace) -> Genotype:
    """A derived cell for reference: the first edges of each node, with their first operations."""

    def cell(kind: str) -> tuple[Node, ...]:
        return tuple(
            tuple(
                (space.choices(kind, source, node)[0], source)
                for source in range(space.kept_edges(node))
            )
            for node in topology.inner
        )

    reduces = "reduce" in space.kinds
    concat = space.output_states(topology.nodes)
    return Genotype(
        name="reference",
        normal=cell("normal"),
        reduce=cell("reduce") if reduces else (),
        normal_concat=concat,
        reduce_concat=concat if reduces else (),
        space=space,
    )


def _cells(target: Target, space: SearchSpace) -> Iterator[tuple[str, int, int]]:
    """The kind, channels and input size of each cell."""
    size = target.resolution
    if space.stack == "stages":
        skeleton = Skeleton.of_stages(layers=target.layers, channels=target.channels)
    else:
        size //= STEMS[target.stem].multiple
        skeleton = Skeleton.of(
            layers=target.layers, channels=target.channels, stem=(0, 0), width=lambda kind: 0
        )
    for place in skeleton.cells:
        yield place.kind, place.channels, size // place.shrinkage


def _place(kind: str, edge: Edge, topology: Topology, size: int) -> tuple[int, int]:
    """The stride of an edge and the size of its input, in a cell with inputs of `size`."""
    inside = kind == "reduce" and edge.source >= topology.inputs
    return topology.stride(edge.source, kind == "reduce"), size // 2 if inside else size
