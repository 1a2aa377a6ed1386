"""Selection by perturbation: the golden vector, its schedule, its state, and sound cells."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cells.topology import EdgeWeights, Topology
from darts.methods.architecture import Architecture
from darts.methods.projection import Projection, Projector, crowded_nodes
from darts.methods.relaxation import Softmax
from genotypes import SPACES, SearchSpace
from genotypes.search_space import DARTS
from tests.darts.methods.vectors import golden

TOPOLOGY = Topology(4)
NASBENCH201 = SPACES["nasbench201"]
Tables = dict[str, EdgeWeights]


def uniform(space: SearchSpace = DARTS, topology: Topology = TOPOLOGY) -> Tables:
    shape = len(topology.edges), len(space.operations)
    table = EdgeWeights(torch.full(shape, 1 / shape[1]), None)
    return dict.fromkeys(space.kinds, table)


class LikesConvolutions:
    """A toy supernet: its accuracy is the weight of separable convolutions on early edges."""

    def __init__(self) -> None:
        self.calls: list[Mapping[str, EdgeWeights]] = []

    def __call__(self, tables: Mapping[str, EdgeWeights], batches: int = 0) -> float:
        assert batches == 0
        self.calls.append(tables)
        total = 0.0
        for weights in tables.values():
            edges = 1.0 if weights.edges is None else weights.edges
            value = weights.operations[:, 4] + weights.operations[:, 3] / 2
            worth = torch.linspace(1, 0.5, len(value))
            total += (value * edges * worth).sum().item()
        return total


def run(projector: Projector, tables: Tables, epochs: range, seed: int = 0) -> LikesConvolutions:
    score, generator = LikesConvolutions(), torch.Generator().manual_seed(seed)
    for epoch in epochs:
        projector.begin_epoch(epoch, tables, score, generator)
    return score


def test_darts_pt_equals_its_golden_vector(shared: Path) -> None:
    inputs, outputs = golden(shared, "darts_pt_select")
    space = SearchSpace(
        name="toy",
        operations=("none", "skip_connect", "noise", "sep_conv_3x3", "sep_conv_5x5"),
        zero=None,
        inputs=1,
        kept=None,
        output="last",
        kinds=("normal",),
        stack="stages",
    )
    topology = Topology(2, inputs=1)
    measured: list[float] = []

    def score(tables: Mapping[str, EdgeWeights], batches: int = 0) -> float:
        total = (inputs["q"] * tables["normal"].operations).sum().tanh().item()
        measured.append(total)
        return total

    tables = {"normal": EdgeWeights(inputs["alpha"].softmax(1), None)}
    for seed in range(20):  # Until the edge of the vector is the one drawn.
        measured.clear()
        projector = Projection().start(topology, space)
        projector.decisions["normal"].operations[0] = 2
        projector.begin_epoch(0, tables, score, torch.Generator().manual_seed(seed))
        if 1 in projector.decisions["normal"].operations:
            break
    assert measured == pytest.approx(outputs["masked_accuracy"].tolist(), rel=1e-12)
    assert projector.decisions["normal"].operations == {0: 2, 1: outputs["chosen"]}


def test_the_schedule_of_the_darts_space() -> None:
    projector = Projection().start(TOPOLOGY, DARTS)
    assert projector.rule.further_epochs(TOPOLOGY, DARTS) == 81
    made = []
    for epoch in range(81):
        run(projector, uniform(), range(epoch, epoch + 1), seed=epoch)
        decided = projector.decisions["reduce"]
        made.append(len(decided.operations) + len(decided.nodes))
    assert [epoch for epoch in range(81) if made[epoch] > (made[epoch - 1] if epoch else 0)] == [
        *range(0, 81, 5)
    ]
    assert made[-1] == 14 + 3
    assert crowded_nodes(TOPOLOGY, DARTS) == [3, 4, 5]


def test_the_schedule_of_nas_bench_201() -> None:
    topology = Topology(3, 1)
    projector = Projection(epochs=25).start(topology, NASBENCH201)
    found = []
    for epoch in range(25):
        run(projector, uniform(NASBENCH201, topology), range(epoch, epoch + 1), seed=epoch)
        found.append(len(projector.decisions["normal"].operations))
    assert [epoch for epoch in range(25) if found[epoch] > (found[epoch - 1] if epoch else 0)] == [
        *[0, 5, 10, 15, 20, 24]
    ]
    assert found[-1] == 6
    assert projector.cells is not None


def test_what_is_left_is_decided_before_the_last_epoch() -> None:
    projector = Projection(interval=1, epochs=3).start(TOPOLOGY, DARTS)
    run(projector, uniform(), range(2))
    assert projector.cells is None
    run(projector, uniform(), range(2, 3))
    assert projector.cells is not None


@pytest.mark.parametrize("name", ["darts", "darts-no-none", "nasbench201"])
def test_alphas_that_say_all_skip_give_a_sound_cell(name: str) -> None:
    """Which operation has the largest alpha does not matter; what the network loses does."""
    space = SPACES[name]
    topology = Topology(space.nodes or 4, space.inputs)
    architecture = Architecture(
        topology, space=space, generator=torch.Generator().manual_seed(0), initial=(0.0, 0.1)
    )
    skip = space.operations.index("skip_connect")
    with torch.no_grad():
        for alpha in architecture.alpha.values():
            alpha[:, skip] = 8.0
    by_alpha = architecture.derive("by alpha")
    assert {name for node in by_alpha.normal for name, _ in node} == {"skip_connect"}

    convolution = next(i for i, one in enumerate(space.operations) if "conv_3x3" in one)

    def score(tables: Mapping[str, EdgeWeights], batches: int = 0) -> float:
        return sum(weights.operations[:, convolution].sum().item() for weights in tables.values())

    architecture.selection = projector = Projection(interval=1).start(topology, space)
    projector.finish(architecture.mean_tables(), score, torch.Generator().manual_seed(0))
    found = architecture.derive("projected")
    cells = [found.cell(kind)[0] for kind in space.kinds]
    assert {name for nodes in cells for node in nodes for name, _ in node} == {
        space.operations[convolution]
    }


def test_weights_are_zeroed_and_not_renormalised() -> None:
    projector = Projection().start(TOPOLOGY, DARTS)
    score = run(projector, uniform(), range(1))
    assert len(score.calls) == 2 * 7  # `none` is not to be chosen.
    (edge,) = projector.decisions["normal"].operations
    for column, tables in enumerate(score.calls[:7], 1):
        expected = torch.full((14, 8), 0.125)
        expected[edge, column] = 0
        assert tables["normal"].operations.equal(expected)
        assert tables["reduce"].operations.equal(uniform()["reduce"].operations)
    # The reduction cell is decided with the new normal cell.
    assert score.calls[7]["normal"].operations[edge].sum() == 1


def test_equal_accuracies_decide_for_the_first_operation_and_the_last_edge() -> None:
    projector = Projection().start(TOPOLOGY, DARTS)
    projector.finish(uniform(), lambda tables, batches=0: 50.0, torch.Generator())
    assert projector.cells is not None
    for nodes in projector.cells.values():
        assert all(node == (("max_pool_3x3", 0), ("max_pool_3x3", 1)) for node in nodes)


def test_edges_leave_a_node_by_the_accuracy_without_them() -> None:
    projector = Projection(interval=1).start(TOPOLOGY, DARTS)
    score = run(projector, uniform(), range(17))
    # Early edges are worth more to this network, so the later ones are removed.
    assert projector.cells is not None
    assert [source for _, source in projector.cells["normal"][3]] == [0, 1]
    last = score.calls[-1]["reduce"]
    assert last.edges is not None
    assert set(last.edges.tolist()) == {0.0, 1.0}
    operations, edges = projector.fixed("normal")
    assert int((edges == 0).sum()) == 14 - 8
    assert int(operations.sum()) == 8


def test_a_selection_continues_where_it_stopped() -> None:
    generator = torch.Generator().manual_seed(3)
    score = LikesConvolutions()
    whole = Projection(interval=2).start(TOPOLOGY, DARTS)
    for epoch in range(12):
        whole.begin_epoch(epoch, uniform(), score, generator)
    state, stream = copy.deepcopy(whole.state_dict()), generator.get_state()
    for epoch in range(12, 33):
        whole.begin_epoch(epoch, uniform(), score, generator)

    again = Projection(interval=2).start(TOPOLOGY, DARTS)
    again.load_state_dict(state)
    generator.set_state(stream)
    again.begin_epoch(11, uniform(), score, generator)  # The epoch in which the run was killed.
    assert again.state_dict() == state
    for epoch in range(12, 33):
        again.begin_epoch(epoch, uniform(), score, generator)
    assert again.state_dict() == whole.state_dict()
    assert again.cells == whole.cells is not None


def test_decided_rows_get_no_gradient() -> None:
    architecture = Architecture(
        TOPOLOGY, relaxation=Softmax(False), generator=torch.Generator().manual_seed(0)
    )
    projector = Projection(interval=1).start(TOPOLOGY, DARTS)
    run(projector, architecture.mean_tables(), range(15))
    for kind in architecture.kinds:
        architecture.fix(kind, *projector.fixed(kind))
    tables = architecture.tables()
    total: Tensor = sum(weights.strengths().square().sum() for weights in tables.values())
    total.backward()
    assert architecture.alpha["normal"].grad is not None
    assert architecture.alpha["normal"].grad.count_nonzero() == 0
    edges = tables["normal"].edges
    assert edges is not None
    assert set(edges.tolist()) == {0.0, 1.0}


def test_the_cell_so_far_has_what_is_decided() -> None:
    architecture = Architecture(TOPOLOGY, generator=torch.Generator().manual_seed(0))
    architecture.selection = projector = Projection(interval=1).start(TOPOLOGY, DARTS)
    run(projector, architecture.mean_tables(), range(14))
    names = {name for node in architecture.derive("so far").normal for name, _ in node}
    assert names == {"sep_conv_3x3"}


def test_a_node_of_three_edges_that_keeps_one() -> None:
    space = replace(DARTS, name="one", kept=1)
    projector = Projection(interval=1).start(TOPOLOGY, space)
    run(projector, uniform(), range(projector.rule.further_epochs(TOPOLOGY, space)))
    assert projector.cells is not None
    assert all(len(node) == 1 for node in projector.cells["reduce"])


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="interval"):
        Projection(interval=0)
