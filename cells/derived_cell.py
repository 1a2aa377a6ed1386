"""The derived cell: the operations of a genotype, and nothing else."""

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
    """One cell of a network that is trained from scratch (DARTS, §2.1).

    Args:
        genotype: Its normal or its reduction cell is built.
        place: Widths of the inputs, C, and whether the cell reduces.

    Shapes: inputs `[B, place.before_previous, H, W]` (twice that size after a reduction) and
    `[B, place.previous, H, W]`, result `[B, out_channels, H', W']` with H' = H/2 in a reduction
    cell.
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
        """The cell's output; drop path acts on every operation but the identity.

        Args:
            probability: Share of samples that an operation's output is dropped for.
            generator: Random stream or masks of the dropping; None drops nothing.
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
