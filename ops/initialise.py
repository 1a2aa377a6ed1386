"""Weight initialisation from an explicit random generator."""

from __future__ import annotations

import math

import torch
from torch import nn


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Initialise all kernels of `module`, in module order, with torch's default distribution.

        weight, bias ~ Uniform(-1/sqrt(fan in), 1/sqrt(fan in))

    A kernel is a parameter `weight` with two or more dimensions; it may have a `bias`. Batch norms
    keep their constant initial values. Numbers are sampled on the generator's device and then
    copied, so a seed gives the same network on every device and in every memory layout.

    >>> layer = nn.Linear(4, 2)
    >>> initialise(layer, torch.Generator().manual_seed(0))
    >>> bool(layer.weight.abs().max() <= 1 / math.sqrt(4))
    True
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
    """Initialise all kernels of `module`, in module order, as RegNet's code (pycls) does.

        convolutions:   weight ~ Normal(0, sqrt(2 / (k² · outputs))),  bias as torch's default
        linear layers:  weight ~ Normal(0, 0.01),                      bias = 0

    The fan-out k² · outputs ignores groups. Numbers are sampled on the generator's device; without
    a generator they come from torch's global generator of the parameter's device.

    >>> layer = nn.Linear(4, 2)
    >>> initialise_by_fan_out(layer, torch.Generator().manual_seed(0))
    >>> bool(layer.bias.any())
    False
    """
    if generator is None and _is_abstract(module):
        return
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
    """Initialise all kernels of `module`, in module order, as EfficientNet's code does.

        convolutions:   weight ~ Normal(0, sqrt(2 / (k² · outputs per group)))
        linear layers:  weight ~ Uniform(-1/sqrt(outputs), 1/sqrt(outputs))

    A depthwise kernel therefore counts one output. All biases are zero. Source: tensorflow/tpu,
    models/official/efficientnet. Numbers are sampled as in `initialise_by_fan_out`.

    >>> layer = nn.Conv2d(4, 4, 3, groups=4)
    >>> initialise_by_group_fan_out(layer, torch.Generator().manual_seed(0))
    >>> bool(layer.bias.any())
    False
    """
    if generator is None and _is_abstract(module):
        return
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


def _is_abstract(module: nn.Module) -> bool:
    """Whether a module has shapes but no numbers; PyTorch samples such numbers, too, slowly."""
    return all(one.is_meta for one in module.parameters())
