"""Assembly: what the options join, and a search of a user's own space."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from darts.costs.ceilings import CostPenalty
from darts.errors import UserError
from darts.methods.gradient import FirstOrder, LabelledBatch
from darts.methods.unrolled import Unrolled
from darts.searching.assembly import Assembled, assemble
from darts.searching.task import SearchTask
from genotypes import KINDS, SearchSpace
from genotypes.search_space import DARTS
from tests.darts.runs_support import search_options
from tests.genotypes.spaces import TINY, registered


def assembled(task: SearchTask, space: SearchSpace = DARTS) -> Assembled:
    return assemble(
        task.options, task.dataset, task.device, task.streams, steps_per_epoch=5, space=space
    )


@pytest.mark.parametrize(("order", "gradient"), [(1, FirstOrder()), (2, Unrolled())])
def test_the_order_chooses_the_gradient(order: int, gradient: object, tmp_path: Path) -> None:
    task = SearchTask(search_options(tmp_path / "run", order=order))
    assert task.iteration.architecture_step.gradient == gradient


def test_a_ceiling_joins_the_search_as_a_regulariser(tmp_path: Path) -> None:
    task = SearchTask(search_options(tmp_path / "run", max_params="3M"))
    (penalty,) = task.iteration.architecture_step.regularisers
    assert isinstance(penalty, CostPenalty)
    assert penalty.costs is task.costs


@pytest.mark.parametrize("backend", ["torch", "native"])
def test_a_users_space_is_searched(backend: str, tmp_path: Path) -> None:
    """Two steps; the edge with fewer candidates never uses another one."""
    task = SearchTask(search_options(tmp_path / "run", nodes=2, backend=backend))
    with registered(TINY):
        parts = assembled(task, TINY)
        before = [parameter.detach().clone() for parameter in parts.architecture.parameters()]
        for _ in range(2):
            batches = (task.training.next_batch(), task.validation.next_batch())
            scalars = parts.iteration(*(LabelledBatch(*batch) for batch in batches))
        genotype = parts.costs.derive("found")
        assert genotype.space == "tiny"
        assert [len(node) for kind in KINDS for node in genotype.cell(kind)[0]] == [1] * 4
        assert parts.costs.of(genotype)["params"] > 0
    assert all(value.isfinite() for value in scalars.values())
    assert all(
        not old.equal(new) for old, new in zip(before, parts.architecture.parameters(), strict=True)
    )
    tables = parts.architecture.fixed_tables()
    assert tables["normal"].operations[0, 2] == 0
    assert tables["reduce"].operations[0, 2] > 0
    torch.testing.assert_close(tables["normal"].operations.sum(1), torch.ones(5))


@pytest.mark.parametrize("ceiling", [True, False])
def test_the_strongest_cell_of_a_users_space(ceiling: bool, tmp_path: Path) -> None:
    """With and without a ceiling, the operation that the space excludes is not chosen."""
    options = {"max_params": "10M"} if ceiling else {}
    task = SearchTask(search_options(tmp_path / "run", nodes=2, **options))
    with registered(TINY):
        parts = assembled(task, TINY)
        with torch.no_grad():
            for kind in KINDS:
                parts.architecture.alpha[kind].copy_(torch.tensor([0.0, 1.0, 9.0]))
                parts.architecture.beta[kind].copy_(torch.tensor([9.0, 0.0, 0.0, 9.0, 0.0]))
        genotype = parts.costs.derive("found")
        strongest = parts.costs._strongest() if ceiling else None
    assert genotype.normal == ((("skip_connect", 0),), (("sep_conv_3x3", 1),))
    assert genotype.reduce == ((("sep_conv_3x3", 0),), (("sep_conv_3x3", 1),))
    if ceiling:
        assert strongest == {"normal": genotype.normal, "reduce": genotype.reduce}


def test_spaces_that_no_supernet_has_are_refused(tmp_path: Path) -> None:
    task = SearchTask(search_options(tmp_path / "run", nodes=3))
    with pytest.raises(UserError, match="--nodes 3: cells of the search space 'tiny' have 2"):
        assembled(task, TINY)
