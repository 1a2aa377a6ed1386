"""Stages of progressive searches: the supernet grows while candidates are dropped.

Stages share the epochs of the search equally. Between two stages the operations with the smallest
weights leave each edge; the next supernet may be deeper, or process more channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from cells.topology import Topology
from genotypes import SearchSpace


@dataclass(frozen=True)
class SearchStage:
    """One stage of a search.

    Attributes:
        first: Its first epoch, from 0.
        epochs: Number of its epochs.
        added_layers: Cells that its supernet has beyond `--layers`.
        k: K of its supernet; 0 keeps `--k`.
        kept: Candidates that each edge has in this stage; 0 keeps all.
        skip_dropout: Rate of the dropout after skip connections at the start of the stage.
        carries: Whether weights, alpha, beta and optimisers of the stage before are carried over.
        divide: Whether weights that read copied channels are then divided by the number of copies.
        selects: Whether the selection decides in this stage, while the supernet of the stage before
            trains on with a new optimiser.
    """

    first: int
    epochs: int
    added_layers: int = 0
    k: int = 0
    kept: int = 0
    skip_dropout: float = 0.0
    carries: bool = False
    divide: bool = False
    selects: bool = False


class Stages(Protocol):
    """Divides a search into stages."""

    def plan(self, epochs: int) -> tuple[SearchStage, ...]:
        """The stages of a search of `epochs` epochs.

        Raises:
            ValueError: There are fewer epochs than stages.
        """


def _divided(epochs: int, stages: int) -> list[tuple[int, int]]:
    """First epoch and number of epochs of each stage; later stages take what is left over."""
    if epochs < stages:
        raise ValueError(f"{stages} stages need at least {stages} epochs, not {epochs}")
    starts = [epochs * index // stages for index in range(stages + 1)]
    return [(start, end - start) for start, end in pairwise(starts)]


@dataclass(frozen=True)
class Growing:
    """The stages of P-DARTS: each is a new, deeper supernet with fewer candidates on every edge.

    Source: P-DARTS (Chen et al. 2019, arXiv 1904.12760) and its code, train_search.py: 25 epochs
    each, 5, 11 and 17 cells, 8, 5 and 3 candidates, dropout 0.1, 0.4 and 0.7 (the paper begins
    with 0.0).

    >>> [(stage.added_layers, stage.kept) for stage in Growing().plan(75)]
    [(0, 8), (6, 5), (12, 3)]

    Attributes:
        added_layers: Cells beyond `--layers`, by stage.
        kept: Candidates of each edge, by stage.
        skip_dropout: Initial rate of the dropout after skip connections, by stage.
    """

    added_layers: tuple[int, ...] = (0, 6, 12)
    kept: tuple[int, ...] = (8, 5, 3)
    skip_dropout: tuple[float, ...] = (0.1, 0.4, 0.7)

    def __post_init__(self) -> None:
        if not len(self.added_layers) == len(self.kept) == len(self.skip_dropout):
            raise ValueError("added_layers, kept and skip_dropout need one number per stage")
        _check_kept(self.kept)

    def plan(self, epochs: int) -> tuple[SearchStage, ...]:
        parts = _divided(epochs, len(self.kept))
        numbers = zip(parts, self.added_layers, self.kept, self.skip_dropout, strict=True)
        return tuple(
            SearchStage(*part, added_layers=added, kept=kept, skip_dropout=rate)
            for part, added, kept, rate in numbers
        )


@dataclass(frozen=True)
class Widening:
    """The stages of DrNAS: the operations get more channels while candidates leave the edges.

    Weights, alpha and optimisers are carried over: new channels are copies of randomly chosen old
    ones (`darts.searching.widening`).

    Source: DrNAS (Chen et al. 2021, arXiv 2006.10355, §3.3) and its code,
    DARTS-space/train_search.py: K = 6, then 4; 7 candidates, then 4.

    >>> [(stage.k, stage.kept) for stage in Widening().plan(50)]
    [(6, 7), (4, 4)]

    Attributes:
        k: K by stage.
        kept: Candidates of each edge, by stage.
        divide: Whether weights that read copied channels are divided by the number of copies, so
            that the operations compute the same function (Net2Net). The authors' code does not.
    """

    k: tuple[int, ...] = (6, 4)
    kept: tuple[int, ...] = (7, 4)
    divide: bool = False

    def __post_init__(self) -> None:
        if len(self.k) != len(self.kept):
            raise ValueError("k and kept need one number per stage")
        if any(later > earlier for earlier, later in pairwise(self.k)):
            raise ValueError("k must not rise, because a wider supernet has a smaller k")
        _check_kept(self.kept)

    def plan(self, epochs: int) -> tuple[SearchStage, ...]:
        parts = _divided(epochs, len(self.k))
        return tuple(
            SearchStage(*part, k=k, kept=kept, carries=index > 0, divide=self.divide)
            for index, (part, k, kept) in enumerate(zip(parts, self.k, self.kept, strict=True))
        )


def _check_kept(kept: tuple[int, ...]) -> None:
    falls = all(later <= earlier for earlier, later in pairwise(kept))
    if not falls or min(kept) < 1:
        raise ValueError("kept must be 1 or more and must not rise from stage to stage")


def shrink(
    space: SearchSpace, topology: Topology, strengths: Mapping[str, Tensor], kept: int
) -> SearchSpace:
    """The space in which every edge keeps its `kept` strongest candidates.

    Where strengths are equal, the operation listed first is kept. An edge with fewer candidates
    keeps them all. The zero operation counts like the others, but is never the only one left.

    >>> import torch
    >>> from genotypes.search_space import DARTS
    >>> strengths = torch.rand(2, 8).softmax(1)
    >>> smaller = shrink(DARTS, Topology(1), {"normal": strengths, "reduce": strengths}, 3)
    >>> len(smaller.candidates("normal", 0, 2))
    3

    Args:
        space: The space of the stage before.
        topology: Nodes and edges of the cells.
        strengths: By kind of cell `[E, O]`, the weights of the operations within each edge.
        kept: Number of candidates of each edge.
    """
    restricted = dict(space.restricted)
    for kind in space.kinds:
        order = strengths[kind].detach().cpu().argsort(dim=1, descending=True, stable=True)
        for edge in topology.edges:
            candidates = space.candidates(kind, edge.source, edge.target)
            ranked = [space.operations[column] for column in order[edge.index].tolist()]
            ranked = [name for name in ranked if name in candidates]
            left = ranked[:kept]
            if left == [space.zero]:
                left = [next(name for name in ranked if name != space.zero)]
            restricted[kind, edge.source, edge.target] = tuple(
                name for name in space.operations if name in left
            )
    return replace(space, restricted=restricted)


def stage_at(stages: tuple[SearchStage, ...], epoch: int) -> int:
    """The index of the stage that an epoch belongs to."""
    return max(index for index, stage in enumerate(stages) if stage.first <= epoch)


def skip_dropout_rate(stage: SearchStage, epoch: int, warm_up: int, decay: float = 0.2) -> float:
    """The rate of the dropout after skip connections in an epoch of a stage (P-DARTS).

        r · (E - e - 1) / E  while e < warm_up;   r · exp(-0.2 · (e - warm_up))  afterwards

    Source: the authors' code, train_search.py.

    >>> round(skip_dropout_rate(SearchStage(25, 25, skip_dropout=0.4), 35, warm_up=10), 3)
    0.4

    Args:
        stage: The stage; it names the initial rate.
        epoch: The epoch of the search.
        warm_up: Epochs of each stage before alpha is trained.
        decay: Rate of the exponential decay.
    """
    now = epoch - stage.first
    if now < warm_up:
        return stage.skip_dropout * (stage.epochs - now - 1) / stage.epochs
    rate = torch.tensor(-decay * (now - warm_up), dtype=torch.float64).exp().item()
    return stage.skip_dropout * rate
