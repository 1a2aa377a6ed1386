"""Modules that are computed again in the backward pass, instead of keeping what they computed.

Activation checkpointing (arXiv 1604.06174) by torch.utils.checkpoint, with three things put right
that it does not know of: running statistics move once and not twice, noise drawn from an explicit
generator is drawn again, and weights substituted by `torch.func.functional_call` stay substituted.
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
    """`module(*inputs)`, or `module(*inputs, generator)`, of which only the inputs are kept."""
    if not torch.is_grad_enabled():
        return module(*inputs) if generator is None else module(*inputs, generator)
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError("Only a random stream can draw the same noise again, not masks.")
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
        preserve_rng_state=False,  # Nothing here draws from the process's generators.
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
    """Let the norms in `module` see a batch without remembering it."""
    norms: list[Any] = [norm for norm in module.modules() if hasattr(norm, "running_mean")]
    # By their momentum, because restoring buffers that a graph has saved would spoil the graph.
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
