"""The evolution of single cells."""

from __future__ import annotations

import pytest
import torch

from cells.topology import EdgeWeights, Topology
from darts.methods.architecture import Architecture
from darts.methods.children import BestChild, Cells
from darts.methods.evolution import Evolution, _cross, _mutate, random_cells
from genotypes import SPACES
from genotypes.search_space import DARTS

TOPOLOGY = Topology(4)
TABLES = {kind: EdgeWeights(torch.full((14, 8), 0.1), None) for kind in DARTS.kinds}


def likes_convolutions(tables: dict[str, EdgeWeights], batches: int = 0) -> float:
    return sum(float(weights.operations[:, 4:6].sum()) for weights in tables.values())


def test_evolution_finds_better_cells_than_as_many_random_ones() -> None:
    small = Evolution(generations=6, population=16, crossover=8, mutation=8, parents=4)
    found = []
    for rule in (small, BestChild(samples=96, batches=0, finalists=1, rounds=1)):
        search = rule.start(TOPOLOGY, DARTS)
        search.finish(TABLES, likes_convolutions, torch.Generator().manual_seed(1))
        found.append(search.accuracy)
    assert found[0] > found[1]


def test_no_cell_is_judged_twice_and_generations_are_full() -> None:
    seen: list[Cells] = []

    def accuracy(cells: Cells, batches: int) -> float:
        assert cells not in seen
        assert batches == 0
        seen.append(cells)
        return float(sum(name == "noise" for node in cells["normal"] for name, _ in node))

    rule = Evolution(generations=4, population=10, crossover=4, mutation=4, parents=3)
    found = rule.search(accuracy, TOPOLOGY, SPACES["s4"], torch.Generator().manual_seed(0))
    assert len(seen) == 40
    assert found.cells in seen


def test_the_best_of_few_batches_is_scored_on_all_images() -> None:
    rule = Evolution(generations=2, population=3, batches=2)
    found = rule.search(
        lambda cells, batches: 7.0 if batches == 0 else 9.0,
        TOPOLOGY,
        DARTS,
        torch.Generator().manual_seed(0),
    )
    assert found.accuracy == 7.0


def test_a_space_that_is_smaller_than_a_generation_ends() -> None:
    space = SPACES["s2"]
    topology = Topology(1)  # 4 cells of each kind.
    child = Evolution(generations=3).search(
        lambda cells, batches: 1.0, topology, space, torch.Generator().manual_seed(0)
    )
    assert set(child.cells) == {"normal", "reduce"}


def test_crossing_takes_whole_nodes() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (random_cells(TOPOLOGY, DARTS, generator) for _ in range(2))
    child = _cross(one, other, generator)
    for kind in DARTS.kinds:
        for nodes in zip(child[kind], one[kind], other[kind], strict=True):
            assert nodes[0] in nodes[1:]
    assert child not in (one, other)


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_mutation_changes_parts_of_a_cell(probability: float) -> None:
    generator = torch.Generator().manual_seed(0)
    cells = random_cells(TOPOLOGY, DARTS, generator)
    changed = 0
    for _ in range(20):
        child = _mutate(cells, probability, TOPOLOGY, DARTS, generator)
        changed += sum(
            a != b for kind in cells for a, b in zip(child[kind], cells[kind], strict=True)
        )
    # A node changes as a whole, or one of its two operations does (to another one of seven).
    expected = 160 * (1 - (1 - probability) * (1 - probability * 6 / 7) ** 2)
    assert changed == pytest.approx(expected, abs=25)


@pytest.mark.parametrize("name", SPACES)
def test_children_of_every_space_are_cells_of_it(name: str) -> None:
    space = SPACES[name]
    topology = Topology(space.nodes or 3, space.inputs)
    architecture = Architecture(topology, space=space, generator=torch.Generator())
    rule = Evolution(generations=3, population=6, crossover=2, mutation=2, probability=0.5)
    architecture.selection = search = rule.start(topology, space)
    search.finish(
        architecture.mean_tables(), lambda tables, batches=0: 1.0, torch.Generator().manual_seed(0)
    )
    assert architecture.derive("child").kinds == space.kinds


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Evolution(population=0)
    with pytest.raises(ValueError, match="probability"):
        Evolution(probability=1.5)
