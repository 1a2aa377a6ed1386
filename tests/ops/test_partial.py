"""Partial channel connections: the split of the channels and the channel shuffle."""

from __future__ import annotations

import pytest
import torch

from ops.partial import (
    ChannelError,
    draw_channels,
    partial_size,
    shuffle_matrix,
    shuffle_order,
    valid_k,
)


def test_shuffle_order_is_that_of_the_code_of_pc_darts() -> None:
    assert shuffle_order(16, 4).tolist() == [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]
    assert shuffle_order(16, 2).tolist() == [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15]
    assert shuffle_order(6, 1).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("channels", "choices"),
    [(16, (1, 2, 4, 8, 16)), (36, (1, 2, 3, 4, 6, 9, 12, 18, 36)), (7, (1, 7))],
)
def test_valid_k_divide_the_channels(channels: int, choices: tuple[int, ...]) -> None:
    assert valid_k(channels) == choices


def test_partial_size_refuses_with_the_choices() -> None:
    assert partial_size(16, 4) == 4
    assert partial_size(36, 4) == 9
    with pytest.raises(ChannelError, match=r"K = 5 .* 16 .* valid K: 1, 2, 4, 8, 16\."):
        partial_size(16, 5)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_shuffle_as_a_matrix_reads_a_table_by_columns(
    k: int, generator: torch.Generator
) -> None:
    rows = torch.randn(5, 8, generator=generator)
    table = rows.view(5, k, 8 // k).transpose(1, 2).reshape(5, 8)
    assert (rows @ shuffle_matrix(8, k)).equal(table)


def test_a_draw_is_a_permutation(generator: torch.Generator) -> None:
    assert draw_channels(8, generator).sort().values.equal(torch.arange(8))
