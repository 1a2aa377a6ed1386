"""The training-free scores as their formulas say: explicit Jacobians, Hessians and loops. Slow.

All take the result of `prepared`, images `[B, ...]` and labels `[B]`. Nothing here uses
`darts.proxies`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.nn.modules.batchnorm import _BatchNorm

Weights = dict[str, Tensor]


def prepared(network: nn.Module) -> nn.Module:
    """A copy in training mode whose batch norms keep no statistics (torch.func forbids it)."""
    copied = copy.deepcopy(network).train()
    for part in copied.modules():
        if isinstance(part, _BatchNorm):
            part.track_running_stats = False
    return copied


def layers(network: nn.Module) -> dict[str, nn.Module]:
    return {
        name: part
        for name, part in network.named_modules()
        if type(part) in (nn.Linear, nn.Conv2d) or isinstance(part, nn.Conv2d)
    }


def weights(network: nn.Module) -> Weights:
    return {f"{name}.weight": part.weight.detach() for name, part in layers(network).items()}


def logits(network: nn.Module, values: Weights, images: Tensor) -> Tensor:
    output = functional_call(network, values, (images,))
    return output[0] if isinstance(output, tuple) else output


def loss(network: nn.Module, values: Weights, images: Tensor, labels: Tensor) -> Tensor:
    """The mean of -log softmax."""
    out = logits(network, values, images)
    losses = [
        torch.log(torch.exp(row).sum()) - row[label]
        for row, label in zip(out, labels.tolist(), strict=True)
    ]
    return torch.stack(losses).sum() / len(losses)


def l2_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    squares = [sum(x * x for x in w.flatten().tolist()) for w in weights(network).values()]
    return sum(math.sqrt(square) for square in squares)


def gradients(network: nn.Module, images: Tensor, labels: Tensor) -> Weights:
    return grad(lambda values: loss(network, values, images, labels))(weights(network))


def grad_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    found = gradients(network, images, labels)
    return sum(math.sqrt(float((g * g).sum().detach())) for g in found.values())


def _masks(network: nn.Module, images: Tensor, labels: Tensor) -> Weights:
    """The gradient with respect to masks of ones."""
    fixed = weights(network)

    def masked(masks: Weights) -> Tensor:
        values = {name: fixed[name] * mask for name, mask in masks.items()}
        return loss(network, values, images, labels)

    return grad(masked)({name: torch.ones_like(w) for name, w in fixed.items()})


def snip(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    return sum(float(g.detach().abs().sum()) for g in _masks(network, images, labels).values())


def plain(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    return sum(float(g.detach().sum()) for g in _masks(network, images, labels).values())


def grasp(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """-wᵀ H g with the whole Hessian."""
    fixed = weights(network)
    shapes = [w.shape for w in fixed.values()]
    vector = torch.cat([w.flatten() for w in fixed.values()])

    def of_vector(one: Tensor) -> Tensor:
        parts = one.split([shape.numel() for shape in shapes])
        values = {
            name: part.view(shape) for name, part, shape in zip(fixed, parts, shapes, strict=True)
        }
        return loss(network, values, images, labels)

    hessian = torch.autograd.functional.hessian(of_vector, vector)
    gradient = torch.autograd.functional.jacobian(of_vector, vector)
    assert isinstance(hessian, Tensor)
    assert isinstance(gradient, Tensor)
    return -float(vector @ hessian @ gradient)


def fisher(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Channel by channel; ∂L/∂a is the gradient with respect to a zero that is added to a."""
    outputs: list[Tensor] = []
    zeros: list[Tensor] = []

    def add_zero(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        zero = torch.zeros_like(output, requires_grad=True)
        outputs.append(output.detach().clone())
        zeros.append(zero)
        return output + zero

    chosen = list(layers(network).values())
    handles = [part.register_forward_hook(add_zero) for part in chosen]
    value = loss(network, weights(network), images, labels)
    found = torch.autograd.grad(value, zeros)
    for handle in handles:
        handle.remove()
    total = 0.0
    for part, a, g in zip(_called(network, images), outputs, found, strict=True):
        for channel in range(a.shape[1]):
            sums = [float((a[n, channel] * g[n, channel]).sum()) for n in range(len(a))]
            delta = sum(s * s for s in sums) / len(sums) / 2
            assert isinstance(part.weight, Tensor)
            total += delta * part.weight[channel].numel()
    return total


def _called(network: nn.Module, images: Tensor) -> list[nn.Module]:
    """The layers in the order of their calls."""
    order: list[nn.Module] = []
    handles = [
        part.register_forward_hook(lambda part, _, __: order.append(part))
        for part in layers(network).values()
    ]
    network(images)
    for handle in handles:
        handle.remove()
    return order


def synflow(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    parameters = {name: p.detach().abs() for name, p in network.named_parameters()}
    names = list(weights(network))
    ones = torch.ones(1, *images.shape[1:], dtype=torch.float64)

    def flow(chosen: Weights) -> Tensor:
        return logits(network, {**parameters, **chosen}, ones).sum()

    with _hooks(network, _BatchNorm, lambda part, inputs, output: inputs[0]):
        found = grad(flow)({name: parameters[name] for name in names})
    total = sum(float((parameters[name] * found[name]).abs().sum()) for name in names)
    return math.log(total) if total else 0.0


def jacobian(network: nn.Module, images: Tensor) -> np.ndarray:
    """∂(Σ_nk f_nk)/∂x_i from the whole Jacobian `[B, K, B, ...]`."""
    values = weights(network)
    whole = torch.autograd.functional.jacobian(lambda x: logits(network, values, x), images)
    assert isinstance(whole, Tensor)
    return whole.sum(dim=(0, 1)).flatten(1).numpy()


def correlations(rows: np.ndarray) -> np.ndarray:
    found = np.empty((len(rows), len(rows)))
    for i, first in enumerate(rows):
        for j, second in enumerate(rows):
            a, b = first - first.mean(), second - second.mean()
            found[i, j] = (a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum())
    return found


def jacov(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    values, _ = np.linalg.eig(correlations(jacobian(network, images)))
    return -sum(math.log(v.real + 1e-5) + 1 / (v.real + 1e-5) for v in values)


def epe_nas(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    rows, total = jacobian(network, images), 0.0
    for number in sorted(set(labels.tolist())):
        own = [row for row, label in zip(rows, labels.tolist(), strict=True) if label == number]
        found = correlations(np.stack(own)).flatten()
        total += abs(sum(math.log(abs(value) + 1e-5) for value in found))
    return total


def epe_nas_of_many_classes(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    rows, sums = jacobian(network, images), []
    for number in sorted(set(labels.tolist())):
        own = [row for row, label in zip(rows, labels.tolist(), strict=True) if label == number]
        found = correlations(np.stack(own)).flatten()
        sums.append(sum(math.log(abs(value) + 1e-5) for value in found) / len(own))
    return sum(abs(a - b) for a in sums for b in sums) / len(sums)


def nwot(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """K counts, unit by unit, in how many both images of a pair agree."""
    patterns: list[Tensor] = []

    def record(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        patterns.append(output.flatten(1) > 0)

    with _hooks(network, nn.ReLU, record):
        network(images)
    units = torch.cat(patterns, dim=1)
    kernel = [[float((first == second).sum()) for second in units] for first in units]
    determinant = np.linalg.det(np.array(kernel) / len(units[0]))
    return math.log(abs(determinant)) + len(units) * math.log(len(units[0]))


def zen(
    network: nn.Module, images: Tensor, generator: torch.Generator, maps: Callable[[Tensor], Tensor]
) -> float:
    """`maps` computes the features before global pooling with the network's present weights."""
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, (nn.Conv2d, nn.Linear)):
                part.weight.copy_(torch.randn(part.weight.shape, generator=generator))
                if part.bias is not None:
                    part.bias.fill_(0.0)
            elif isinstance(part, nn.BatchNorm2d) and part.affine:
                part.weight.fill_(1.0)
                part.bias.fill_(0.0)
    variances: dict[nn.Module, list[Tensor]] = {}

    def record(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        variances.setdefault(part, []).append(inputs[0].transpose(0, 1).flatten(1).var(dim=1))

    first = torch.randn(images.shape, generator=generator).double()
    second = first + 0.01 * torch.randn(images.shape, generator=generator).double()
    with torch.no_grad(), _hooks(network, nn.BatchNorm2d, record):
        difference = (maps(first) - maps(second)).abs()
    score = math.log(sum(float(one.sum()) for one in difference) / len(difference))
    for one, two in variances.values():
        running = 0.9 * (0.9 * torch.ones_like(one) + 0.1 * one) + 0.1 * two
        score += math.log(math.sqrt(float(running.mean())))
    return score


@contextmanager
def _hooks(
    network: nn.Module, kind: type[nn.Module], hook: Callable[..., Tensor | None]
) -> Iterator[None]:
    parts = [part for part in network.modules() if isinstance(part, kind)]
    handles = [part.register_forward_hook(hook) for part in parts]
    yield
    for handle in handles:
        handle.remove()
