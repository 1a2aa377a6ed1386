"""The registry of operations: its order, its errors, and a user's own operation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cells.derived_cell import DerivedCell
from cells.search_cell import SearchCell
from cells.skeleton import CellPlace
from cells.topology import EdgeWeights, Topology
from cells.torch_engine import TorchEngine
from darts.costs.count import operation_cost
from genotypes import Genotype, SearchSpace, spaces
from ops import registry
from ops.registry import (
    Operation,
    create_operation,
    find_operation,
    list_operations,
    register_operation,
)

PLACE = CellPlace(0, False, False, 4, 4, 8, 1)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Operation:
    """An operation of a user, registered for one test: one function and one line."""

    def create(channels: int, stride: int, affine: bool, normalised: bool) -> nn.Module:
        return nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)

    monkeypatch.setattr(registry, "_operations", dict(registry._operations))
    return register_operation(Operation("depthwise_3x3", create))


def test_the_candidates_come_in_the_order_of_alpha() -> None:
    assert list(list_operations())[:8] == [
        "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect",
        "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
    ]  # fmt: skip


def test_only_none_is_the_absent_edge() -> None:
    assert [name for name in list_operations() if find_operation(name).absent] == ["none"]


def test_unknown_operation() -> None:
    with pytest.raises(ValueError, match=r"'sep_conv_9x9' \(choices: none, max_pool_3x3"):
        create_operation("sep_conv_9x9", 4, 1, affine=True)


def test_a_name_is_registered_once(own: Operation) -> None:
    assert register_operation(own) is own
    with pytest.raises(ValueError, match="already an operation 'depthwise_3x3'"):
        register_operation(Operation("depthwise_3x3", own.create))


def test_an_own_operation_is_searched(own: Operation) -> None:
    cell = SearchCell(Topology(2), ("none", "skip_connect", own.name), PLACE, k=2)
    weights = EdgeWeights(torch.full((5, 3), 1 / 3), None)
    images = torch.ones(2, 4, 6, 6)
    output = cell(images, images, weights, TorchEngine())
    assert output.shape == (2, 16, 6, 6)
    output.sum().backward()
    assert all(parameter.grad is not None for parameter in cell.parameters())


def test_an_own_operation_is_derived_and_counted(
    own: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = SearchSpace(name="own", operations=(own.name,), zero=None)
    monkeypatch.setitem(spaces._registered, space.name, space)
    nodes = (((own.name, 0), (own.name, 1)),)
    genotype = Genotype("own", nodes, nodes, (2,), (2,), space=space.name)
    images = torch.ones(2, 4, 6, 6)
    assert DerivedCell(genotype, PLACE)(images, images).shape == (2, 8, 6, 6)
    cost = operation_cost(own.name, 8, 2, 6)
    assert cost.params == 8 * 9
    assert cost.macs == 8 * 9 * 3**2
