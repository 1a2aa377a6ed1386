"""The iteration of a method: its parts joined into the steps that use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cells.stacked import StackedOperation
from darts.methods.alignment import WeightRegulariser
from darts.methods.freezing import Freezer, OperationFreezing
from darts.methods.gradient import Bilevel, SingleLevel
from darts.methods.method import Method
from darts.searching.steps import (
    ArchitectureStep,
    BilevelIteration,
    JointIteration,
    JointStep,
    Order,
    WeightStep,
    WeightTerms,
)


@dataclass(frozen=True, kw_only=True)
class StepSettings:
    """What the steps of an iteration need besides the method.

    Attributes:
        clip: Largest norm of the weights' gradient, or None for no limit.
        arch_clip: Largest norm of the architecture's gradient, or None for no limit.
        weights_first: Whether the weights move before alpha and beta.
        noise: The source of a perturbation's random numbers; None if there is no perturbation.
    """

    clip: float | None = None
    arch_clip: float | None = None
    weights_first: bool = False
    noise: torch.Generator | None = None


@dataclass(frozen=True)
class Iteration:
    """An iteration and its state.

    Attributes:
        step: (training batch, validation batch or None) -> scalars.
        freezer: What is frozen; it belongs into checkpoints. None without freezing.
    """

    step: BilevelIteration | JointIteration
    freezer: Freezer | None = None


def create_iteration(
    method: Method,
    problem: Bilevel,
    optimiser: torch.optim.Optimizer,
    operations: Sequence[StackedOperation],
    settings: StepSettings,
) -> Iteration:
    """Join the parts of a method into an iteration.

    Args:
        method: Its regularisers may act on the architecture, on the weights, or freeze weights.
        problem: Supernet, architecture, the weights' optimiser and the loss.
        optimiser: Moves alpha and beta.
        operations: All operations with weights (`cells.stacked.stacked_operations`).
        settings: Limits and order of the steps.
    """
    parts = method.regularisers
    freezing = [part for part in parts if isinstance(part, OperationFreezing)]
    of_weights = [part for part in parts if isinstance(part, WeightRegulariser)]
    of_architecture = tuple(
        part for part in parts if not isinstance(part, (OperationFreezing, WeightRegulariser))
    )
    freezer = freezing[0].start(operations) if freezing else None
    architecture_step = ArchitectureStep(
        problem,
        optimiser,
        freezer or method.gradient,
        clip=settings.arch_clip,
        regularisers=of_architecture,
        after_step=method.relaxation.after_step,
    )
    weight_step = WeightStep(
        problem,
        settings.clip,
        operations=operations,
        terms=WeightTerms(method.perturbation, settings.noise, tuple(of_weights), freezer),
    )
    if isinstance(method.gradient, SingleLevel):
        return Iteration(JointIteration(JointStep(weight_step, architecture_step)))
    order: Order = "weights-first" if settings.weights_first else "architecture-first"
    return Iteration(BilevelIteration(architecture_step, weight_step, order), freezer)
