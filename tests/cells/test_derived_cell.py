"""The derived cell: small genotypes with known sums."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cells.derived_cell import DerivedCell
from cells.skeleton import CellPlace
from genotypes import Genotype, load_genotype
from ops.primitives import FactorizedReduce, ReluConvBn

SKIPS = ((("skip_connect", 0), ("skip_connect", 1)), (("skip_connect", 2), ("skip_connect", 0)))


def genotype(normal: Any, concat: tuple[int, ...] = (2, 3), reduce: Any = SKIPS) -> Genotype:
    return Genotype("test", normal, reduce, concat, concat)


def make(genotype: Genotype, *, reduction: bool = False, bare: bool = True) -> DerivedCell:
    """A cell with two channels; a bare cell does not preprocess its inputs."""
    cell = DerivedCell(genotype, CellPlace(0, reduction, False, 2, 2, 2, 1))
    if bare:
        cell.preprocess0 = cell.preprocess1 = nn.Identity()
    return cell.double()


def constant(value: float, batch: int = 1, size: int = 4) -> Tensor:
    return torch.full((batch, 2, size, size), value, dtype=torch.float64)


def test_nodes_are_sums_of_their_two_inputs() -> None:
    out = make(genotype(SKIPS))(constant(3), constant(5))
    assert out[0, :, 0, 0].tolist() == [8, 8, 11, 11]


def test_concat_skips_nodes() -> None:
    cell = make(genotype(SKIPS, concat=(3,)))
    assert cell.out_channels == 2
    assert cell(constant(3), constant(5))[0, :, 0, 0].tolist() == [11, 11]


def test_concat_keeps_its_order() -> None:
    out = make(genotype(SKIPS, concat=(3, 2)))(constant(3), constant(5))
    assert out[0, :, 0, 0].tolist() == [11, 11, 8, 8]


def test_one_source_twice() -> None:
    nodes = ((("avg_pool_3x3", 0), ("avg_pool_3x3", 0)),)
    twice = Genotype("test", nodes, nodes, (2,), (2,), space="nasnet")
    assert torch.equal(make(twice)(constant(3), constant(5)), constant(6))


def test_only_the_inputs_of_a_reduction_cell_are_strided() -> None:
    cell = make(genotype(SKIPS), reduction=True)
    kinds = [type(operation) for operation in cell.operations]
    assert kinds == [FactorizedReduce, FactorizedReduce, nn.Identity, FactorizedReduce]
    assert cell(constant(3), constant(5)).shape == (1, 4, 2, 2)


@pytest.mark.parametrize(("previous_reduction", "size0"), [(False, 8), (True, 16)])
def test_preprocessing(previous_reduction: bool, size0: int) -> None:
    place = CellPlace(0, False, previous_reduction, 6, 10, 4, 1)
    cell = DerivedCell(load_genotype("pcdarts_cifar10"), place)
    expected = FactorizedReduce if previous_reduction else ReluConvBn
    assert type(cell.preprocess0) is expected
    assert type(cell.preprocess1) is ReluConvBn
    assert cell(torch.zeros(2, 6, size0, size0), torch.zeros(2, 10, 8, 8)).shape == (2, 16, 8, 8)


def test_pools_of_a_derived_cell_are_not_normalised() -> None:
    nodes = ((("avg_pool_3x3", 0), ("max_pool_3x3", 1)),)
    out = make(genotype(nodes, (2,), nodes))(constant(3), constant(5))
    assert torch.equal(out, constant(8))


def test_drop_path_spares_the_identity() -> None:
    nodes = ((("avg_pool_3x3", 0), ("skip_connect", 1)),)
    cell = make(genotype(nodes, (2,), nodes))
    out = cell(constant(3, batch=64), constant(5, batch=64), 0.25, torch.Generator().manual_seed(0))
    values = out.flatten(1)
    assert torch.equal(values.amin(1), values.amax(1))
    # Dropped: 0 + 5. Kept: 3 / 0.75 + 5.
    assert set(values[:, 0].tolist()) == {5.0, 9.0}


def test_drop_path_takes_strided_skips_too() -> None:
    cell = make(genotype(SKIPS, (2,)), reduction=True)
    batch = torch.randn(
        32, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    out = cell(batch, batch, 0.9, torch.Generator().manual_seed(0))
    # Both inputs of the node are dropped for 0.9² of the samples.
    assert (out.flatten(1) == 0).all(1).sum() > 16


def test_operations_of_a_node_are_dropped_independently() -> None:
    nodes = ((("avg_pool_3x3", 0), ("max_pool_3x3", 1)),)
    cell = make(genotype(nodes, (2,), nodes))
    out = cell(constant(1, batch=64), constant(3, batch=64), 0.5, torch.Generator().manual_seed(0))
    assert set(out[:, 0, 0, 0].tolist()) == {0.0, 2.0, 6.0, 8.0}
