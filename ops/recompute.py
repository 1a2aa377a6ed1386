"""Activation checkpointing: modules are recomputed in the backward pass to save memory.

This wraps torch.utils.checkpoint (arXiv 1604.06174) and adds three things that it does not handle:
running statistics are updated once instead of twice, noise from an explicit generator is
reproduced, and weights substituted by `torch.func.functional_call` stay substituted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from ops.regularize import Noise, PartGenerator


def recomputed(module: nn.Module, *inputs: Any, generator: Noise | None = None) -> Tensor:
    """`module(*inputs)` or `module(*inputs, generator)`, keeping only the inputs for backward.

    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> recomputed(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), x).shape
    torch.Size([1, 2])

    Raises:
        TypeError: `generator` is a function that returns masks. Only a random generator can
            reproduce its noise.
    """
    if not torch.is_grad_enabled():
        return module(*inputs) if generator is None else module(*inputs, generator)
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError("Recomputing a module needs a random generator, not ready-made masks.")
    present = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    state = None if generator is None else generator.get_state()
    again = False

    def run(*inputs: Any) -> Tensor:
        nonlocal again
        if generator is not None and state is not None:
            inputs = (*inputs, _replayed(generator, state) if again else generator)
        again = True
        return functional_call(module, present, inputs)

    return checkpoint(
        run,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=False,  # Modules never use the global generators.
        context_fn=lambda: (nullcontext(), _statistics_kept(module)),
    )


def _replayed(generator: torch.Generator, state: Tensor) -> torch.Generator:
    if isinstance(generator, PartGenerator):
        return PartGenerator.starting_at(state, generator.index, generator.parts)
    replay = torch.Generator(generator.device)
    replay.set_state(state)
    return replay


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    """Keep running statistics in `module` unchanged during a forward pass."""
    norms: list[Any] = [norm for norm in module.modules() if hasattr(norm, "running_mean")]
    # By momentum 0: the graph has saved the buffers, so they must not be overwritten in place.
    momenta = [norm.momentum for norm in norms]
    counters = [getattr(norm, "num_batches_tracked", None) for norm in norms]
    counts = [None if counter is None else counter.clone() for counter in counters]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for counter, count in zip(counters, counts, strict=True):
            if counter is not None:
                counter.copy_(count)
