"""Optimisers, built so that CUDA neither waits for them nor fails to record them in a graph.

On CUDA the learning rate of SGD is a tensor, because a recorded graph reads it at every replay. SGD
updates all parameters with one fused kernel, on CUDA and on the CPU. A checkpoint of any device
can be restored on any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from darts.runs.eager_optimisers import EagerAdam, EagerAdamW, EagerOptimiser, EagerSGD

OptimiserName = Literal["sgd", "nesterov", "rmsprop", "adamw"]

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
# Device-specific flags; never restored from a checkpoint.
_DEVICE_FLAGS = ("fused", "foreach", "capturable")


class RMSProp(EagerOptimiser):
    """RMSProp with momentum in TensorFlow's form; EfficientNet and FBNetV3 were trained with it.

        g = gradient + weight_decay · w
        s = decay · s + (1 - decay) · g²        s starts at 1
        v = momentum · v + lr · g / sqrt(s + epsilon)
        w = w - v

    torch.optim.RMSprop differs in three points: s starts at 0; epsilon is added outside the root;
    and the learning rate multiplies v at the end, so that a lower rate also shrinks the past steps
    in v.

    >>> weight = nn.Parameter(torch.tensor([2.0]))
    >>> optimiser = RMSProp([weight], lr=0.1)
    >>> weight.sum().backward(); optimiser.step(); round(weight.item(), 4)
    1.9

    Args:
        lr: Learning rate.
        decay: Decay of the mean of squared gradients s.
        momentum: Decay of the velocity v.
        epsilon: Added under the root.
        weight_decay: Factor of the L2 term.
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
        """One step along the current gradients."""
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


def create_sgd(
    parameters: Iterable[Any],
    *,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    device: torch.device,
    nesterov: bool = False,
) -> torch.optim.SGD:
    """SGD with momentum for parameters, or for groups of parameters."""
    on_cuda = device.type == "cuda"
    rate = torch.tensor(learning_rate, device=device) if on_cuda else learning_rate
    return EagerSGD(
        parameters,
        lr=rate,
        momentum=momentum,
        weight_decay=weight_decay,
        nesterov=nesterov,
        fused=True if device.type in ("cpu", "cuda") else None,
    )


def create_adam(
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    betas: tuple[float, float],
    weight_decay: float,
    device: torch.device,
) -> torch.optim.Adam:
    """Adam with L2 weight decay: `weight_decay · w` is added to the gradient."""
    return EagerAdam(
        parameters,
        lr=learning_rate,
        betas=betas,
        weight_decay=weight_decay,
        capturable=device.type == "cuda",
    )


def create_optimiser(
    kind: OptimiserName,
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
        momentum: Momentum of SGD and RMSProp. AdamW uses its usual constants 0.9 and 0.999.
        decay_norms: Whether weight decay also acts on the weights and biases of norms.
    """
    groups = parameter_groups(network, weight_decay, decay_norms)
    if kind in ("sgd", "nesterov"):
        return create_sgd(
            groups,
            learning_rate=learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            device=device,
            nesterov=kind == "nesterov",
        )
    if kind == "rmsprop":
        return RMSProp(groups, lr=learning_rate, momentum=momentum, weight_decay=weight_decay)
    return EagerAdamW(groups, lr=learning_rate, weight_decay=weight_decay)


def parameter_groups(network: nn.Module, weight_decay: float, decay_norms: bool) -> list[Any]:
    """One group of all parameters, or a second group without decay for those of norms."""
    if decay_norms:
        return [{"params": list(network.parameters())}]
    norms = [part for part in network.modules() if isinstance(part, _NORMS)]
    undecayed = {id(parameter) for norm in norms for parameter in norm.parameters()}
    decaying = [p for p in network.parameters() if id(p) not in undecayed]
    others = [p for p in network.parameters() if id(p) in undecayed]
    return [
        {"params": decaying, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Change the learning rate of all parameters, in place where it is a tensor."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def restore(optimiser: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Load a state that may have been saved on another device."""
    groups = []
    for ours, saved in zip(optimiser.param_groups, state["param_groups"], strict=True):
        kept = {name: ours[name] for name in _DEVICE_FLAGS if name in ours}
        rate = float(saved["lr"])
        if isinstance(ours["lr"], Tensor):
            kept["lr"] = torch.full_like(ours["lr"], rate)
        else:
            kept["lr"] = rate
        groups.append({**saved, **kept})
    optimiser.load_state_dict({**state, "param_groups": groups})
