"""Initial weights from an explicit random stream."""

from __future__ import annotations

import math

import torch
from torch import nn


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every kernel of `module` anew, in module order, exactly as torch does by default.

    A kernel is a parameter `weight` of two or more dimensions, with or without a `bias`: both are
    uniform within 1/sqrt(fan in). Norms begin as constants and stay. The numbers are drawn where
    the generator lives and then copied, so a seed gives the same network on every device and in
    every memory layout.
    """
    for part in module.modules():
        kernel, bias = (part._parameters.get(name) for name in ("weight", "bias"))
        if kernel is None or kernel.dim() < 2:
            continue
        drawn = torch.empty(kernel.shape, dtype=kernel.dtype, device=generator.device)
        kernel.copy_(nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator))
        if bias is not None:
            bound = 1 / math.sqrt(kernel[0].numel())
            drawn = torch.empty(bias.shape, dtype=bias.dtype, device=generator.device)
            bias.copy_(drawn.uniform_(-bound, bound, generator=generator))


@torch.no_grad()
def initialise_by_fan_out(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw every kernel of `module` anew, in module order, as RegNet's authors (pycls) do.

    Convolutions are normal with standard deviation sqrt(2 / (k² · outputs)), a fan-out that
    ignores groups; linear layers normal with 0.01. Their biases are zero, those of convolutions
    uniform within 1/sqrt(fan in), torch's default. Numbers are drawn where the generator lives,
    without one where the parameter lives, from torch's global stream.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            deviation, bound = 0.01, 0.0
        elif isinstance(part, nn.Conv2d):
            deviation = math.sqrt(2 / part.weight[:, 0].numel())
            bound = 1 / math.sqrt(part.weight[0].numel())
        else:
            continue
        device = part.weight.device if generator is None else generator.device
        drawn = torch.empty(part.weight.shape, dtype=part.weight.dtype, device=device)
        part.weight.copy_(drawn.normal_(0.0, deviation, generator=generator))
        if part.bias is not None:
            drawn = torch.empty(part.bias.shape, dtype=part.bias.dtype, device=device)
            part.bias.copy_(drawn.uniform_(-bound, bound, generator=generator))


@torch.no_grad()
def initialise_by_group_fan_out(
    module: nn.Module, generator: torch.Generator | None = None
) -> None:
    """Draw every kernel of `module` anew, in module order, as EfficientNet's authors do.

    Convolutions are normal with standard deviation sqrt(2 / (k² · outputs of a group)), so that a
    depthwise kernel counts one output; linear layers uniform within 1/sqrt(outputs). Biases are
    zero. Numbers are drawn as in `initialise_by_fan_out`.
    """
    for part in module.modules():
        if not isinstance(part, (nn.Conv2d, nn.Linear)):
            continue
        device = part.weight.device if generator is None else generator.device
        drawn = torch.empty(part.weight.shape, dtype=part.weight.dtype, device=device)
        if isinstance(part, nn.Linear):
            bound = 1 / math.sqrt(part.out_features)
            part.weight.copy_(drawn.uniform_(-bound, bound, generator=generator))
        else:
            deviation = math.sqrt(2 * part.groups / part.weight[:, 0].numel())
            part.weight.copy_(drawn.normal_(0.0, deviation, generator=generator))
        if part.bias is not None:
            part.bias.zero_()
