"""The literal derivation, compared with genotypes from the code of PC-DARTS."""

from collections.abc import Callable
from math import cos, sin

import pytest

from tests.reference.derivation import derive, normalise_edges


def table(formula: Callable[[int, int], float]) -> list[list[float]]:
    return [[formula(edge, column) for column in range(8)] for edge in range(14)]


ALPHA_NORMAL = table(lambda e, o: sin(0.7 * e + 1.3 * o))
ALPHA_REDUCE = table(lambda e, o: cos(0.9 * e + 0.4 * o))
BETA_NORMAL = [sin(1.1 * e) for e in range(14)]
BETA_REDUCE = [cos(0.5 * e) for e in range(14)]


def test_softmax_over_the_edges_of_each_node() -> None:
    expected = [
        0.290861, 0.709139, 0.644107, 0.245089, 0.110804, 0.077887, 0.215365, 0.423673, 0.283075,
        0.103256, 0.060025, 0.104073, 0.294954, 0.437692,
    ]  # fmt: skip
    assert normalise_edges(BETA_NORMAL) == pytest.approx(expected, abs=1e-6)


def test_normal_cell() -> None:
    assert derive(ALPHA_NORMAL, BETA_NORMAL) == [
        [("max_pool_3x3", 1), ("dil_conv_3x3", 0)],
        [("sep_conv_5x5", 0), ("sep_conv_3x3", 1)],
        [("dil_conv_5x5", 2), ("avg_pool_3x3", 3)],
        [("sep_conv_3x3", 4), ("sep_conv_3x3", 3)],
    ]


def test_reduction_cell() -> None:
    assert derive(ALPHA_REDUCE, BETA_REDUCE) == [
        [("max_pool_3x3", 0), ("max_pool_3x3", 1)],
        [("dil_conv_5x5", 0), ("dil_conv_5x5", 1)],
        [("max_pool_3x3", 3), ("max_pool_3x3", 2)],
        [("avg_pool_3x3", 4), ("dil_conv_5x5", 2)],
    ]


@pytest.mark.parametrize("beta", [None, [0.0] * 14])
def test_equal_edges(beta: list[float] | None) -> None:
    """With all betas 0, the edges of a node have equal weights, as without betas."""
    assert derive(ALPHA_NORMAL, beta) == [
        [("dil_conv_3x3", 0), ("max_pool_3x3", 1)],
        [("sep_conv_3x3", 2), ("sep_conv_5x5", 0)],
        [("skip_connect", 0), ("skip_connect", 1)],
        [("sep_conv_3x3", 4), ("sep_conv_5x5", 2)],
    ]
    assert derive(ALPHA_REDUCE, beta) == [
        [("max_pool_3x3", 0), ("max_pool_3x3", 1)],
        [("dil_conv_5x5", 1), ("dil_conv_5x5", 2)],
        [("max_pool_3x3", 2), ("max_pool_3x3", 3)],
        [("dil_conv_5x5", 1), ("dil_conv_5x5", 2)],
    ]


def test_ties_go_to_the_lower_index() -> None:
    assert derive([[0.0] * 8] * 5, [0.0] * 5) == [
        [("max_pool_3x3", 0), ("max_pool_3x3", 1)],
        [("max_pool_3x3", 0), ("max_pool_3x3", 1)],
    ]
