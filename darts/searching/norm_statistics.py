"""The statistics with which the batch norms of a supernet judge a cell with inherited weights.

Running statistics of a search belong to the mixture that was trained. A single cell passes other
numbers on, so its batch norms need other means and variances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from cells.topology import EdgeWeights
from darts.methods.gradient import Context
from darts.searching.search_network import SearchNetwork
from ops.fused.mixed_norm import WeightedNorm

Batches = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""Starts again from the first batch of this process's images and labels."""


class NormStatistics(Protocol):
    """Where the statistics of the batch norms come from.

    Attributes:
        same_for_all: Whether all cells have the same ones, so that one pass over the images can
            judge several cells.
    """

    same_for_all: ClassVar[bool]

    def prepare(
        self, supernet: SearchNetwork, tables: Mapping[str, EdgeWeights], context: Context
    ) -> None:
        """Set the supernet up for a cell. The caller restores mode and statistics afterwards."""


@dataclass(frozen=True)
class OfEachBatch:
    """Mean and variance of the batch that is judged, as in training.

    Source: NAS-Bench-201 (arXiv 2001.00326, §4: supernets without running statistics), whose
    authors call it much better than running statistics; DARTS-PT (arXiv 2108.04392), its code.
    """

    same_for_all: ClassVar[bool] = True

    def prepare(
        self, supernet: SearchNetwork, tables: Mapping[str, EdgeWeights], context: Context
    ) -> None:
        supernet.train()


@dataclass(frozen=True)
class Running:
    """The running statistics of the supernet, as at the end of its training.

    Source: `examine_ranking` in the code of SmoothDARTS (arXiv 2002.05283) and beta-DARTS (arXiv
    2203.01665), which makes alpha one-hot in the trained supernet in evaluation mode.
    """

    same_for_all: ClassVar[bool] = True

    def prepare(
        self, supernet: SearchNetwork, tables: Mapping[str, EdgeWeights], context: Context
    ) -> None:
        supernet.eval()


@dataclass(frozen=True)
class Reestimated:
    """Running statistics of the cell itself, from a pass over some training images.

    With m_i and v_i the mean and the unbiased variance of batch i of n, each batch norm uses

        mean = (m_1 + … + m_n) / n,   variance = (v_1 + … + v_n) / n

    which is the cumulative average of `torch.nn.BatchNorm2d(momentum=None)`.

    Source: SPOS (arXiv 1904.00420, §3.4), which recomputes them for every cell; its code averages
    with momentum 0.1, and augments the images.

    Attributes:
        batches: The training images, the same for all cells. Each process reads all of them.
    """

    batches: Batches
    same_for_all: ClassVar[bool] = False

    @torch.no_grad()
    def prepare(
        self, supernet: SearchNetwork, tables: Mapping[str, EdgeWeights], context: Context
    ) -> None:
        norms = list(batch_norms(supernet))
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            for statistic in (norm.running_mean, norm.running_var):
                assert statistic is not None
                statistic.zero_()
        supernet.train()
        try:
            for number, (images, _) in enumerate(self.batches()):
                for norm in norms:
                    norm.momentum = 1 / (number + 1)
                if supernet.generator is not None:
                    supernet.generator.manual_seed(number)
                with context():
                    supernet(images, tables)
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
        supernet.eval()


def batch_norms(network: nn.Module) -> Iterator[WeightedNorm | nn.BatchNorm2d]:
    """All batch norms of a network.

    >>> [norm.num_features for norm in batch_norms(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))]
    [3]
    """
    for module in network.modules():
        if isinstance(module, (WeightedNorm, nn.BatchNorm2d)):
            yield module
