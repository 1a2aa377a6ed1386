"""The dominant eigenvalue against the dense Hessian, and its null directions."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from darts.methods.derivatives import detached, loss_of
from darts.methods.eigenvalue import DominantEigenvalue, measure_eigenvalue
from darts.methods.gradient import Bilevel, LabelledBatch
from genotypes.search_space import DARTS
from tests.darts.methods.test_second_order import small

DOUBLE = torch.float64
# A dense Hessian takes one pass for each alpha.
FEW = replace(DARTS, name="few", zero=None, operations=("max_pool_3x3", "dil_conv_3x3"))


def dense(problem: Bilevel, batch: LabelledBatch) -> Tensor:
    """The full Hessian in all alphas, column by column."""
    fixed, weights = detached(problem.architecture), detached(problem.supernet)
    names = [name for name in fixed if name.startswith("alpha.")]
    sizes = [fixed[name].numel() for name in names]
    loss = loss_of(problem, batch)

    def flat(vector: Tensor) -> Tensor:
        pieces = dict(zip(names, vector.split(sizes), strict=True))
        alpha = {name: piece.view_as(fixed[name]) for name, piece in pieces.items()}
        return loss(weights, {**fixed, **alpha})

    point = torch.cat([fixed[name].flatten() for name in names])
    found: Tensor = torch.func.jacrev(torch.func.grad(flat), chunk_size=1)(point)
    return found


def test_it_equals_the_largest_eigenvalue_of_the_dense_hessian() -> None:
    problem, batch, _ = small("native", space=FEW)
    before = copy.deepcopy(problem.supernet.state_dict())
    values = torch.linalg.eigvalsh(dense(problem, batch))
    found = DominantEigenvalue(ridge=0, tolerance=1e-7)(problem, batch)
    assert found.value == pytest.approx(values[-1].item(), abs=1e-8)
    usual = DominantEigenvalue()(problem, batch)
    assert usual.value == pytest.approx(values[-1].item() + 1e-3, rel=1e-3)
    assert usual.products < found.products <= 80
    for name, value in problem.supernet.state_dict().items():
        assert value.equal(before[name]), name


def test_every_row_of_a_softmax_table_has_one_eigenvalue_0() -> None:
    problem, batch, _ = small(space=FEW)
    values = torch.linalg.eigvalsh(dense(problem, batch)).abs()
    rows = sum(len(alpha) for alpha in problem.architecture.alpha.values())
    zeros = values < 1e-10 * values.max()
    assert zeros.sum().item() == rows == 10


def test_parts_of_a_batch_have_the_mean_of_their_hessians() -> None:
    problem, batch, _ = small(parts=2, space=FEW)
    halves = [dense(problem, half) for half in batch.split(2)]
    expected = torch.linalg.eigvalsh((halves[0] + halves[1]) / 2)[-1].item()
    found = DominantEigenvalue(ridge=0, tolerance=1e-4)(problem, batch)
    assert found.value == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_lanczos_finds_the_largest_eigenvalue(size: int) -> None:
    generator = torch.Generator().manual_seed(size)
    matrix = torch.randn(size, size, generator=generator, dtype=DOUBLE)
    matrix = matrix + matrix.T
    found = measure_eigenvalue(lambda v: matrix @ v, size, tolerance=1e-10, most=size)
    assert found.value == pytest.approx(torch.linalg.eigvalsh(matrix)[-1].item(), rel=1e-9)
    assert found.products <= size


def test_lanczos_ends_where_there_is_nothing_more_to_find() -> None:
    """Multiples of the identity, and 0, have a single eigenvalue."""
    for factor in (3.0, 0.0):
        found = measure_eigenvalue(lambda v, f=factor: f * v, 30, tolerance=1e-9, most=30)
        assert found.value == pytest.approx(factor, abs=1e-12)
        assert found.products == 1


def test_a_repeated_largest_eigenvalue_is_found() -> None:
    diagonal = torch.tensor([2.0, 2.0, 1.0, -5.0, 0.0, 0.0], dtype=DOUBLE)
    found = measure_eigenvalue(lambda v: diagonal * v, 6, tolerance=1e-12, most=6)
    assert found.value == pytest.approx(2.0, abs=1e-12)


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="tolerance"):
        DominantEigenvalue(tolerance=0)
