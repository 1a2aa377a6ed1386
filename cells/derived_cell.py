"""The derived cell: the operations of a genotype."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cells.skeleton import CellPlace
from cells.topology import Topology
from genotypes import Genotype
from ops.primitives import FactorizedReduce, ReluConvBn
from ops.registry import create_operation
from ops.regularize import Noise, drop_path


class DerivedCell(nn.Module):
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
        super().__init__()
        nodes, self.concat = genotype.cell(place.kind)
        channels = place.channels
        self.out_channels = len(self.concat) * channels
        adapt = FactorizedReduce if place.previous_reduction else ReluConvBn
        self.preprocess0 = adapt(place.before_previous, channels, affine=True)
        self.preprocess1 = ReluConvBn(place.previous, channels, affine=True)
        stride = Topology(genotype.nodes).stride
        self.sources = tuple(tuple(source for _, source in node) for node in nodes)
        self.operations = nn.ModuleList(
            create_operation(operation, channels, stride(source, place.reduction), affine=True)
            for node in nodes
            for operation, source in node
        )

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
            generator: Source of the dropout masks; None drops nothing.
        """
        states = [self.preprocess0(before_previous), self.preprocess1(previous)]
        operations = iter(self.operations)
        for sources in self.sources:
            terms = []
            for source in sources:
                operation = next(operations)
                term = operation(states[source])
                if generator is not None and not isinstance(operation, nn.Identity):
                    term = drop_path(term, probability, generator)
                terms.append(term)
            states.append(sum(terms[1:], terms[0]))
        return torch.cat([states[state] for state in self.concat], dim=1)
