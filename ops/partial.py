"""Partial channel connections (PC-DARTS, §3.2): which channels a mixed operation sees.

A state x of C channels is split: C/K channels go through the mixed operation, the others bypass
it. Because the weighted sum over a node's incoming edges is linear, what follows the split (the
concatenation, the shuffle, the edge weights) needs to be done once a node and not once an edge; see
`ops.fused.node_sum`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Sampling = Literal["first", "random"]


class ChannelError(ValueError):
    """A number of channels that cannot be split as asked."""


def valid_k(channels: int) -> tuple[int, ...]:
    """The K that split `channels` into parts of an even size.

    The size must be even because the factorised reduction on strided edges makes one half of its
    output from each of two shifted inputs.
    """
    return tuple(k for k in range(1, channels // 2 + 1) if channels % (2 * k) == 0)


def partial_size(channels: int, k: int) -> int:
    """C/K, the number of channels a mixed operation sees. Raises `ChannelError` for a wrong K."""
    choices = valid_k(channels)
    if k not in choices:
        listed = ", ".join(map(str, choices)) or "none: the number of channels must be even"
        raise ChannelError(
            f"K = {k} does not split {channels} channels into parts of an even size; "
            f"valid K: {listed}."
        )
    return channels // k


def shuffle_order(channels: int, groups: int) -> Tensor:
    """Channel shuffle as a permutation: output channel c reads input channel order[c].

    The channels are laid out as a table of `groups` rows and read column by column, so 16 channels
    in 4 groups give 0, 4, 8, 12, 1, 5, … (authors' code, model_search.py).
    """
    return torch.arange(channels).view(groups, channels // groups).t().reshape(-1)


def draw_channels(channels: int, generator: torch.Generator) -> Tensor:
    """A random permutation whose first C/K entries are the channels that S selects (Eq. 2)."""
    return torch.randperm(channels, generator=generator)


def shuffle_matrix(channels: int, groups: int) -> Tensor:
    """The channel shuffle as a matrix `[C, C]` of zeros and ones: rows of pixels times it."""
    return torch.eye(channels)[:, shuffle_order(channels, groups)]
