"""The two steps of an iteration: alpha and beta follow the validation loss, the weights the
training loss.

What the architecture step differentiates is the method's choice (darts/methods/gradient.py). A
single-level search has one step for both instead, on the training loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from cells.stacked import StackedOperation
from cells.topology import EdgeWeights, Tables
from darts.methods.alignment import WeightRegulariser, copied_tables
from darts.methods.freezing import Freezer
from darts.methods.gradient import Bilevel, FirstOrder, Gradient, LabelledBatch, StepOutcome
from darts.methods.perturbation import Perturbation
from darts.methods.regularisers import Regulariser
from darts.methods.relaxation import AfterStep
from darts.searching.partial_sgd import partial_step
from darts.targets.target import LearningTask

Order = Literal["architecture-first", "weights-first"]


class WeightTerms(NamedTuple):
    """What a method changes in the weight step.

    Attributes:
        perturbation: Changes the tables for the step.
        generator: The source of the perturbation's random numbers, on the CPU.
        regularisers: Add to the gradient of the weights before it is clipped.
        freezer: Freezes weights for good; it has to be the gradient of the architecture step, too.
    """

    perturbation: Perturbation | None = None
    generator: torch.Generator | None = None
    regularisers: tuple[WeightRegulariser, ...] = ()
    freezer: Freezer | None = None


NO_TERMS = WeightTerms()
"""The weight step of DARTS and PC-DARTS."""


class WeightStep:
    """One step of SGD on the weights; alpha and beta stay fixed.

    Operations that are not computed, and frozen ones, keep their weights and momentum.

    Args:
        problem: Supernet, architecture, the weights' optimiser and the loss.
        clip: Largest norm of the weights' gradient, or None for no limit.
        operations: The operations whose weights may stay as they are
            (`cells.stacked.stacked_operations`); needed for relaxations that do not compute all
            operations, and for freezing.
        terms: What the method changes.
    """

    def __init__(
        self,
        problem: Bilevel,
        clip: float | None = None,
        *,
        operations: Sequence[StackedOperation] = (),
        terms: WeightTerms = NO_TERMS,
    ) -> None:
        self.problem, self.clip, self.terms = problem, clip, terms
        self.weights = list(problem.supernet.parameters())
        self.sgd = WeightSgd(problem, operations, terms.freezer)

    def __call__(self, batch: LabelledBatch) -> StepOutcome:
        problem = self.problem
        problem.weight_optimiser.zero_grad(set_to_none=True)
        tables = self._perturbed(problem.architecture.fixed_tables(), batch)
        if self.terms.regularisers:
            outcome = self._regularised(tables, batch)
        else:
            outcome = backward(problem, tables, batch)
        problem.reduce([p.grad for p in self.weights if p.grad is not None])
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.weights, self.clip)
        self.sgd.step(tables)
        return outcome

    def _perturbed(
        self, tables: dict[str, EdgeWeights], batch: LabelledBatch
    ) -> dict[str, EdgeWeights]:
        perturbation, generator = self.terms.perturbation, self.terms.generator
        if perturbation is None:
            return tables
        assert generator is not None
        progress = self.problem.architecture.progress
        return perturbation(self.problem, tables, batch, progress, generator)

    def _regularised(self, tables: dict[str, EdgeWeights], batch: LabelledBatch) -> StepOutcome:
        cells = copied_tables(tables, self.problem.cells)
        outcome = backward(self.problem, cells, batch)
        for regulariser in self.terms.regularisers:
            regulariser(self.problem, cells, batch)
        return outcome


class WeightSgd:
    """Moves the weights of what took part in a step.

    Args:
        problem: Its `weight_optimiser` has the gradients; `cells` are the kinds of the cells.
        operations: The operations that may not take part.
        freezer: Knows which of them are frozen.
    """

    def __init__(
        self,
        problem: Bilevel,
        operations: Sequence[StackedOperation],
        freezer: Freezer | None = None,
    ) -> None:
        self.problem, self.operations, self.freezer = problem, operations, freezer

    def step(self, tables: dict[str, EdgeWeights]) -> None:
        """One step; `tables` say what was computed."""
        if self.freezer is not None:
            self.freezer.remember()
        partial = any(table.active is not None for table in tables.values())
        if not partial and (self.freezer is None or not self.freezer.share):
            self.problem.weight_optimiser.step()
            return
        takes_part = [self._takes_part(one, tables) for one in self.operations]
        partial_step(self.problem.weight_optimiser, self.operations, takes_part)

    def _takes_part(
        self, operation: StackedOperation, tables: dict[str, EdgeWeights]
    ) -> tuple[bool, ...]:
        active = operation.active(tables[self.problem.cells[operation.cell]])
        if self.freezer is None:
            return active
        frozen = self.freezer.frozen_edges(operation)
        return tuple(takes and not stays for takes, stays in zip(active, frozen, strict=True))


class ArchitectureStep:
    """One step on alpha and beta; the weights stay fixed.

    Args:
        problem: Supernet, architecture, the weights' optimiser and the loss.
        optimiser: Moves alpha and beta (Adam).
        gradient: How the validation loss is differentiated.
        clip: Largest norm of the architecture's gradient, or None for no limit (ImageNet: 5).
        regularisers: Functions of alpha and beta that are added to the validation loss.
        after_step: Corrects alpha after the step of the optimiser
            (`darts.methods.relaxation.Relaxation.after_step`).
    """

    def __init__(
        self,
        problem: Bilevel,
        optimiser: torch.optim.Optimizer,
        gradient: Gradient = FirstOrder(),
        *,
        clip: float | None = None,
        regularisers: Sequence[Regulariser] = (),
        after_step: AfterStep | None = None,
    ) -> None:
        self.problem, self.optimiser, self.gradient = problem, optimiser, gradient
        self.clip, self.regularisers, self.after_step = clip, regularisers, after_step

    def __call__(self, validation: LabelledBatch, training: LabelledBatch) -> StepOutcome:
        parameters = list(self.problem.architecture.parameters())
        outcome, gradients = self.gradient(self.problem, validation, training)
        self.problem.reduce(gradients)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self.move()
        return outcome

    def move(self) -> None:
        """Add the gradients of the regularisers, clip, and move alpha and beta."""
        architecture = self.problem.architecture
        for regulariser in self.regularisers:
            regulariser(architecture).backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(list(architecture.parameters()), self.clip)
        if self.after_step is None:
            self.optimiser.step()
            return
        before = {kind: alpha.detach().clone() for kind, alpha in architecture.alpha.items()}
        self.optimiser.step()
        with torch.no_grad():
            for kind, alpha in architecture.alpha.items():
                alpha.copy_(self.after_step(before[kind], alpha))


class JointStep:
    """One step on weights and architecture together: both follow the loss of one batch.

    One backward pass differentiates the loss of the training batch with respect to everything;
    then both optimisers take a step. Regularisers of alpha and beta are added as in the
    architecture step.

    Source: SNAS (arXiv 1812.09926) and the single-level variants of DARTS and FairDARTS.

    Args:
        weights: The weight step; its optimiser, limit and operations are used. A single-level
            search has no perturbation, no regulariser of the weights and no freezing.
        architecture: The architecture step; its optimiser, limit and regularisers are used.
    """

    def __init__(self, weights: WeightStep, architecture: ArchitectureStep) -> None:
        self.weights, self.architecture = weights, architecture
        self.problem = weights.problem

    def __call__(self, batch: LabelledBatch) -> StepOutcome:
        problem, architecture = self.problem, self.problem.architecture
        problem.weight_optimiser.zero_grad(set_to_none=True)
        self.architecture.optimiser.zero_grad(set_to_none=True)
        tables = architecture.tables()
        leaves = {kind: _leaves(table) for kind, table in tables.items()}
        outcome = backward(problem, leaves, batch)
        _hand_on(tables, leaves)
        moved = [*self.weights.weights, *architecture.parameters()]
        problem.reduce([p.grad for p in moved if p.grad is not None])
        if self.weights.clip is not None:
            nn.utils.clip_grad_norm_(self.weights.weights, self.weights.clip)
        self.weights.sgd.step(tables)
        self.architecture.move()
        return outcome


def backward(problem: Bilevel, tables: Tables, batch: LabelledBatch) -> StepOutcome:
    """Forward and backward pass of a batch, part by part; gradients are added to `.grad`."""
    outcomes = []
    for images, labels in batch.split(problem.parts):
        with problem.context():
            logits = problem.supernet(images, tables)
            loss = problem.criterion(logits, labels)
        (loss / problem.parts).backward()
        outcomes.append(StepOutcome(loss.detach(), logits.detach()))
    return StepOutcome.of_parts(outcomes)


def _leaves(table: EdgeWeights) -> EdgeWeights:
    """The table cut off from alpha and beta, with gradients of its own."""
    edges = table.edges
    return table._replace(
        operations=table.operations.detach().requires_grad_(),
        edges=None if edges is None else edges.detach().requires_grad_(),
    )


def _hand_on(tables: dict[str, EdgeWeights], leaves: dict[str, EdgeWeights]) -> None:
    """Continue the backward pass from the tables to alpha and beta."""
    pairs = []
    for kind, table in tables.items():
        pairs.append((table.operations, leaves[kind].operations.grad))
        if table.edges is not None:
            of_edges = leaves[kind].edges
            assert of_edges is not None
            pairs.append((table.edges, of_edges.grad))
    useful = [(one, gradient) for one, gradient in pairs if gradient is not None]
    outputs, gradients = zip(*useful, strict=True)
    torch.autograd.backward(outputs, gradients)


class Turns:
    """Says which iterations train alpha and beta: the last one of every `every`.

    >>> turns = Turns(3)
    >>> [turns.next() for _ in range(6)]
    [False, False, True, False, False, True]

    Args:
        every: Weight steps per step of alpha and beta (ProxylessNAS: 5, iDARTS: 4).
    """

    def __init__(self, every: int = 1) -> None:
        self.every, self.passed = every, 0

    def next(self) -> bool:
        """Whether the next iteration trains alpha and beta."""
        self.passed += 1
        return self.passed % self.every == 0

    def state_dict(self) -> dict[str, Any]:
        return {"passed": self.passed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.passed = state["passed"]


class BilevelIteration:
    """The architecture step, if there are images for it, and the weight step.

    Everything that happens on the device between two batches happens in here, and nothing in here
    waits for the device. (Relaxations that sample paths do wait: the host has to know what to
    compute. They are not recordable.) So an iteration can be recorded as one graph
    (darts/searching/recording.py).

    Args:
        architecture_step: The step on alpha and beta.
        weight_step: The step on the weights.
        order: Which of them is first: DARTS's code trains alpha first, the code of NAS-Bench-201
            the weights.
    """

    def __init__(
        self,
        architecture_step: ArchitectureStep,
        weight_step: WeightStep,
        order: Order = "architecture-first",
    ) -> None:
        self.architecture_step, self.weight_step = architecture_step, weight_step
        self.order = order

    def __call__(
        self, training: LabelledBatch, validation: LabelledBatch | None = None
    ) -> dict[str, Tensor]:
        """Loss and measure (%) of each step before it changed anything: scalars on the device."""
        scalars: dict[str, Tensor] = {}
        target = self.weight_step.problem.target
        weights_first = self.order == "weights-first"
        if weights_first:
            outcome = self.weight_step(training)
        if validation is not None:
            of_architecture = self.architecture_step(validation, training)
            scalars |= logged(target, of_architecture, validation, "architecture_")
        if not weights_first:
            outcome = self.weight_step(training)
        return scalars | logged(target, outcome, training)


class JointIteration:
    """The iteration of a single-level search: one step on everything.

    Args:
        joint_step: The step on weights and architecture.
    """

    def __init__(self, joint_step: JointStep) -> None:
        self.joint_step = joint_step

    def __call__(
        self, training: LabelledBatch, validation: LabelledBatch | None = None
    ) -> dict[str, Tensor]:
        """Loss and accuracy (%) before the step: scalars on the device.

        Args:
            training: The batch of the step.
            validation: Not read. Without it, only the weights are trained, as in the warm-up of a
                bilevel search; so hand in the training batch itself.
        """
        step = self.joint_step.weights if validation is None else self.joint_step
        outcome = step(training)
        return logged(self.joint_step.problem.target, outcome, training)


def logged(
    target: LearningTask, outcome: StepOutcome, batch: LabelledBatch, prefix: str = ""
) -> dict[str, Tensor]:
    """What a step logs: loss and measure (%) of its batch, scalars on the device."""
    measure = target.batch_score(outcome.logits, batch.labels)
    return {f"{prefix}loss": outcome.loss, f"{prefix}{target.step_measure}": measure}
