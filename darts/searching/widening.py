"""Carrying a search over into the next stage, whose supernet may process more channels."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from darts.runs.optimisers import restore
from darts.searching.assembly import Assembled
from ops.fused.widening import CopyRule, widen


@torch.no_grad()
def carry_over(
    before: Assembled, after: Assembled, generator: torch.Generator, *, divide: bool = False
) -> None:
    """Copy weights, alpha, beta and the state of both optimisers into the next stage.

    Additional channels of the operations copy old ones, which are drawn at random; so does the
    momentum of their weights. The alpha of a candidate that was dropped becomes 0.

    Source: DrNAS (arXiv 2006.10355, §3.3) and its code (net2wider.py).

    Args:
        before: The parts of the stage before.
        after: The parts of the next stage, which have the same cells.
        generator: The source of the channels that are copied, on the CPU.
        divide: Whether weights are divided by the number of copies of the channel that they read
            (Net2Net); the authors' code of DrNAS does not.
    """
    momentum = before.weight_optimiser.state
    for old, new, transform in _tensors(before, after, generator, divide):
        new.copy_(transform(old))
        buffer = momentum.get(old, {}).get("momentum_buffer")
        if buffer is not None:
            carried = torch.empty_like(new).copy_(transform(buffer))
            after.weight_optimiser.state[new]["momentum_buffer"] = carried
    _complete_momentum(after.weight_optimiser)
    _carry_architecture(before, after)


def _complete_momentum(optimiser: torch.optim.SGD) -> None:
    """Give weights that nothing was carried over to a momentum of 0: fused SGD needs all or none.

    The first step is that of a weight without momentum.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    if any("momentum_buffer" in optimiser.state.get(weight, {}) for weight in weights):
        for weight in weights:
            optimiser.state[weight].setdefault("momentum_buffer", torch.zeros_like(weight))


def _tensors(
    before: Assembled, after: Assembled, generator: torch.Generator, divide: bool
) -> Iterator[tuple[Tensor, Tensor, CopyRule]]:
    """All parameters and statistics of the supernets, old and new, with their transform."""
    old_cells, new_cells = before.supernet.search_cells, after.supernet.search_cells
    widened: set[int] = set()
    for old_cell, new_cell in zip(old_cells, new_cells, strict=True):
        pairs = zip(old_cell.sources, new_cell.sources, strict=True)
        for old_source, new_source in pairs:
            widened |= set(map(id, _all_tensors(new_source.fan_out)))
            yield from widen(old_source.fan_out, new_source.fan_out, generator, divide=divide)
    theirs = before.supernet.state_dict(keep_vars=True)
    for name, tensor in after.supernet.state_dict(keep_vars=True).items():
        if id(tensor) not in widened:
            yield theirs[name], tensor, lambda same: same


def _all_tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _carry_architecture(before: Assembled, after: Assembled) -> None:
    for kind, alpha in after.architecture.alpha.items():
        alpha.copy_(before.architecture.alpha[kind])
        dropped = after.architecture.masked_alpha(kind).isneginf()
        alpha.masked_fill_(dropped, 0.0)
    for kind, beta in after.architecture.beta.items():
        beta.copy_(before.architecture.beta[kind])
    restore(after.architecture_optimiser, before.architecture_optimiser.state_dict())
