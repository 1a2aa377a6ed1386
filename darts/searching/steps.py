"""The two steps of an iteration: alpha and beta follow the validation loss, the weights the
training loss.

What the architecture step differentiates is the method's choice (darts/methods/gradient.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from darts.methods.gradient import Bilevel, FirstOrder, Gradient, LabelledBatch, StepOutcome
from darts.methods.regularisers import Regulariser


class WeightStep:
    """One step of SGD on the weights; alpha and beta stay fixed.

    Args:
        problem: Supernet, architecture, the weights' optimiser and the loss.
        clip: Largest norm of the weights' gradient, or None for no limit.
    """

    def __init__(self, problem: Bilevel, clip: float | None = None) -> None:
        self.problem, self.clip = problem, clip
        self.weights = list(problem.supernet.parameters())

    def __call__(self, batch: LabelledBatch) -> StepOutcome:
        problem = self.problem
        problem.weight_optimiser.zero_grad(set_to_none=True)
        tables = problem.architecture.fixed_tables()
        outcomes = []
        for images, labels in batch.split(problem.parts):
            with problem.context():
                logits = problem.supernet(images, tables)
                loss = problem.criterion(logits, labels)
            (loss / problem.parts).backward()
            outcomes.append(StepOutcome(loss.detach(), logits.detach()))
        problem.reduce([p.grad for p in self.weights if p.grad is not None])
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.weights, self.clip)
        problem.weight_optimiser.step()
        return StepOutcome.of_parts(outcomes)


class ArchitectureStep:
    """One step on alpha and beta; the weights stay fixed.

    Args:
        problem: Supernet, architecture, the weights' optimiser and the loss.
        optimiser: Moves alpha and beta (Adam).
        gradient: How the validation loss is differentiated.
        clip: Largest norm of the architecture's gradient, or None for no limit (ImageNet: 5).
        regularisers: Functions of alpha and beta that are added to the validation loss.
    """

    def __init__(
        self,
        problem: Bilevel,
        optimiser: torch.optim.Optimizer,
        gradient: Gradient = FirstOrder(),
        *,
        clip: float | None = None,
        regularisers: Sequence[Regulariser] = (),
    ) -> None:
        self.problem, self.optimiser, self.gradient = problem, optimiser, gradient
        self.clip, self.regularisers = clip, regularisers

    def __call__(self, validation: LabelledBatch, training: LabelledBatch) -> StepOutcome:
        architecture = self.problem.architecture
        parameters = list(architecture.parameters())
        outcome, gradients = self.gradient(self.problem, validation, training)
        self.problem.reduce(gradients)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        for regulariser in self.regularisers:
            regulariser(architecture).backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(parameters, self.clip)
        self.optimiser.step()
        return outcome


class BilevelIteration:
    """The architecture step, if there are images for it, and then the weight step.

    Everything that happens on the device between two batches happens in here, and nothing in here
    waits for the device. So an iteration can be recorded as one graph
    (darts/searching/recording.py).
    """

    def __init__(self, architecture_step: ArchitectureStep, weight_step: WeightStep) -> None:
        self.architecture_step, self.weight_step = architecture_step, weight_step

    def __call__(
        self, training: LabelledBatch, validation: LabelledBatch | None = None
    ) -> dict[str, Tensor]:
        """Loss and accuracy (%) of each step before it changed anything: scalars on the device."""
        scalars = {}
        if validation is not None:
            outcome = self.architecture_step(validation, training)
            scalars["architecture_loss"] = outcome.loss
            scalars["architecture_accuracy"] = percent_correct(outcome, validation)
        outcome = self.weight_step(training)
        scalars["loss"] = outcome.loss
        scalars["accuracy"] = percent_correct(outcome, training)
        return scalars


def percent_correct(outcome: StepOutcome, batch: LabelledBatch) -> Tensor:
    """Share of the batch that is classified correctly, in %: a scalar on the device."""
    return (outcome.logits.argmax(1) == batch.labels).float().mean() * 100
