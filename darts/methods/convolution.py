"""A convolution whose second derivatives are as fast as its first.

PyTorch differentiates the gradient of a grouped convolution group by group, and also computes what
nobody asks for; for depthwise convolutions that takes many times longer than the first derivative.
All second derivatives of a convolution are convolutions again:

    y = conv(x, w)      dx = conv_transposed(g, w)      dw[v] = < conv(x, v), g >  for all v

so the second derivatives of dw are conv_transposed(g, v) in x and conv(x, v) in g.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv_transpose2d
from torch.overrides import TorchFunctionMode

_convolve = torch.conv2d


class _Form(NamedTuple):
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        return _convolve(x, weight, None, self.stride, self.padding, self.dilation, self.groups)

    def transposed(self, gradient: Tensor, weight: Tensor, size: torch.Size) -> Tensor:
        """The gradient of `apply` in x, which has the height and width `size`."""
        extra = [
            size[axis]
            - (gradient.shape[2 + axis] - 1) * self.stride[axis]
            + 2 * self.padding[axis]
            - self.dilation[axis] * (weight.shape[2 + axis] - 1)
            - 1
            for axis in (0, 1)
        ]
        return conv_transpose2d(
            gradient, weight, None, self.stride, self.padding, extra, self.groups, self.dilation
        )


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, form: _Form) -> Tensor:
        return form.apply(x, weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, ctx.form = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = ctx.form.transposed(gradient, weight, x.shape[2:])
        if ctx.needs_input_grad[1]:
            of_weight = _WeightGradient.apply(x, gradient, weight.shape, ctx.form)
        return of_x, of_weight, None


class _WeightGradient(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, gradient: Tensor, shape: torch.Size, form: _Form) -> Tensor:
        found: Tensor = torch.ops.aten.convolution_backward(
            gradient,
            x,
            x.new_empty(shape),
            None,
            form.stride,
            form.padding,
            form.dilation,
            False,
            [0, 0],
            form.groups,
            [False, True, False],
        )[1]
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, gradient, _, ctx.form = inputs
        ctx.save_for_backward(x, gradient)

    @staticmethod
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor | None, ...]:
        x, gradient = ctx.saved_tensors
        of_x = of_gradient = None
        if ctx.needs_input_grad[0]:
            of_x = ctx.form.transposed(gradient, direction, x.shape[2:])
        if ctx.needs_input_grad[1]:
            of_gradient = ctx.form.apply(x, direction)
        return of_x, of_gradient, None, None


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """`torch.conv2d`, to be differentiated twice.

    >>> x, weight = torch.ones(1, 2, 4, 4), torch.ones(2, 1, 3, 3)
    >>> convolve(x, weight, padding=1, groups=2)[0, 0, 1].tolist()
    [6.0, 9.0, 9.0, 6.0]
    """
    if isinstance(padding, str) or x.dim() != 4:
        return _convolve(x, weight, bias, stride, padding, dilation, groups)
    form = _Form(_pair(stride), _pair(padding), _pair(dilation), groups)
    y: Tensor = _Convolution.apply(x, weight, form)
    return y if bias is None else y + bias.view(1, -1, 1, 1)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])


class FastSecondDerivatives(TorchFunctionMode):
    """Inside the block, all convolutions of PyTorch code are those of `convolve`.

    >>> x = torch.ones(1, 1, 2, 2, requires_grad=True)
    >>> with FastSecondDerivatives():
    ...     y = torch.nn.functional.conv2d(x, torch.ones(1, 1, 1, 1))
    >>> y.grad_fn.name()
    '_ConvolutionBackward'
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        called = convolve if func is _convolve else func
        return called(*args, **(kwargs or {}))
