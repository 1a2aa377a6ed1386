"""Accuracies of a supernet with weights of someone's choice, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from cells.topology import EdgeWeights
from darts.methods.architecture import Architecture
from darts.methods.children import child_tables
from darts.methods.gradient import Context
from darts.runs.evaluation import tallied
from darts.searching.images import SearchImages
from darts.searching.norm_statistics import Batches, NormStatistics, OfEachBatch
from darts.searching.search_network import SearchNetwork
from darts.targets.scores import prefixed
from darts.targets.single import uncounted_tally
from darts.targets.target import Tally
from genotypes import Genotype


class BatchScores(NamedTuple):
    """What a supernet reaches with some weights of its edges.

    Attributes:
        loss: Mean loss.
        accuracy: The main measure in %: accuracy, or the mean average precision if images have
            several labels.
    """

    loss: float
    accuracy: float


def validated(
    supernet: SearchNetwork, architecture: Architecture, images: SearchImages, context: Context
) -> dict[str, float]:
    """Scores of a supernet on the architecture's images, not augmented: loss, accuracy (%) …"""
    tables = architecture.evaluated_tables()

    def forward(batch: Tensor) -> Tensor:
        with context():
            return supernet(batch, tables)

    scores = tallied(supernet, images.validation_batches(), forward, images.tally())
    return prefixed(scores, "validation")


class SupernetScore:
    """Main measure (%) of a supernet on validation images, with weights of someone's choice.

    By default batch norms use the statistics of the batch (`darts.searching.norm_statistics` has
    others), and nothing is dropped. Running statistics stay as they are, and random operations draw
    the same numbers for a batch in every call, so that calls can be compared.

    Args:
        supernet: The network.
        batches: Its validation images.
        context: Context of each forward pass.
        statistics: Where the statistics of the batch norms come from.
        tally: Makes a new tally of the task.
    """

    def __init__(
        self,
        supernet: SearchNetwork,
        batches: Batches,
        context: Context,
        statistics: NormStatistics | None = None,
        tally: Callable[[], Tally] = uncounted_tally,
    ) -> None:
        self.supernet, self.batches, self.context = supernet, batches, context
        self.statistics, self.tally = statistics or OfEachBatch(), tally

    def __call__(self, tables: Mapping[str, EdgeWeights], batches: int = 0) -> float:
        """The accuracy on the first `batches` batches of each process; 0 for all images."""
        return self.compare([tables], batches)[0].accuracy

    @torch.no_grad()
    def compare(
        self, choices: Sequence[Mapping[str, EdgeWeights]], batches: int = 0
    ) -> list[BatchScores]:
        """Loss and accuracy with each of some tables.

        Every batch is read only once, unless each choice needs statistics of its own.
        """
        if not self.statistics.same_for_all and len(choices) > 1:
            return [self.compare([one], batches)[0] for one in choices]
        tallies = [self.tally() for _ in choices]
        with undisturbed(self.supernet):
            self.statistics.prepare(self.supernet, choices[0], self.context)
            for number, (images, labels) in enumerate(islice(self.batches(), batches or None)):
                for index, tables in enumerate(choices):
                    if self.supernet.generator is not None:
                        self.supernet.generator.manual_seed(number)
                    with self.context():
                        logits = self.supernet(images, tables)
                    tallies[index].add(logits, labels)
        found = [tally.scores() for tally in tallies]
        return [BatchScores(one.loss, one.quality) for one in found]


@contextmanager
def undisturbed(supernet: SearchNetwork) -> Iterator[None]:
    """Training mode inside the block, but without dropout, and with random numbers of its own.

    Afterwards all is as it was.
    """
    training, generator = supernet.training, supernet.generator
    drop_path, skip_dropout = supernet.drop_path, supernet.skip_dropout
    buffers = {name: buffer.clone() for name, buffer in supernet.named_buffers()}
    supernet.train()
    supernet.drop_path = 0.0
    supernet.drop_skips(0.0)
    if generator is not None:
        supernet.generator = torch.Generator(generator.device).manual_seed(0)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in supernet.named_buffers():
                buffer.copy_(buffers[name])
        supernet.generator, supernet.drop_path = generator, drop_path
        supernet.drop_skips(skip_dropout)
        supernet.train(training)


class Gap(NamedTuple):
    """What a supernet loses when its operations are reduced to those of a cell.

    Attributes:
        supernet: Loss and accuracy (%) of the supernet.
        derived: Those of its derived cell with the weights of the supernet.
    """

    supernet: BatchScores
    derived: BatchScores

    @property
    def value(self) -> float:
        """The loss of accuracy in percentage points."""
        return self.supernet.accuracy - self.derived.accuracy


@torch.no_grad()
def discretisation_gap(
    architecture: Architecture, genotype: Genotype, score: SupernetScore, batches: int = 0
) -> Gap:
    """The accuracy of a supernet beside that of its own derived cell with inherited weights.

    The supernet uses the weights of validation. In the derived cell the kept operations and the
    kept edges have the weight 1, as in the network that is retrained, which has no alpha and no
    beta; everything else has the weight 0 and is not computed, and an auxiliary skip connection is
    gone (`darts.methods.children.child_tables`). A node thus adds two outputs with the weight 1
    where it mixed many small ones before. Batch norms follow in the next cell, so what this changes
    is mainly a scale, and the statistics of the batch absorb it; running statistics would not.

    Args:
        architecture: alpha and beta.
        genotype: The cells that they describe.
        score: Measures the supernet.
        batches: Number of batches; 0 for all validation images.
    """
    tables = architecture.evaluated_tables()
    like = next(iter(tables.values())).operations
    cells = {kind: genotype.cell(kind)[0] for kind in architecture.kinds}
    child = child_tables(
        cells, architecture.topology, architecture.space, columns=like.shape[1], like=like
    )
    return Gap(*score.compare([tables, child], batches))
