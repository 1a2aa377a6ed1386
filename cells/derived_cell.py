"""Derived cells: the operations of a genotype."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cells.skeleton import CellPlace
from cells.topology import Topology
from genotypes import Genotype
from ops.chains import Chained
from ops.primitives import FactorizedReduce, ReluConvBn
from ops.registry import create_operation
from ops.regularize import Noise, drop_path, hand_generator, path_mask


class _DerivedNodes(nn.Module):
    """The operations of one cell of a genotype: x_j = sum over the inputs i of j of o_ij(x_i)."""

    operations: nn.ModuleList

    def __init__(self, genotype: Genotype, place: CellPlace) -> None:
        super().__init__()
        self._nodes, self.concat = genotype.cell(place.kind)
        self._stride = Topology(genotype.nodes, genotype.rules.inputs).stride
        self._place = place
        self.sources = tuple(tuple(source for _, source in node) for node in self._nodes)
        self.out_channels = len(self.concat) * place.channels

    def _create_operations(self) -> nn.ModuleList:
        place = self._place
        return nn.ModuleList(
            create_operation(
                operation, place.channels, self._stride(source, place.reduction), affine=True
            )
            for node in self._nodes
            for operation, source in node
        )

    def _output(self, states: list[Tensor], probability: float, generator: Noise | None) -> Tensor:
        """The output of the cell for these input states. Drop path spares the identity."""
        operations = iter(self.operations)
        for sources in self.sources:
            total: Tensor | None = None
            for source in sources:
                total = _added(next(operations), states[source], total, probability, generator)
            assert total is not None
            states.append(total)
        if len(self.concat) == 1:
            return states[self.concat[0]]
        return torch.cat([states[state] for state in self.concat], dim=1)


def _added(
    operation: nn.Module,
    x: Tensor,
    total: Tensor | None,
    probability: float,
    generator: Noise | None,
) -> Tensor:
    """total + operation(x), with drop path unless the operation is the identity."""
    if isinstance(operation, Chained):
        mask = None if generator is None else path_mask(x, probability, generator)
        return operation(x, mask, total)
    term = operation(x)
    if generator is not None and not isinstance(operation, nn.Identity):
        term = drop_path(term, probability, generator)
    return term if total is None else total + term


class DerivedCell(_DerivedNodes):
    """One cell of a network that is trained from scratch.

        x_j = sum over the inputs i of node j of  o_ij(x_i)

    The output concatenates the states that the genotype names. Source: DARTS (arXiv 1806.09055,
    §2.1).

    Shapes: inputs `[B, place.before_previous, H, W]` (`2H, 2W` after a reduction) and
    `[B, place.previous, H, W]`; result `[B, out_channels, H', W']` with H' = H/2 in a reduction
    cell.

    >>> from genotypes import load_genotype
    >>> cell = DerivedCell(load_genotype("darts_v2"), CellPlace(0, False, False, 6, 6, 4, 1))
    >>> cell(torch.ones(2, 6, 8, 8), torch.ones(2, 6, 8, 8)).shape
    torch.Size([2, 16, 8, 8])

    Args:
        genotype: The genotype whose normal or reduction cell is built.
        place: Channels of the inputs, C, and whether the cell reduces.
    """

    def __init__(self, genotype: Genotype, place: CellPlace) -> None:
        super().__init__(genotype, place)
        channels = place.channels
        adapt = FactorizedReduce if place.previous_reduction else ReluConvBn
        self.preprocess0 = adapt(place.before_previous, channels, affine=True)
        self.preprocess1 = ReluConvBn(place.previous, channels, affine=True)
        self.operations = self._create_operations()

    def forward(
        self,
        before_previous: Tensor,
        previous: Tensor,
        probability: float = 0.0,
        generator: Noise | None = None,
    ) -> Tensor:
        """Compute the output. Drop path acts on every operation except the identity.

        Args:
            before_previous: Output of the cell before the previous one.
            previous: Output of the previous cell.
            probability: The probability that the output of an operation is dropped for a sample.
            generator: Source of the dropout masks; None drops nothing. Random operations draw from
                it as well.
        """
        if isinstance(generator, torch.Generator):
            hand_generator(self.operations, generator)
        states = [self.preprocess0(before_previous), self.preprocess1(previous)]
        return self._output(states, probability, generator)


class DerivedStageCell(_DerivedNodes):
    """One cell of a network of stages: one input, which its operations read as it is.

        x_j = sum over the inputs i of node j of  o_ij(x_i)

    The output is the last node. Source: NAS-Bench-201 (arXiv 2001.00326, §2.1).

    Shapes: input and result `[B, place.channels, H, W]`.

    >>> from genotypes import load_genotype
    >>> genotype = load_genotype("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    >>> cell = DerivedStageCell(genotype, CellPlace(0, False, False, 4, 4, 4, 1))
    >>> cell(torch.ones(2, 4, 8, 8)).mean().item()
    1.0

    Args:
        genotype: The genotype whose cell is built.
        place: The channels of the cell.
    """

    def __init__(self, genotype: Genotype, place: CellPlace) -> None:
        super().__init__(genotype, place)
        self.operations = self._create_operations()

    def forward(
        self, previous: Tensor, probability: float = 0.0, generator: Noise | None = None
    ) -> Tensor:
        """Compute the output. Drop path acts on every operation except the identity.

        Args:
            previous: Output of the previous cell or block.
            probability: The probability that the output of an operation is dropped for a sample.
            generator: Source of the dropout masks; None drops nothing.
        """
        return self._output([previous], probability, generator)
