"""A wider fan-out computes what the narrow one does, with copies of its channels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genotypes.search_space import DARTS
from ops.fused.fan_out import FanOut
from ops.fused.widening import copied_channels, widen
from ops.initialise import initialise

EDGES = 3
OPERATIONS = DARTS.operations


def fan_out(channels: int, stride: int, candidates: list[list[str]] | None = None) -> FanOut:
    made = FanOut(OPERATIONS, channels, EDGES, stride, candidates)
    initialise(made, torch.Generator().manual_seed(channels))
    return made.double()


def widened(narrow: FanOut, wide: FanOut, *, divide: bool) -> Tensor:
    """Copy the weights; return the channels that were copied."""
    with torch.no_grad():
        for old, new, transform in widen(
            narrow, wide, torch.Generator().manual_seed(7), divide=divide
        ):
            new.copy_(transform(old))
    return copied_channels(
        narrow.channels,
        wide.channels,
        torch.Generator().manual_seed(7),
        halves=narrow.stride == 2,
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_wide_operations_compute_the_same_function(stride: int, training: bool) -> None:
    narrow, wide = fan_out(4, stride), fan_out(6, stride)
    x = torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    weights = torch.rand(EDGES, len(OPERATIONS), generator=torch.Generator().manual_seed(2))
    narrow(x, weights.double())  # So that the statistics are not the initial ones.
    copies = widened(narrow, wide, divide=True)
    narrow.train(training), wide.train(training)
    found = wide(x[:, copies], weights.double())
    for one, other in zip(found, narrow(x, weights.double()), strict=True):
        torch.testing.assert_close(one, other[:, copies], rtol=1e-9, atol=1e-9)


def test_without_division_weights_are_copied() -> None:
    narrow, wide = fan_out(4, 1), fan_out(8, 1)
    copies = widened(narrow, wide, divide=False)
    old = narrow.rectified["dil_conv_3x3"].conv.pointwise.weight.view(EDGES, 4, 4)
    new = wide.rectified["dil_conv_3x3"].conv.pointwise.weight.view(EDGES, 8, 8)
    assert new.equal(old[:, copies][:, :, copies])


def test_edges_and_operations_that_were_dropped_are_left_out() -> None:
    kept = [["skip_connect", "sep_conv_3x3"], ["sep_conv_3x3", "max_pool_3x3"], ["dil_conv_5x5"]]
    narrow, wide = fan_out(4, 2), fan_out(4, 2, kept)
    x = torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    weights = torch.zeros(EDGES, len(OPERATIONS)).double()
    for edge, names in enumerate(kept):
        for name in names:
            weights[edge, OPERATIONS.index(name)] = 0.5
    assert widened(narrow, wide, divide=False).tolist() == [0, 1, 2, 3]
    for one, other in zip(wide(x, weights), narrow(x, weights), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_additional_channels_copy_old_ones_of_their_half() -> None:
    generator = torch.Generator().manual_seed(0)
    copies = copied_channels(8, 16, generator, halves=True)
    assert copies[:4].tolist() == [0, 1, 2, 3]
    assert copies[8:12].tolist() == [4, 5, 6, 7]
    assert (copies[:8] < 4).all()
    assert (copies[8:] >= 4).all()
