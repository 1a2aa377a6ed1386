"""The Zen score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from darts.proxies.subject import Subject, logits_of, weight_layers

MIXUP = 1e-2


@torch.no_grad()
def zen(subject: Subject) -> float:
    """log mean_n Σ |F(x) - F(x + γz)|  +  Σ over batch norms of  log √mean(running variance).

    x and z are standard normal images of the batch's shape, γ = 0.01, and F are the features before
    global pooling, with weights of convolutions and linear layers drawn from N(0, 1), biases of 0
    and batch norms as at the start of training. Batch norms are on, and their running variances are
    those after the two forward passes. The given weights and images are not used. Source: Zen-NAS
    (Lin et al., arXiv 2102.01063, §3.2 and algorithm 1); NASLib.
    """
    copied, generator = subject.copy(), subject.generator("zen")
    for layer in weight_layers(copied):
        layer.weight.copy_(_normal(layer.weight, generator))
        if layer.bias is not None:
            layer.bias.zero_()
    norms = [part for part in copied.modules() if isinstance(part, _BatchNorm)]
    for norm in norms:
        norm.reset_parameters()
    images = _normal(subject.batch.images, generator)
    moved = images + MIXUP * _normal(subject.batch.images, generator)
    change = last_maps(copied, images) - last_maps(copied, moved)
    distance = float(change.abs().flatten(1).sum(1).mean())
    variances = [norm.running_var for norm in norms]
    scale = sum(_log(float(v.mean())) / 2 for v in variances if v is not None)
    return _log(distance) + scale


def last_maps(network: nn.Module, images: Tensor) -> Tensor:
    """The feature maps `[B, C, H, W]` that the last global pooling of a network reads.

    Without a global pooling over more than one pixel, these are the logits.
    """
    with _PoolingWatch() as watch:
        logits = logits_of(network, images)
    return logits if watch.maps is None else watch.maps


_POOLINGS = ("mean", "sum", "amax", "avg_pool2d", "max_pool2d", "boolean_dispatch")


class _PoolingWatch(TorchFunctionMode):
    """Remembers the maps `[B, C, H, W]`, H·W > 1, that were last reduced to `[B, C]` numbers.

    Attributes:
        maps: The maps, or None.
    """

    maps: Tensor | None = None

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if (name in _POOLINGS or name.startswith("adaptive_")) and isinstance(result, Tensor):
            maps = args[0] if args else (kwargs or {}).get("input")
            if (
                isinstance(maps, Tensor)
                and maps.dim() == 4
                and maps.shape[2] * maps.shape[3] > 1
                and result.shape[:2] == maps.shape[:2]
                and result.numel() == maps.shape[0] * maps.shape[1]
            ):
                self.maps = maps
        return result


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers N(0, 1) of the shape, format and device of a tensor, drawn on the generator's."""
    drawn = torch.randn(like.shape, generator=generator, device=generator.device)
    return drawn.to(like)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf if value == 0 else math.nan
