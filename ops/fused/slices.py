"""Parts of tensors that hold several edges one after the other along their first dimension."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=4096)
def edge_rows(chosen: tuple[int, ...], block: int) -> Tensor:
    """The rows of some edges whose blocks of `block` rows follow one another, int64 on the CPU.

    >>> edge_rows((0, 2), 2).tolist()
    [0, 1, 4, 5]
    """
    starts = torch.tensor(chosen, dtype=torch.int64).unsqueeze(1) * block
    return (starts + torch.arange(block)).flatten()


def take_edges(whole: Tensor, edges: int, chosen: Sequence[int] | None) -> Tensor:
    """The rows of the chosen edges; differentiable, and a view where they are neighbours.

    >>> take_edges(torch.arange(6), 3, (0, 2)).tolist()
    [0, 1, 4, 5]

    Args:
        whole: `[edges·block, …]`.
        edges: Number of edges in `whole`.
        chosen: The edges to take, in rising order; None takes all.
    """
    if chosen is None or len(chosen) == edges:
        return whole
    block, first = whole.shape[0] // edges, chosen[0]
    if chosen[-1] - first == len(chosen) - 1:
        return whole.narrow(0, first * block, len(chosen) * block)
    return whole.index_select(0, edge_rows(tuple(chosen), block).to(whole.device))


def put_edges(whole: Tensor, edges: int, chosen: Sequence[int] | None, part: Tensor) -> None:
    """Write the rows of the chosen edges, unless `part` is a view of them already."""
    if chosen is None or part.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr():
        return
    block = whole.shape[0] // edges
    whole.index_copy_(0, edge_rows(tuple(chosen), block).to(whole.device), part)
