"""What methods change in the steps of an iteration, on small supernets."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cells.stacked import stacked_operations
from cells.topology import EdgeWeights, Topology
from darts.methods.architecture import Architecture
from darts.methods.gradient import Bilevel, FirstOrder, LabelledBatch
from darts.methods.paths import BinaryPaths, UniformPath
from darts.methods.perturbation import AdversarialPerturbation, Perturbation, RandomPerturbation
from darts.methods.regularisers import ZeroOne
from darts.methods.relaxation import Progress, Relaxation, Sigmoid, Softmax
from darts.methods.sampled import GumbelSoftmax, HardGumbel, ReinMax
from darts.searching.steps import (
    ArchitectureStep,
    BilevelIteration,
    JointIteration,
    JointStep,
    Turns,
    WeightStep,
    WeightTerms,
)
from darts.searching.supernet import Supernet
from genotypes.search_space import DARTS
from ops.initialise import initialise


def made(relaxation: Relaxation = Softmax(False), *, parts: int = 1, seed: int = 1) -> Bilevel:
    generator = torch.Generator().manual_seed(seed)
    architecture = Architecture(
        Topology(2),
        relaxation=relaxation,
        generator=generator,
        noise=torch.Generator().manual_seed(5),
        initial=(0.0, 0.5),
    ).double()
    architecture.progress = Progress(3, 10)
    net = Supernet(Topology(2), DARTS.operations, channels=4, layers=3, k=1, backend="torch")
    initialise(net.double(), generator)
    sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=3e-3)
    return Bilevel(
        net, architecture, sgd, nn.functional.cross_entropy, parts=parts, cells=net.kinds
    )


def batch(seed: int) -> LabelledBatch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64)
    return LabelledBatch(images, torch.randint(10, (4,), generator=generator))


def adam(problem: Bilevel, lr: float = 0.01) -> torch.optim.Adam:
    return torch.optim.Adam(problem.architecture.parameters(), lr=lr, betas=(0.0, 0.999))


def weight_step(problem: Bilevel, **terms: object) -> WeightStep:
    operations = stacked_operations(list(problem.supernet.cells))  # type: ignore[arg-type]
    return WeightStep(problem, 5.0, operations=operations, terms=WeightTerms(**terms))  # type: ignore[arg-type]


def copies(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize(
    "perturbation", [RandomPerturbation(), AdversarialPerturbation(steps=2)], ids=str
)
def test_perturbations_leave_alpha_statistics_and_mode_alone(perturbation: Perturbation) -> None:
    problem, generator = made(), torch.Generator().manual_seed(3)
    alphas, net = copies(problem.architecture), copies(problem.supernet)
    tables = problem.architecture.fixed_tables()
    perturbed = perturbation(problem, tables, batch(0), Progress(), generator)
    assert not perturbed["normal"].operations.equal(tables["normal"].operations)
    assert all(value.equal(net[name]) for name, value in problem.supernet.state_dict().items())
    assert problem.supernet.training
    weight_step(problem, perturbation=perturbation, generator=generator)(batch(1))
    for name, value in problem.architecture.state_dict().items():
        assert value.equal(alphas[name])
    assert all(parameter.grad is None for parameter in problem.architecture.parameters())


def test_the_perturbed_step_is_the_plain_step_at_other_tables() -> None:
    problem, twin = made(), made()
    generator = torch.Generator().manual_seed(3)
    weight_step(problem, perturbation=RandomPerturbation(), generator=generator)(batch(1))
    tables = RandomPerturbation()(
        twin, twin.architecture.fixed_tables(), batch(1), Progress(3, 10), generator.manual_seed(3)
    )
    twin.architecture.fixed_tables = lambda: tables  # type: ignore[method-assign]
    weight_step(twin)(batch(1))
    for ours, theirs in zip(problem.supernet.parameters(), twin.supernet.parameters(), strict=True):
        assert ours.equal(theirs)


@pytest.mark.parametrize("parts", [1, 2])
def test_an_attack_in_parts_is_the_attack_on_the_batch(parts: int) -> None:
    """In evaluation mode, samples do not depend on each other."""
    whole, parted = made(), made(parts=parts)
    found = [
        AdversarialPerturbation(steps=3)(
            problem,
            problem.architecture.fixed_tables(),
            batch(0),
            Progress(),
            torch.Generator().manual_seed(0),
        )["reduce"].operations
        for problem in (whole, parted)
    ]
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "relaxation", [HardGumbel(), ReinMax(), BinaryPaths(), UniformPath(inputs=2)], ids=str
)
def test_operations_that_are_not_sampled_keep_weights_and_momentum(relaxation: Relaxation) -> None:
    problem = made(relaxation)
    step = weight_step(problem)
    for seed in range(6):  # So that there is momentum.
        step(batch(seed))
    optimiser, drawn = problem.weight_optimiser, problem.architecture.fixed_tables()
    problem.architecture.fixed_tables = lambda: drawn  # type: ignore[method-assign]
    before = {
        parameter: (parameter.detach().clone(), momentum.clone())
        for parameter in problem.supernet.parameters()
        if (momentum := optimiser.state[parameter].get("momentum_buffer")) is not None
    }
    step(batch(9))
    moved = stayed = 0
    for operation in step.sgd.operations:
        active = operation.active(drawn[problem.cells[operation.cell]])
        for parameter in operation.parameters:
            if parameter not in before:
                continue
            pairs = zip(
                before[parameter],
                (parameter.detach(), optimiser.state[parameter]["momentum_buffer"]),
                strict=True,
            )
            for old, new in pairs:
                same = (operation.by_edge(old) == operation.by_edge(new)).flatten(1)
                for takes_part, row in zip(active, same, strict=True):
                    assert not row.any() if takes_part else row.all()
                    moved, stayed = moved + takes_part, stayed + (not takes_part)
    assert moved
    assert stayed


def test_the_weights_or_the_architecture_move_first() -> None:
    outcomes = {}
    for order in ("architecture-first", "weights-first"):
        problem = made()
        step = ArchitectureStep(problem, adam(problem))
        iteration = BilevelIteration(step, weight_step(problem), order)  # type: ignore[arg-type]
        outcomes[order] = iteration(batch(0), batch(1))
    first, second = outcomes["architecture-first"], outcomes["weights-first"]
    problem = made()
    plain, _ = FirstOrder()(problem, batch(1), batch(0))
    assert first["architecture_loss"].equal(plain.loss)
    assert not second["architecture_loss"].equal(plain.loss)
    alone = weight_step(made())(batch(0))
    assert second["loss"].equal(alone.loss)


def test_two_paths_change_no_other_probability() -> None:
    problem = made(BinaryPaths(mode="two"))
    step = ArchitectureStep(
        problem, adam(problem), after_step=problem.architecture.relaxation.after_step
    )
    before = {kind: one.detach().clone() for kind, one in problem.architecture.alpha.items()}
    step(batch(0), batch(1))
    for kind, alpha in problem.architecture.alpha.items():
        moved = alpha != before[kind]
        assert (moved.sum(1) <= 2).all()
        assert moved.any()
        old, new = before[kind].softmax(1), alpha.softmax(1)
        torch.testing.assert_close(new[~moved], old[~moved], rtol=1e-12, atol=0)


def test_sigmoids_at_a_half_follow_the_loss_alone() -> None:
    """FairDARTS starts at alpha = 0, where its penalty has no gradient."""
    moved = []
    for regularisers in ((), (ZeroOne(),)):
        problem = made(Sigmoid())
        with torch.no_grad():
            for alpha in problem.architecture.alpha.values():
                alpha.zero_()
        optimiser = torch.optim.SGD(problem.architecture.parameters(), lr=0.1)
        ArchitectureStep(problem, optimiser, regularisers=regularisers)(batch(0), batch(1))
        moved.append([one.detach().clone() for one in problem.architecture.parameters()])
    assert all(one.equal(other) for one, other in zip(*moved, strict=True))
    assert all(one.abs().max() > 0 for one in moved[0])


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize(
    "relaxation", [Softmax(True), GumbelSoftmax(), HardGumbel(), Sigmoid()], ids=str
)
def test_one_step_on_everything(relaxation: Relaxation, parts: int) -> None:
    """It moves the weights as the weight step does, and alpha as the first order on that batch."""
    joint, first, second = (made(relaxation, parts=parts) for _ in range(3))
    for problem in (joint, first, second):
        problem.supernet.eval()  # Statistics do not depend on the parts.
    step = JointStep(weight_step(joint), ArchitectureStep(joint, adam(joint), clip=10.0))
    tables = joint.architecture.tables()
    joint.architecture.tables = lambda: tables  # type: ignore[method-assign]
    outcome = step(batch(0))
    fixed = {kind: table.detach() for kind, table in tables.items()}
    first.architecture.fixed_tables = lambda: fixed  # type: ignore[method-assign]
    expected = weight_step(first)(batch(0))
    torch.testing.assert_close(outcome, expected)
    for ours, theirs in zip(joint.supernet.parameters(), first.supernet.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    if parts == 1:  # With parts, the bilevel step draws for each part.
        bilevel = ArchitectureStep(second, adam(second), clip=10.0)
        bilevel(batch(0), batch(0))
        for ours, theirs in zip(
            joint.architecture.parameters(), second.architecture.parameters(), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_a_single_level_iteration_trains_the_weights_alone_in_warm_up() -> None:
    problem = made(GumbelSoftmax())
    iteration = JointIteration(
        JointStep(weight_step(problem), ArchitectureStep(problem, adam(problem)))
    )
    before = copies(problem.architecture)
    assert set(iteration(batch(0))) == {"loss", "accuracy"}
    now = problem.architecture.state_dict()
    assert all(value.equal(before[name]) for name, value in now.items())
    iteration(batch(0), batch(0))
    assert not any(value.equal(before[name]) for name, value in now.items())


def test_turns_continue_where_they_were() -> None:
    turns, other = Turns(5), Turns(5)
    found = [turns.next() for _ in range(7)]
    other.load_state_dict(turns.state_dict())
    assert [turns.next() for _ in range(8)] == [other.next() for _ in range(8)]
    assert [index for index, turn in enumerate(found) if turn] == [4]
    assert all(Turns().next() for _ in range(3))


def test_gdas_computes_one_operation_per_edge() -> None:
    """Forward, the multiply-adds of the chosen operations alone; with the backward pass, few."""
    problem = made(HardGumbel())

    def work(tables: dict[str, EdgeWeights], *, backward: bool = False) -> int:
        with FlopCounterMode(display=False) as counter:
            loss = problem.supernet(batch(0).images, tables).sum()
            if backward:
                loss.backward()
        return counter.get_total_flops()

    sampled = problem.architecture.fixed_tables()

    def only(kind: str, row: int) -> dict[str, EdgeWeights]:
        """The tables with nothing but the operation of one edge of one kind of cell."""
        nothing = {
            name: table._replace(active=((),) * len(table.operations))
            for name, table in sampled.items()
        }
        active = sampled[kind].active
        assert active is not None
        alone = tuple(columns if at == row else () for at, columns in enumerate(active))
        return {**nothing, kind: sampled[kind]._replace(active=alone)}

    edges = problem.architecture.topology.edges
    frame = work(only("normal", len(edges)))
    parts = [work(only(kind, edge.index)) - frame for kind in sampled for edge in edges]
    assert work(sampled) == frame + sum(parts)
    everything = {kind: table._replace(active=None) for kind, table in sampled.items()}
    for backward in (False, True):
        frame = work(only("normal", len(edges)), backward=backward)
        ours, all_of_them = (work(one, backward=backward) for one in (sampled, everything))
        assert ours - frame < (all_of_them - frame) / 3
