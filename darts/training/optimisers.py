"""The optimisers of a retraining: SGD, RMSProp as in TensorFlow, AdamW."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from darts.runs.optimisers import create_sgd

Optimiser = Literal["sgd", "rmsprop", "adamw"]
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


class RMSProp(torch.optim.Optimizer):
    """RMSProp with momentum, as EfficientNet and FBNetV3 were trained.

        s = decay · s + (1 - decay) · g²        s begins at 1
        v = momentum · v + rate · g / sqrt(s + epsilon)
        w = w - v

    TensorFlow's form. torch.optim.RMSprop differs in all three lines: s begins at 0, epsilon is
    added to the root and not under it, and the rate multiplies v at the end, so that a fall of the
    rate takes effect on past gradients as well.

    Args:
        lr: Learning rate.
        decay: Of the mean of squares.
        momentum: Of the steps.
        epsilon: Under the root.
        weight_decay: L2: this times the weight joins the gradient.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        *,
        lr: float,
        decay: float = 0.9,
        momentum: float = 0.9,
        epsilon: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "decay": decay,
            "momentum": momentum,
            "epsilon": epsilon,
            "weight_decay": weight_decay,
        }
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients at hand."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)

    def _move(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["squares"] = torch.ones_like(weight)
            state["velocity"] = torch.zeros_like(weight)
        squares, velocity = state["squares"], state["velocity"]
        gradient = gradient.add(weight, alpha=group["weight_decay"])
        squares.mul_(group["decay"]).addcmul_(gradient, gradient, value=1 - group["decay"])
        step = gradient * (squares + group["epsilon"]).rsqrt() * group["lr"]
        velocity.mul_(group["momentum"]).add_(step)
        weight.sub_(velocity)


def create_optimiser(
    kind: Optimiser,
    network: nn.Module,
    *,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    decay_norms: bool,
    device: torch.device,
) -> torch.optim.Optimizer:
    """The optimiser of a network's weights.

    Args:
        momentum: Of SGD and RMSProp; AdamW keeps its averaging constants 0.9 and 0.999.
        decay_norms: Whether weight decay acts on the weights and biases of norms, too.
    """
    groups = parameter_groups(network, weight_decay, decay_norms)
    if kind == "sgd":
        return create_sgd(
            groups,
            learning_rate=learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            device=device,
        )
    if kind == "rmsprop":
        return RMSProp(groups, lr=learning_rate, momentum=momentum, weight_decay=weight_decay)
    return torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay)


def parameter_groups(network: nn.Module, weight_decay: float, decay_norms: bool) -> list[Any]:
    """All parameters, those of norms in a group of their own where they are not to decay."""
    if decay_norms:
        return [{"params": list(network.parameters())}]
    norms = [part for part in network.modules() if isinstance(part, _NORMS)]
    spared = {id(parameter) for norm in norms for parameter in norm.parameters()}
    decaying = [p for p in network.parameters() if id(p) not in spared]
    others = [p for p in network.parameters() if id(p) in spared]
    return [
        {"params": decaying, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
