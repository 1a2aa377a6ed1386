"""Exact second derivatives of a search's losses, matrix-free, by differentiating twice.

The autograd functions of the fast engines can only be differentiated once. Inside a transform of
`torch.func` every engine evaluates its plain PyTorch form instead, which has all derivatives. All
functions here therefore use these transforms. Running statistics are copied and never change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vjp

from darts.methods.convolution import FastSecondDerivatives
from darts.methods.gradient import Bilevel, LabelledBatch

Values = dict[str, Tensor]
"""Parameters, or directions in their space, by name."""
Loss = Callable[[Values, Values], Tensor]
"""(weights, parameters of the architecture) -> loss of a batch."""


class _Joint(nn.Module):
    """Supernet and architecture as one module, so that both can be substituted at once."""

    def __init__(self, problem: Bilevel) -> None:
        super().__init__()
        self.supernet, self.architecture = problem.supernet, problem.architecture

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.supernet(images, self.architecture.tables())
        return logits


def loss_of(problem: Bilevel, batch: LabelledBatch) -> Loss:
    """The loss of a batch as a function of all weights and of alpha and beta.

    In training mode the batch norms use the statistics of the batch, as in every step of a search.
    """
    joint = _Joint(problem)

    def loss(weights: Values, architecture: Values) -> Tensor:
        substitute = {
            **{f"supernet.{name}": value for name, value in weights.items()},
            **{f"architecture.{name}": value for name, value in architecture.items()},
            # Copied in here: a transform forbids changes of what comes from outside.
            **{name: buffer.clone() for name, buffer in joint.named_buffers()},
        }
        with problem.context(), FastSecondDerivatives():
            logits = functional_call(joint, substitute, (batch.images,))
            return problem.criterion(logits, batch.labels)

    return loss


def detached(module: nn.Module) -> Values:
    """The parameters of a module by name, cut off from their gradients."""
    return {name: parameter.detach() for name, parameter in module.named_parameters()}


def inner(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> Tensor:
    """The inner product of two directions with the same names."""
    return torch.stack([(left[name] * right[name]).sum() for name in left]).sum()


def curvature(function: Callable[[Values], Tensor], at: Values) -> Callable[[Values], Values]:
    """The Hessian of a scalar function, as a function that multiplies it by a vector.

    The gradient is computed once; each product is one further backward pass.

    >>> multiply = curvature(lambda x: (x["a"] ** 3).sum(), {"a": torch.tensor([1.0, 2.0])})
    >>> multiply({"a": torch.tensor([1.0, 1.0])})["a"].tolist()
    [6.0, 12.0]

    Args:
        function: Differentiable twice.
        at: The point.
    """
    pull: Callable[[Values], tuple[Values]] = vjp(grad(function), at)[1]

    def multiply(vector: Values) -> Values:
        with torch.no_grad():  # Otherwise it would prepare third derivatives.
            return pull(vector)[0]

    return multiply


def mean_curvature(
    functions: Sequence[Callable[[Values], Tensor]], at: Values
) -> Callable[[Values], Values]:
    """The Hessian of the mean of some functions, as in `curvature`.

    Several functions are the parts of a batch that does not fit into memory. Each product then
    computes their gradients again, one after the other; that of a single function is kept.
    """
    if len(functions) == 1:
        return curvature(functions[0], at)

    def multiply(vector: Values) -> Values:
        total = {name: torch.zeros_like(value) for name, value in vector.items()}
        for function in functions:
            product = curvature(function, at)(vector)
            total = {name: total[name] + product[name] / len(functions) for name in total}
        return total

    return multiply


def mixed_product(loss: Loss, weights: Values, architecture: Values, vector: Values) -> Values:
    """d/dA < dL(w, A)/dw, vector >: the product of the mixed derivative and a vector.

    >>> def loss(w, a):
    ...     return (w["w"] ** 2 * a["a"]).sum()
    >>> w, a = {"w": torch.tensor([3.0])}, {"a": torch.tensor([5.0])}
    >>> mixed_product(loss, w, a, {"w": torch.tensor([2.0])})["a"].item()
    12.0
    """

    def slope(architecture: Values) -> Tensor:
        return inner(grad(loss)(weights, architecture), vector)

    value, pull = vjp(slope, architecture)[:2]
    with torch.no_grad():
        product: Values = pull(torch.ones_like(value))[0]
    return product
