"""Any cell inside a supernet, judged with inherited weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Protocol

from torch import Tensor

from cells.topology import Topology
from darts.errors import UserError
from darts.methods.children import Cells, child_tables
from darts.methods.gradient import Context
from darts.searching.norm_statistics import NormStatistics, OfEachBatch, Reestimated, Running
from darts.searching.protocols import OneShotProtocol
from darts.searching.scoring import BatchScores, SupernetScore
from darts.searching.search_network import SearchNetwork
from darts.targets.single import uncounted_tally
from darts.targets.target import Tally
from genotypes import Genotype, SearchSpace


class ImageBatches(Protocol):
    """Batches of fixed images and labels, in a fixed order."""

    def __len__(self) -> int:
        """Number of batches."""

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All batches, from the first one."""

    def only(self, number: int) -> ImageBatches:
        """The batch of this number alone."""


class SubnetworkScore:
    """Loss and accuracy of cells inside a supernet, with the weights that they inherit.

    The operations of a cell get the weight 1, everything else the weight 0 and is not computed
    (`darts.methods.children.child_tables`). The supernet is then the network of the cell, with the
    supernet's weights; afterwards it is as before, to the last bit.

    >>> import torch
    >>> from darts.searching.supernet import Supernet
    >>> from genotypes import load_genotype
    >>> from genotypes.search_space import DARTS
    >>> class Grey:  # Ten equal images of ten classes: a cell is right once.
    ...     def __len__(self): return 1
    ...     def __call__(self): yield torch.zeros(10, 3, 8, 8), torch.arange(10)
    ...     def only(self, number): return self
    >>> net = Supernet(Topology(4), DARTS.operations, channels=4, layers=3, backend="torch")
    >>> score = SubnetworkScore(
    ...     net, Topology(4), DARTS, Grey(), Grey(), OneShotProtocol(), like=torch.zeros(14, 8)
    ... )
    >>> score(cells_of(load_genotype("darts_v2"))).accuracy
    10.0

    Args:
        supernet: The network.
        topology: Nodes and edges of its cells.
        space: Names the columns of its tables, and the candidates of each edge.
        validation: The images on which cells are judged.
        training: The images on which statistics are re-estimated.
        protocol: How a cell is judged.
        like: A table of the supernet `[E, O]`, for its number of columns, number type and device.
        context: Context of each forward pass.
        tally: Makes a new tally of the task.
    """

    def __init__(
        self,
        supernet: SearchNetwork,
        topology: Topology,
        space: SearchSpace,
        validation: ImageBatches,
        training: ImageBatches,
        protocol: OneShotProtocol,
        *,
        like: Tensor,
        context: Context = nullcontext,
        tally: Callable[[], Tally] = uncounted_tally,
    ) -> None:
        self.supernet, self.topology, self.space = supernet, topology, space
        self.validation, self.protocol, self.like = validation, protocol, like
        self._context, self._tally = context, tally
        self._statistics = _statistics(protocol, training)

    def __call__(self, cells: Cells, number: int = 0) -> BatchScores:
        """Judge one cell.

        Args:
            cells: The nodes of each kind of cell.
            number: The number of the cell, for protocols with successive batches.

        Raises:
            UserError: The supernet lacks an operation of the cell.
        """
        self._check(cells)
        images = self.validation
        if self.protocol.name == "one-batch":
            images = images.only(number % len(images) if self.protocol.successive else 0)
        score = SupernetScore(self.supernet, images, self._context, self._statistics, self._tally)
        columns = self.like.shape[1]
        tables = child_tables(cells, self.topology, self.space, columns=columns, like=self.like)
        return score.compare([tables])[0]

    def _check(self, cells: Cells) -> None:
        if tuple(cells) != tuple(self.space.kinds):
            raise UserError(
                f"The supernet has cells of the kinds {', '.join(self.space.kinds)}, and the "
                f"judged ones are {', '.join(cells)}: they belong to another search space."
            )
        for kind, nodes in cells.items():
            if len(nodes) != self.topology.nodes:
                raise UserError(
                    f"The {kind} cell has {len(nodes)} inner nodes, and those of the supernet "
                    f"have {self.topology.nodes}."
                )
            for target, node in zip(self.topology.inner, nodes, strict=True):
                self._check_node(kind, target, node)

    def _check_node(self, kind: str, target: int, node: Sequence[tuple[str, int]]) -> None:
        for name, source in node:
            if name not in self.space.choices(kind, source, target):
                raise UserError(
                    f"The supernet has no {name} on the edge from state {source} to state {target} "
                    f"of the {kind} cell: its last stage has dropped it, or its space lacks it."
                )


def cells_of(genotype: Genotype) -> Cells:
    """The nodes of each kind of cell of a genotype."""
    return {kind: genotype.cell(kind)[0] for kind in genotype.kinds}


def _statistics(protocol: OneShotProtocol, training: ImageBatches) -> NormStatistics:
    if protocol.statistics == "reestimated":
        return Reestimated(training)
    return Running() if protocol.statistics == "running" else OfEachBatch()
