"""Children of a supernet: their tables, and the selection of the best one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch

from cells.topology import EdgeWeights, Topology
from darts.methods.architecture import Architecture
from darts.methods.children import BestChild, child_tables, random_cells
from genotypes import SPACES, load_genotype
from genotypes.search_space import DARTS

TOPOLOGY = Topology(4)


def uniform() -> dict[str, EdgeWeights]:
    return {kind: EdgeWeights(torch.full((14, 9), 0.1), None) for kind in DARTS.kinds}


class Judge:
    """Scores by the weight of separable convolutions; rough on few batches."""

    def __init__(self, rough: bool = False) -> None:
        self.rough, self.batches = rough, list[int]()

    def __call__(self, tables: Mapping[str, EdgeWeights], batches: int = 0) -> float:
        self.batches.append(batches)
        weights = [weights.operations[:, 4:6].sum().item() for weights in tables.values()]
        return 0.0 if self.rough and batches else sum(weights)


def test_the_tables_of_a_published_cell() -> None:
    genotype = load_genotype("darts_v2")
    cells = {kind: genotype.cell(kind)[0] for kind in DARTS.kinds}
    tables = child_tables(cells, TOPOLOGY, DARTS, columns=9, like=torch.zeros((), dtype=torch.half))
    normal = tables["normal"]
    assert normal.operations.shape == (14, 9)
    assert normal.operations.dtype == torch.half
    assert normal.edges is not None
    assert normal.operations.sum() == normal.edges.sum() == 8
    assert normal.active is not None
    for edge in TOPOLOGY.edges:
        pairs = [name for name, source in genotype.normal[edge.target - 2] if source == edge.source]
        assert [DARTS.operations[column] for column in normal.active[edge.index]] == pairs


def test_a_cell_that_keeps_all_edges_needs_no_weights_of_edges() -> None:
    space = SPACES["nasbench201"]
    cells = random_cells(Topology(3, 1), space, torch.Generator().manual_seed(1))
    tables = child_tables(cells, Topology(3, 1), space, like=torch.zeros(()))
    assert tables["normal"].edges is None
    assert tables["normal"].operations.sum(1).tolist() == [1.0] * 6


def test_two_equal_operations_of_one_edge_have_the_weight_2() -> None:
    space = replace(SPACES["nasnet"], name="twice")
    cells = {"normal": ((("skip_connect", 0), ("skip_connect", 0)),)}
    tables = child_tables(cells, Topology(1), space, like=torch.zeros(()))
    assert tables["normal"].operations[0, 3] == 2
    assert tables["normal"].active == ((3,), ())


def test_the_best_child_has_the_highest_accuracy_of_all() -> None:
    search = BestChild(samples=20, batches=3, finalists=4, rounds=2).start(TOPOLOGY, DARTS)
    judge = Judge()
    search.finish(uniform(), judge, torch.Generator().manual_seed(0))
    assert judge.batches == ([3] * 20 + [0] * 4) * 2
    generator = torch.Generator().manual_seed(0)
    everything = [random_cells(TOPOLOGY, DARTS, generator) for _ in range(40)]
    accuracies = [
        judge(child_tables(cells, TOPOLOGY, DARTS, like=torch.zeros(()))) for cells in everything
    ]
    assert search.accuracy == max(accuracies)
    assert search.cells == everything[accuracies.index(max(accuracies))]


def test_of_equal_first_scores_the_first_cells_are_finalists() -> None:
    search = BestChild(samples=6, batches=1, finalists=1, rounds=3).start(TOPOLOGY, DARTS)
    search.finish(uniform(), Judge(rough=True), torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    everything = [random_cells(TOPOLOGY, DARTS, generator) for _ in range(18)]
    assert search.cells in everything[::6]


def test_the_result_is_what_the_architecture_derives_and_survives_a_resume() -> None:
    architecture = Architecture(TOPOLOGY, generator=torch.Generator().manual_seed(0))
    rule = BestChild(samples=5, batches=1, finalists=2, rounds=1)
    architecture.selection = search = rule.start(TOPOLOGY, DARTS)
    provisional = architecture.derive("before")
    search.begin_epoch(0, uniform(), Judge(), torch.Generator())
    assert architecture.derive("before") == provisional
    search.finish(architecture.mean_tables(), Judge(), torch.Generator().manual_seed(4))
    found = architecture.derive("found")
    assert search.cells is not None
    assert found.normal == search.cells["normal"]
    again = rule.start(TOPOLOGY, DARTS)
    again.load_state_dict(search.state_dict())
    assert (again.cells, again.accuracy) == (search.cells, search.accuracy)
    assert again.fixed("normal") is None


@pytest.mark.parametrize("name", SPACES)
def test_children_of_every_space_are_cells_of_it(name: str) -> None:
    space = SPACES[name]
    topology = Topology(space.nodes or 3, space.inputs)
    architecture = Architecture(topology, space=space, generator=torch.Generator())
    rule = BestChild(samples=3, batches=1, finalists=1, rounds=1)
    architecture.selection = search = rule.start(topology, space)
    search.finish(
        architecture.mean_tables(), lambda tables, batches=0: 1.0, torch.Generator().manual_seed(0)
    )
    assert architecture.derive("child").kinds == space.kinds


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        BestChild(samples=0)
