"""Cost of a model for one image: parameters, multiply-adds and sizes of activations.

The model is traced in evaluation mode on torch's meta device, without memory or arithmetic. Counted
are:
- one multiply-add for each product of input and weight in an `nn.Conv2d` or `nn.Linear`;
- the output elements of every `nn.Conv2d`, `nn.BatchNorm2d` and `nn.ReLU`.
Not counted are the arithmetic of biases, batch norms, activations and pooling, functional calls,
and the auxiliary head, which does not run in evaluation mode.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from darts.costs.shapes import ShapesOnly
from ops.registry import create_operation


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost for one image. Costs can be added.

    >>> (Cost(params=1, conv_macs=2) + Cost(linear_macs=3)).macs
    5

    Attributes:
        params: Number of parameters.
        conv_macs: Multiply-adds of convolutions.
        linear_macs: Multiply-adds of linear layers.
        activations: Output elements of convolutions (as in RegNet, arXiv 2003.13678, §4).
        norm_elements: Output elements of batch norms.
        relu_elements: Output elements of ReLUs.
    """

    params: int = 0
    conv_macs: int = 0
    linear_macs: int = 0
    activations: int = 0
    norm_elements: int = 0
    relu_elements: int = 0

    @property
    def macs(self) -> int:
        """Multiply-adds of convolutions and linear layers."""
        return self.conv_macs + self.linear_macs

    @property
    def published_macs(self) -> int:
        """Multiply-adds by the rule of the numbers published for P-DARTS and PC-DARTS.

        Their tool added 2 for each output element of a batch norm and 1 for each of a ReLU.
        """
        return self.macs + 2 * self.norm_elements + self.relu_elements

    def __add__(self, other: Cost) -> Cost:
        names = (field.name for field in fields(self))
        return Cost(**{name: getattr(self, name) + getattr(other, name) for name in names})


def count(
    module: nn.Module, resolution: int, *, channels: int = 3, auxiliary: bool = False
) -> Cost:
    """Count the cost of a module for one image `[1, channels, resolution, resolution]`.

    The module itself is neither run nor changed.

    >>> count(nn.Conv2d(3, 8, 3, padding=1, bias=False), 4).macs
    3456

    Args:
        module: The module.
        resolution: Height and width of the image.
        channels: Channels of the image.
        auxiliary: Whether the parameters of the module's `auxiliary_head` count; published numbers
            exclude them. Its multiply-adds never count.

    Raises:
        UserError: The module cannot process such images.
    """
    cost = _count(module, (1, channels, resolution, resolution))
    head = getattr(module, "auxiliary_head", None)
    if head is not None and not auxiliary:
        cost += Cost(params=-_parameters(head))
    return cost


@cache
def operation_cost(
    name: str, channels: int, stride: int, size: int, *, searching: bool = False
) -> Cost:
    """The cost of one candidate operation on an input `[1, channels, size, size]`.

    >>> operation_cost("skip_connect", 16, 1, 8).macs
    0

    Args:
        name: The name of the operation.
        channels: Channels of input and output.
        stride: 1 or 2.
        size: Height and width of the input.
        searching: Whether the operation has its form in a supernet (batch norms without parameters,
            normalised pooling) instead of its form in a derived network.
    """
    operation = create_operation(name, channels, stride, affine=not searching, normalised=searching)
    return count(operation, size, channels=channels)


def _count(module: nn.Module, shape: tuple[int, ...]) -> Cost:
    """The cost for an input of this shape, including all parameters."""
    counted = [Cost(params=_parameters(module))]

    def record(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        counted.append(_layer_cost(layer, output.numel()))

    with _ghost(module) as ghost, _called_after(ghost, record), ShapesOnly(), torch.no_grad():
        ghost(torch.empty(shape, device="meta"))
    return sum(counted, Cost())


@contextmanager
def _ghost(module: nn.Module) -> Iterator[nn.Module]:
    """The module in evaluation mode without data: itself if it has none, else a copy."""
    tensors = (*module.parameters(), *module.buffers())
    if not all(tensor.is_meta for tensor in tensors):
        yield _on_meta(module).eval()
        return
    # A copy takes longer than the count.
    before = [(layer, layer.training) for layer in module.modules()]
    try:
        yield module.eval()
    finally:
        for layer, training in before:
            layer.training = training


@contextmanager
def _called_after(module: nn.Module, record: Callable[..., None]) -> Iterator[None]:
    """Within it, `record` is called after each counted layer."""
    layers = (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.ReLU)
    handles = [
        layer.register_forward_hook(record)
        for layer in module.modules()
        if isinstance(layer, layers)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _layer_cost(layer: nn.Module, elements: int) -> Cost:
    """The cost of one call of a layer with `elements` output elements, without its parameters."""
    if isinstance(layer, nn.Conv2d):
        return Cost(conv_macs=elements * layer.weight[0].numel(), activations=elements)
    if isinstance(layer, nn.Linear):
        return Cost(linear_macs=elements * layer.in_features)
    if isinstance(layer, nn.BatchNorm2d):
        return Cost(norm_elements=elements)
    return Cost(relu_elements=elements)


def _on_meta(module: nn.Module) -> nn.Module:
    """A copy on the meta device: deepcopy replaces each tensor by its stand-in without data."""
    stand_ins: dict[int, Any] = {}
    for parameter in module.parameters():
        stand_ins[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), False)
    for buffer in module.buffers():
        stand_ins[id(buffer)] = buffer.detach().to("meta")
    return copy.deepcopy(module, stand_ins)


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
