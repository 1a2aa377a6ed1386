"""Partial channel connections: which channels a mixed operation processes.

A state x of C channels is split: C/K channels go through the mixed operation, the other channels
bypass it. The weighted sum over the incoming edges of a node is linear. The steps after the split
(concatenation, channel shuffle, edge weights) are therefore computed once per node instead of once
per edge; see `ops.fused.node_sum`.

Source: PC-DARTS (arXiv 1907.05737, §3.2, Eq. 2) and its code, model_search.py.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Sampling = Literal["first", "random"]


class ChannelError(ValueError):
    """The channels cannot be divided as an operation or K needs it."""


def valid_k(channels: int) -> tuple[int, ...]:
    """All K that split `channels` into parts of equal size.

    The parts may be odd, as with C = 36 and K = 4 in DrNAS (arXiv 2006.10355). Only factorised
    reductions need an even number: each half of their output reads a differently shifted input.
    They are in reduction cells, which have twice the channels.

    >>> valid_k(36)
    (1, 2, 3, 4, 6, 9, 12, 18, 36)
    """
    return tuple(k for k in range(1, channels + 1) if channels % k == 0)


def partial_size(channels: int, k: int) -> int:
    """C/K, the number of channels that a mixed operation processes.

    >>> partial_size(36, 4)
    9

    Raises:
        ChannelError: K does not divide the channels.
    """
    choices = valid_k(channels)
    if k not in choices:
        raise ChannelError(
            f"K = {k} does not divide {channels} channels; valid K: {', '.join(map(str, choices))}."
        )
    return channels // k


def shuffle_order(channels: int, groups: int) -> Tensor:
    """Channel shuffle as a permutation `[C]`: output channel c is input channel order[c].

    The channels form a table of `groups` rows that is read column by column. Source: the code of
    PC-DARTS, model_search.py.

    >>> shuffle_order(8, 2).tolist()
    [0, 4, 1, 5, 2, 6, 3, 7]
    """
    return torch.arange(channels).view(groups, channels // groups).t().reshape(-1)


def draw_channels(channels: int, generator: torch.Generator) -> Tensor:
    """A random permutation `[C]` whose first C/K entries are the channels that S selects (Eq. 2).

    >>> draw_channels(4, torch.Generator().manual_seed(0)).sort().values.tolist()
    [0, 1, 2, 3]
    """
    return torch.randperm(channels, generator=generator)


def shuffle_matrix(channels: int, groups: int) -> Tensor:
    """The channel shuffle as a matrix `[C, C]` of zeros and ones: y = x · M for x `[pixels, C]`.

    >>> (torch.tensor([[0.0, 1.0, 2.0, 3.0]]) @ shuffle_matrix(4, 2)).tolist()
    [[0.0, 2.0, 1.0, 3.0]]
    """
    return torch.eye(channels)[:, shuffle_order(channels, groups)]
