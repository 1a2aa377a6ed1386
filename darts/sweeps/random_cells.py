"""Random cells of the cost of searched ones, which compete with them in the short trainings.

A search is worth its time only if its cells are better than random ones. Larger cells are better by
their size alone, so only random cells whose network is about as large as those of the searched
cells take part: between the cheapest and the dearest, with 5 % more room on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from darts.costs.cells import network_cost
from darts.system.randomness import RandomStreams
from genotypes import Genotype, SearchSpace, random_genotype

TOLERANCE = 0.05
# Cells sampled for each one needed, before the nearest ones outside the range are taken.
_DRAWS = 100
_STREAM = "random cells"


@dataclass(frozen=True)
class CostRange:
    """The multiply-adds that networks of random cells may have.

    Attributes:
        low: Fewest multiply-adds.
        high: Most multiply-adds.
        most_params: Ceiling of the parameters; None without one.
        target: The network that is counted: its `channels`, `layers`, `stem`, `resolution` and
            `num_classes`.
    """

    low: float
    high: float
    most_params: float | None
    target: Mapping[str, Any]

    @staticmethod
    def of(derived: Sequence[Mapping[str, Any]]) -> CostRange:
        """The range of searched cells; a search with a ceiling leaves no room above.

        Args:
            derived: The entry `derived` of each search's result.
        """
        counts = [one["macs"] for one in derived]
        ceilings = derived[0]["ceilings"]
        room = 0.0 if ceilings else TOLERANCE
        return CostRange(
            low=min(counts) * (1 - TOLERANCE),
            high=max(counts) * (1 + room),
            most_params=ceilings.get("params"),
            target=derived[0]["target"],
        )

    def costs(self, genotype: Genotype) -> dict[str, int]:
        """`macs` and `params` of the network of a genotype."""
        cost = network_cost(genotype, **self.target)
        return {"macs": int(cost.macs), "params": int(cost.params)}

    def distance(self, costs: Mapping[str, int]) -> float:
        """How far costs are outside the range, as a share of the nearest bound; 0 inside.

        >>> CostRange(100, 200, None, {}).distance({"macs": 250, "params": 1})
        0.25
        """
        macs, params = costs["macs"], costs["params"]
        outside = max(1 - macs / self.low, macs / self.high - 1, 0.0)
        if self.most_params is not None:
            outside = max(outside, params / self.most_params - 1)
        return outside


def sample_rivals(
    count: int, room: CostRange, space: SearchSpace, nodes: int | None, seed: int
) -> dict[int, Genotype]:
    """Random genotypes within a range of costs, by their number.

    Sampled uniformly and kept where they fit; where too few fit, the nearest of all that were
    sampled are added.

    Args:
        count: Number of cells.
        room: The range.
        space: The cells.
        nodes: Nodes of a cell; None for that of the space.
        seed: The same seed gives the same cells.
    """
    generator = RandomStreams(seed, [_STREAM])[_STREAM]
    drawn: list[tuple[float, Genotype]] = []
    fitting = 0
    while fitting < count and len(drawn) < _DRAWS * count:
        genotype = random_genotype(nodes, generator, "random", space)
        distance = room.distance(room.costs(genotype))
        fitting += distance == 0
        drawn.append((distance, genotype))
    # The order of sampling is kept among equals, so that those within the range come first.
    nearest = sorted(drawn, key=lambda pair: pair[0])[:count]
    return {
        number: genotype.with_name(f"random-{number}")
        for number, (_, genotype) in enumerate(nearest, start=1)
    }
