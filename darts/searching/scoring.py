"""Accuracies of a supernet with weights of someone's choice, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from cells.topology import EdgeWeights
from darts.methods.architecture import Architecture
from darts.methods.children import child_tables
from darts.methods.gradient import Context
from darts.runs.evaluation import number_correct
from darts.searching.search_network import SearchNetwork
from darts.system import distributed

Batches = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""Starts again from the first batch of this process's images and labels."""


class SupernetScore:
    """Accuracy (%) of a supernet on validation images, by the statistics of each batch.

    Running statistics belong to the mixture of a whole search, not to single cells; so batch norms
    use the statistics of the batch, as in every code that compares cells of a supernet (DARTS-PT,
    NAS-Bench-201). Nothing changes: the running statistics stay as they are, and random operations
    draw the same numbers in every call, so that calls can be compared.

    Args:
        supernet: The network.
        batches: Its validation images.
        context: Context of each forward pass.
    """

    def __init__(self, supernet: SearchNetwork, batches: Batches, context: Context) -> None:
        self.supernet, self.batches, self.context = supernet, batches, context

    @torch.no_grad()
    def __call__(self, tables: Mapping[str, EdgeWeights], batches: int = 0) -> float:
        """The accuracy on the first `batches` batches of each process; 0 for all images."""
        sums = [0.0, 0.0]
        with _undisturbed(self.supernet):
            for images, labels in islice(self.batches(), batches or None):
                with self.context():
                    logits = self.supernet(images, tables)
                sums[0] += number_correct(logits, labels).item()
                sums[1] += len(labels)
        correct, total = distributed.total(sums)
        return 100 * correct / total


@contextmanager
def _undisturbed(supernet: SearchNetwork) -> Iterator[None]:
    """Training mode inside the block; afterwards all is as it was."""
    training, generator = supernet.training, supernet.generator
    buffers = {name: buffer.clone() for name, buffer in supernet.named_buffers()}
    supernet.train()
    if generator is not None:
        supernet.generator = torch.Generator(generator.device).manual_seed(0)
    try:
        yield
    finally:
        for name, buffer in supernet.named_buffers():
            buffer.copy_(buffers[name])
        supernet.generator = generator
        supernet.train(training)


class Gap(NamedTuple):
    """What a supernet loses when its operations are reduced to those of a cell.

    Attributes:
        supernet: Accuracy (%) of the supernet.
        derived: Accuracy (%) of its derived cell with the weights of the supernet.
    """

    supernet: float
    derived: float

    @property
    def value(self) -> float:
        """The loss of accuracy in percentage points."""
        return self.supernet - self.derived


@torch.no_grad()
def discretisation_gap(architecture: Architecture, score: SupernetScore, batches: int = 0) -> Gap:
    """The accuracy of a supernet beside that of its own derived cell with inherited weights.

    Args:
        architecture: alpha and beta; they derive the cell.
        score: Measures the supernet.
        batches: Number of batches; 0 for all validation images.
    """
    tables = architecture.evaluated_tables()
    like = next(iter(tables.values())).operations
    genotype = architecture.derive("derived")
    cells = {kind: genotype.cell(kind)[0] for kind in architecture.kinds}
    child = child_tables(
        cells, architecture.topology, architecture.space, columns=like.shape[1], like=like
    )
    return Gap(score(tables, batches), score(child, batches))
