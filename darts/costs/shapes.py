"""Forward passes on the meta device that compute only shapes, by formulas.

    size = floor((input + 2 · padding - dilation · (kernel - 1) - 1) / stride) + 1

PyTorch's own kernels for the meta device compute more, in Python and for symbolic shapes: a batch
norm is a dozen operations, and the first ReLU or sum imports torch._dynamo and sympy (2 s).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_Sizes = list[int]


class ShapesOnly(TorchFunctionMode):
    """Inside the block, common functions return tensors of the right shape without contents.

    Other functions, and calls that a function would refuse, keep PyTorch's own way.

    >>> layer = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1, device="meta")
    >>> with ShapesOnly():
    ...     layer(torch.empty(1, 3, 7, 7, device="meta")).shape
    torch.Size([1, 8, 4, 4])
    """

    rules: ClassVar[dict[Any, Callable[..., _Sizes | None]]] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        rule = self.rules.get(func)
        like = args[0][0] if func is torch.cat else args[0] if args else None
        if rule is not None and isinstance(like, Tensor) and like.is_meta:
            shape = rule(*args, **(kwargs or {}))
            if shape is not None:
                return like.new_empty(shape)
        return func(*args, **(kwargs or {}))


def _convolved(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> _Sizes | None:
    if x.ndim != 4 or x.shape[1] != weight.shape[1] * groups:
        return None
    return _windows([x.shape[0], weight.shape[0]], x, weight.shape[2:], stride, padding, dilation)


def _max_pooled(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> _Sizes | None:
    if x.ndim != 4 or ceil_mode or return_indices:
        return None
    return _windows(list(x.shape[:2]), x, kernel_size, stride or kernel_size, padding, dilation)


def _averaged(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> _Sizes | None:
    return _max_pooled(x, kernel_size, stride, padding, 1, ceil_mode)


def _windows(
    start: _Sizes, x: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> _Sizes | None:
    if isinstance(padding, str):
        return None
    pairs = [_tuple(number) * 2 for number in (kernel, stride, padding, dilation)]
    sizes = [
        (size + 2 * pad - gap * (window - 1) - 1) // step + 1
        for size, window, step, pad, gap in zip(x.shape[2:], *pairs, strict=False)
    ]
    return [*start, *sizes] if min(sizes) > 0 else None


def _tuple(number: int | Sequence[int]) -> tuple[int, ...]:
    return (number,) if isinstance(number, int) else tuple(number)


def _normed(x: Tensor, mean: Tensor | None, *_: Any, **__: Any) -> _Sizes | None:
    fits = mean is None or x.shape[1] == len(mean)
    return list(x.shape) if fits else None


def _same(x: Tensor, *_: Any, **__: Any) -> _Sizes:
    return list(x.shape)


def _joined(parts: Sequence[Tensor], dim: int = 0, **_: Any) -> _Sizes | None:
    sizes = list(parts[0].shape)
    others = [[*part.shape[:dim], *part.shape[dim + 1 :]] for part in parts]
    if dim < 0 or any(other != others[0] for other in others):
        return None
    sizes[dim] = sum(part.shape[dim] for part in parts)
    return sizes


def _added(x: Tensor, other: Any, **_: Any) -> _Sizes | None:
    if not isinstance(other, Tensor):
        return list(x.shape)
    pairs = list(zip(x.shape, other.shape, strict=False))
    if x.ndim != other.ndim or any(a != b and 1 not in (a, b) for a, b in pairs):
        return None
    return [b if a == 1 else a for a, b in pairs]


def _mean(x: Tensor, dim: Any = None, keepdim: bool = False, **_: Any) -> _Sizes | None:
    if dim is None:
        return None
    gone = {axis % x.ndim for axis in _tuple(dim)}
    if keepdim:
        return [1 if axis in gone else size for axis, size in enumerate(x.shape)]
    return [size for axis, size in enumerate(x.shape) if axis not in gone]


def _globally_averaged(x: Tensor, output_size: Any) -> _Sizes | None:
    sizes = _tuple(output_size)
    return [*x.shape[:-2], 1, 1] if x.ndim == 4 and set(sizes) == {1} else None


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> _Sizes | None:
    return [*x.shape[:-1], len(weight)] if x.shape[-1] == weight.shape[1] else None


ShapesOnly.rules = {
    torch.cat: _joined,
    torch.conv2d: _convolved,
    **dict.fromkeys((functional.max_pool2d, torch.max_pool2d), _max_pooled),
    functional.avg_pool2d: _averaged,
    functional.adaptive_avg_pool2d: _globally_averaged,
    functional.linear: _linear,
    Tensor.mean: _mean,
    functional.batch_norm: _normed,
    **dict.fromkeys(
        (functional.relu, functional.silu, functional.hardswish, functional.sigmoid), _same
    ),
    **dict.fromkeys((torch.relu, torch.relu_, torch.sigmoid, Tensor.sigmoid), _same),
    **dict.fromkeys((Tensor.add, Tensor.__add__, Tensor.mul, Tensor.__mul__, torch.add), _added),
}
