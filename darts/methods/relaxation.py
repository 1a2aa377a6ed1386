"""Relaxations: how alpha and beta become the weights that a supernet mixes its operations by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from cells.topology import EdgeWeights, Topology


class Progress(NamedTuple):
    """The position of a search within its present stage.

    >>> Progress(epoch=5, epochs=11).fraction
    0.5

    Attributes:
        epoch: The present epoch of the stage, from 0.
        epochs: Number of epochs of the stage.
    """

    epoch: int = 0
    epochs: int = 1

    @property
    def fraction(self) -> float:
        """0 in the first epoch, 1 in the last one: e / (E - 1)."""
        return self.epoch / max(self.epochs - 1, 1)

    def between(self, start: float, end: float) -> float:
        """A value that goes linearly from `start` in the first epoch to `end` in the last one."""
        return start + (end - start) * self.fraction


AfterStep = Callable[[Tensor, Tensor], Tensor]
"""(alpha before a step of its optimiser, alpha after it) -> the alpha to continue with."""


class Draw(NamedTuple):
    """What a relaxation may depend on besides alpha and beta.

    Attributes:
        progress: The position of the search in its stage, for temperatures and schedules.
        generator: The source of random numbers, on the CPU.
        step: The step that uses the weights. A step on the weights of the supernet does not
            differentiate alpha, so a relaxation that samples paths needs to compute fewer.
    """

    progress: Progress
    generator: torch.Generator
    step: Literal["architecture", "weights"] = "architecture"


class Relaxation(Protocol):
    """Maps the parameters of one kind of cell to the weights of its edges.

    Columns of alpha that are -inf belong to operations that the search space does not allow on
    that edge: their weight has to be 0.

    Attributes:
        edge_normalisation: Whether the relaxation uses beta; without it, beta does not exist.
        recordable: Whether a CUDA graph can record it: fixed shapes, no random numbers from a host
            generator, no decision that depends on a value on the device.
        stochastic: Whether `weights` draws random numbers. Then two calls give different weights.
        after_step: Corrects alpha after each step of its optimiser, or None.
    """

    @property
    def edge_normalisation(self) -> bool: ...

    @property
    def recordable(self) -> bool: ...

    @property
    def stochastic(self) -> bool: ...

    @property
    def after_step(self) -> AfterStep | None: ...

    def weights(
        self, alpha: Tensor, beta: Tensor | None, topology: Topology, draw: Draw
    ) -> EdgeWeights:
        """The weights for one forward pass of alpha `[E, O]` and beta `[E]`.

        They are differentiable in both. All cells of a kind use the same weights.
        """

    def expected(self, alpha: Tensor, beta: Tensor | None, topology: Topology) -> EdgeWeights:
        """The mean of `weights`, without random numbers; differentiable.

        The genotype, the expected costs and the records of a run follow these weights.
        """

    def evaluated(self, alpha: Tensor, beta: Tensor | None, topology: Topology) -> EdgeWeights:
        """The weights of the supernet in validation, without random numbers.

        Those of `expected`, or the most likely path where `weights` samples single paths.
        """

    def log_strengths(self, alpha: Tensor, beta: Tensor | None, topology: Topology) -> Tensor:
        """`[E, O]`: log of `expected(…).strengths()`, finite even where a weight rounds to 0."""


@dataclass(frozen=True)
class BaseRelaxation:
    """A deterministic relaxation whose weights are a softmax; others override what they change.

    A relaxation of your own needs only `probabilities` and `log_probabilities`, or `weights` if it
    draws random numbers. Edge normalisation is the same for all (PC-DARTS, §3.3, Eq. 3):

        v[e] = exp(beta[e]) / sum over e' into the same node of exp(beta[e'])

    >>> import torch
    >>> weights = BaseRelaxation().expected(torch.zeros(5, 4), None, Topology(2))
    >>> weights.operations[0].tolist(), weights.edges
    ([0.25, 0.25, 0.25, 0.25], None)

    Attributes:
        edge_normalisation: Whether edges are weighted by a softmax of beta (PC-DARTS). Otherwise
            all edges have weight 1 (DARTS).
    """

    edge_normalisation: bool = False
    recordable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    @property
    def after_step(self) -> AfterStep | None:
        return None

    def probabilities(self, alpha: Tensor) -> Tensor:
        """`[E, O]`: the expected weight of each operation, differentiable in alpha `[E, O]`."""
        return alpha.softmax(dim=1)

    def log_probabilities(self, alpha: Tensor) -> Tensor:
        """`[E, O]`: the logarithms of `probabilities`."""
        return alpha.log_softmax(dim=1)

    def weights(
        self, alpha: Tensor, beta: Tensor | None, topology: Topology, draw: Draw
    ) -> EdgeWeights:
        return self.expected(alpha, beta, topology)

    def expected(self, alpha: Tensor, beta: Tensor | None, topology: Topology) -> EdgeWeights:
        return EdgeWeights(self.probabilities(alpha), edge_weights(beta, topology))

    def evaluated(self, alpha: Tensor, beta: Tensor | None, topology: Topology) -> EdgeWeights:
        return self.expected(alpha, beta, topology)

    def log_strengths(self, alpha: Tensor, beta: Tensor | None, topology: Topology) -> Tensor:
        operations = self.log_probabilities(alpha)
        if beta is None:
            return operations
        parts = [part.log_softmax(dim=0) for part in split_by_node(beta, topology)]
        return operations + torch.cat(parts).unsqueeze(1)


@dataclass(frozen=True)
class Softmax(BaseRelaxation):
    """The continuous relaxation of DARTS, with PC-DARTS's edge normalisation.

        w[e, o] = exp(alpha[e, o]) / sum over o' of exp(alpha[e, o'])

    Source: DARTS, §2.2, Eq. 2; PC-DARTS, §3.3, Eq. 3. The supernet multiplies w and v.

    >>> import torch
    >>> weights = Softmax().expected(torch.zeros(5, 4), torch.zeros(5), Topology(2))
    >>> weights.operations[0].tolist(), weights.edges[0].item()
    ([0.25, 0.25, 0.25, 0.25], 0.5)

    Attributes:
        edge_normalisation: Whether edges are weighted by a softmax of beta (PC-DARTS). Otherwise
            all edges have weight 1 (DARTS).
    """

    edge_normalisation: bool = True


@dataclass(frozen=True)
class Sigmoid(BaseRelaxation):
    """FairDARTS: each operation has a weight of its own; the operations do not compete.

        w[e, o] = 1 / (1 + exp(-alpha[e, o]))

    Source: FairDARTS (arXiv 1911.12126, §4.1) and the authors' code. There alpha starts at 0, the
    candidates have no `none`, and `ZeroOne` moves the weights towards 0 or 1.

    >>> import torch
    >>> Sigmoid().expected(torch.zeros(1, 3), None, Topology(1)).operations.tolist()
    [[0.5, 0.5, 0.5]]

    Attributes:
        edge_normalisation: Whether edges are weighted by a softmax of beta. Not in FairDARTS.
    """

    def probabilities(self, alpha: Tensor) -> Tensor:
        return alpha.sigmoid()

    def log_probabilities(self, alpha: Tensor) -> Tensor:
        return logsigmoid(alpha)


def split_by_node(values: Tensor, topology: Topology) -> tuple[Tensor, ...]:
    """Split `[E, …]` into one tensor per inner node: the rows of its incoming edges.

    >>> import torch
    >>> [part.tolist() for part in split_by_node(torch.arange(5), Topology(2))]
    [[0, 1], [2, 3, 4]]
    """
    return values.split([len(topology.incoming(node)) for node in topology.inner])


def normalise_edges(beta: Tensor, topology: Topology) -> Tensor:
    """Softmax of beta `[E]` over the incoming edges of each node (PC-DARTS, §3.3, Eq. 3).

    >>> import torch
    >>> normalise_edges(torch.zeros(5), Topology(2))[:2].tolist()
    [0.5, 0.5]
    """
    return torch.cat([part.softmax(dim=0) for part in split_by_node(beta, topology)])


def edge_weights(beta: Tensor | None, topology: Topology) -> Tensor | None:
    """The weights of the edges `[E]`, or None without edge normalisation."""
    return None if beta is None else normalise_edges(beta, topology)
