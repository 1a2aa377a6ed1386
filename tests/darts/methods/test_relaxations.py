"""Relaxations: the golden vectors, the formulas, and what each of them computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributions import Dirichlet as TorchDirichlet

from cells.topology import Topology
from darts.methods.dirichlet import Dirichlet, concentration, follow, renormalise
from darts.methods.paths import (
    BinaryPaths,
    UniformPath,
    binary_gates,
    keep_other_probabilities,
)
from darts.methods.relaxation import BaseRelaxation, Draw, Progress, Relaxation, Sigmoid, Softmax
from darts.methods.sampled import (
    GumbelSoftmax,
    HardGumbel,
    ReinMax,
    gumbel,
    reinmax,
    soft_sample,
    straight_through,
)
from tests.darts.methods.vectors import golden

CLOSE = {"rtol": 1e-9, "atol": 1e-13}
TOPOLOGY = Topology(2)
ALL = [
    Softmax(False),
    Sigmoid(),
    GumbelSoftmax(),
    HardGumbel(),
    ReinMax(),
    ReinMax(single_path=True),
    Dirichlet(),
    BinaryPaths(),
    BinaryPaths(mode="two"),
    UniformPath(),
    UniformPath(inputs=2),
]


START = Progress()


def draw(seed: int = 0, step: str = "architecture", progress: Progress = START) -> Draw:
    return Draw(progress, torch.Generator().manual_seed(seed), step)


def alphas(seed: int = 3, edges: int = 5, operations: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(edges, operations, generator=generator, dtype=torch.float64)


# Golden vectors.


def test_softmax_gradient(shared: Path) -> None:
    given, expected = golden(shared, "darts_mixture")
    alpha = given["alpha"].requires_grad_()
    weights = Softmax(False).expected(alpha, None, TOPOLOGY).operations
    torch.testing.assert_close(weights, expected["weights"], **CLOSE)
    (gradient,) = torch.autograd.grad((weights * given["s"]).sum(), alpha)
    torch.testing.assert_close(gradient, expected["grad_alpha"], **CLOSE)


def test_gdas(shared: Path) -> None:
    given, expected = golden(shared, "gdas_sampler")
    noise = gumbel((-given["expo"]).exp())
    torch.testing.assert_close(noise, expected["gumbel"], **CLOSE)
    alpha = given["alpha"].requires_grad_()
    soft = soft_sample(alpha.log_softmax(1), noise, given["tau"])
    torch.testing.assert_close(soft, expected["probs"], **CLOSE)
    sampled = straight_through(soft, None)
    assert sampled.operations.equal(expected["hard_forward"])
    assert sampled.active == tuple((int(k),) for k in expected["index"])
    (gradient,) = torch.autograd.grad((sampled.operations * given["coef"]).sum(), alpha)
    torch.testing.assert_close(gradient, expected["grad_alpha"], **CLOSE)


def test_gdas_with_the_chosen_operation_alone(shared: Path) -> None:
    given, expected = golden(shared, "gdas_two_gradient_conventions")
    alpha = given["alpha"].requires_grad_()
    soft = soft_sample(alpha.log_softmax(1), gumbel((-given["expo"]).exp()), given["tau"])
    sampled = straight_through(soft, None)
    # What a supernet hands back: a gradient for the computed operations only.
    computed = torch.zeros_like(alpha)
    for row, columns in enumerate(sampled.active or ()):
        for column in columns:
            computed[row, column] = given["up"][row] * given["op_output_sum"][row, column]
    (gradient,) = torch.autograd.grad(sampled.operations, alpha, computed.detach())
    torch.testing.assert_close(gradient, expected["grad_alpha_selected_only"], **CLOSE)


def test_snas(shared: Path) -> None:
    given, expected = golden(shared, "snas_sampler")
    alpha = given["alpha"].requires_grad_()
    weights = soft_sample(alpha, gumbel(given["u"]), given["lam"])
    torch.testing.assert_close(weights, expected["weights"], **CLOSE)
    (gradient,) = torch.autograd.grad((weights * given["coef"]).sum(), alpha)
    torch.testing.assert_close(gradient, expected["grad_alpha"], **CLOSE)


@pytest.mark.parametrize("name", ["reinmax_tau_1.0", "reinmax_tau_1.5"])
def test_reinmax(shared: Path, name: str) -> None:
    given, expected = golden(shared, name)
    alpha = given["logits"].view(1, -1).requires_grad_()
    hard = torch.zeros_like(alpha).index_fill_(1, torch.tensor([given["k"]]), 1.0)
    weights = reinmax(alpha, hard.detach(), given["tau"])
    assert weights.equal(hard)
    (gradient,) = torch.autograd.grad(weights, alpha, given["grad_sample"].view(1, -1))
    torch.testing.assert_close(gradient[0], expected["grad_logits"], **CLOSE)


def test_dirichlet(shared: Path) -> None:
    given, expected = golden(shared, "drnas_pathwise_gradient")
    alpha = given["alpha"].requires_grad_()
    concentrations = concentration(alpha)
    torch.testing.assert_close(concentrations, expected["concentration"], **CLOSE)
    weights = follow(concentrations, given["x"])
    (gradient,) = torch.autograd.grad((weights * given["coef"]).sum(), alpha)
    torch.testing.assert_close(gradient, expected["grad_alpha"], rtol=1e-6, atol=1e-9)


def test_dirichlet_after_pruning(shared: Path) -> None:
    given, expected = golden(shared, "drnas_prune_and_mask")
    mask = expected["mask"].bool()
    dropped = given["alpha"].masked_fill(~mask, -torch.inf)
    of_zero = concentration(given["alpha"].masked_fill(~mask, 0.0))
    assert concentration(dropped).equal(of_zero)
    weights = renormalise(given["x"], dropped.isfinite())
    torch.testing.assert_close(weights, expected["masked_weights"], **CLOSE)


def test_sigmoid(shared: Path) -> None:
    given, expected = golden(shared, "fairdarts_zero_one")
    weights = Sigmoid().expected(given["alpha"], None, Topology(1)).operations
    torch.testing.assert_close(weights, expected["weights"], **CLOSE)


def test_proxyless_full(shared: Path) -> None:
    given, expected = golden(shared, "proxyless_full")
    alpha = given["alpha"].view(1, -1).requires_grad_()
    weights = BinaryPaths().weights(alpha, None, Topology(1), draw())
    assert weights.active is None
    (gradient,) = torch.autograd.grad(weights.operations, alpha, given["gate_grad"].view(1, -1))
    torch.testing.assert_close(gradient[0], expected["grad_alpha"], **CLOSE)


def test_proxyless_two(shared: Path) -> None:
    given, expected = golden(shared, "proxyless_two")
    alpha = given["alpha"].view(1, -1)
    pair = torch.tensor([[given["active"], given["inactive"]]])
    leaf = alpha.clone().requires_grad_()
    gates = binary_gates(leaf.gather(1, pair), torch.tensor([[1.0, 0.0]]).double())
    upstream = given["gate_grad"].view(1, -1).gather(1, pair)
    (gradient,) = torch.autograd.grad(gates, leaf, upstream)
    torch.testing.assert_close(gradient[0], expected["grad_alpha"], **CLOSE)
    moved = alpha - given["step"] * gradient
    after = keep_other_probabilities(alpha, moved)
    torch.testing.assert_close(after[0], expected["alpha_after"], **CLOSE)
    torch.testing.assert_close(after.softmax(1)[0], expected["probs_after"], **CLOSE)
    others = [0, 2, 4]
    torch.testing.assert_close(after.softmax(1)[0, others], expected["probs_before"][others])


# What all relaxations have in common.


@pytest.mark.parametrize("relaxation", ALL, ids=str)
@pytest.mark.parametrize("step", ["architecture", "weights"])
def test_candidates_that_an_edge_does_not_have(relaxation: Relaxation, step: str) -> None:
    """They get the weight 0, are never computed, and no gradient becomes NaN."""
    excluded = torch.zeros(5, 4, dtype=torch.bool)
    excluded[0, 1:] = excluded[2, 0] = excluded[4, 3] = True
    leaf = alphas().requires_grad_()
    for seed in range(20):
        alpha = leaf.masked_fill(excluded, -torch.inf)
        weights = relaxation.weights(alpha, None, TOPOLOGY, draw(seed, step))
        assert (weights.operations[excluded] == 0).all()
        assert weights.operations.isfinite().all()
        for row, columns in enumerate(weights.active or ()):
            assert not excluded[row, list(columns)].any()
        if weights.operations.requires_grad:
            (gradient,) = torch.autograd.grad(weights.operations, leaf, torch.randn(5, 4).double())
            assert gradient.isfinite().all()
            assert (gradient[excluded] == 0).all()
    for fixed in (relaxation.expected, relaxation.evaluated):
        operations = fixed(alpha, None, TOPOLOGY).operations
        assert (operations[excluded] == 0).all()
        assert operations.isfinite().all()


@pytest.mark.parametrize("relaxation", ALL, ids=str)
def test_weights_are_drawn_from_the_given_generator_alone(relaxation: Relaxation) -> None:
    one = relaxation.weights(alphas(), None, TOPOLOGY, draw(1))
    torch.rand(1)  # The global generator has no part in it.
    again = relaxation.weights(alphas(), None, TOPOLOGY, draw(1))
    assert one.operations.equal(again.operations)
    assert one.active == again.active
    others = [relaxation.weights(alphas(), None, TOPOLOGY, draw(seed)) for seed in range(2, 8)]
    differs = any(not one.operations.equal(other.operations) for other in others)
    assert differs == relaxation.stochastic


@pytest.mark.parametrize("relaxation", ALL, ids=str)
def test_edge_normalisation_goes_with_every_relaxation(relaxation: BaseRelaxation) -> None:
    beta = torch.tensor([0.3, -0.2, 0.5, 0.1, -0.4], dtype=torch.float64, requires_grad=True)
    edges = relaxation.weights(alphas(), beta, TOPOLOGY, draw()).edges
    expected = Softmax().expected(alphas(), beta, TOPOLOGY).edges
    assert edges is not None
    assert expected is not None
    kept = edges != 0
    torch.testing.assert_close(edges[kept], expected[kept])
    torch.testing.assert_close(
        relaxation.log_strengths(alphas(), beta, TOPOLOGY),
        relaxation.expected(alphas(), beta, TOPOLOGY).strengths().log(),
    )


@pytest.mark.parametrize("relaxation", ALL, ids=str)
def test_single_precision_is_finite_at_extreme_alphas(relaxation: Relaxation) -> None:
    alpha = torch.tensor([[-90.0, 80.0, 0.0], [-60.0, -60.0, -60.0], [200.0, 0.0, -200.0]])
    alpha = alpha[[0, 1, 2, 0, 1]].requires_grad_()
    for epoch in (0, 9):
        for seed in range(10):
            given = draw(seed, progress=Progress(epoch, 10))
            weights = relaxation.weights(alpha, None, TOPOLOGY, given).operations
            assert weights.isfinite().all()
            if weights.requires_grad:
                (gradient,) = torch.autograd.grad(weights, alpha, torch.randn(5, 3))
                assert gradient.isfinite().all()


@pytest.mark.parametrize(
    "relaxation", [HardGumbel(), ReinMax(), BinaryPaths(), BinaryPaths(mode="two")], ids=str
)
def test_one_path_is_drawn_with_the_probabilities_of_softmax(relaxation: Relaxation) -> None:
    alpha = alphas(edges=5)
    given, total, draws = draw(7), torch.zeros(5, 4, dtype=torch.float64), 4000
    for _ in range(draws):
        weights = relaxation.weights(alpha, None, TOPOLOGY, given)
        assert sorted(weights.operations.sum(1).tolist()) == [1.0] * 5
        total += weights.operations
    expected = alpha.softmax(1)
    if relaxation == BinaryPaths(mode="two"):
        # An unordered pair {i, j} without replacement, then i with p_i / (p_i + p_j).
        p = expected
        both = (
            p.unsqueeze(2) * p.unsqueeze(1) * (1 / (1 - p.unsqueeze(2)) + 1 / (1 - p.unsqueeze(1)))
        )
        both = both * (1 - torch.eye(4))
        expected = (both * p.unsqueeze(2) / (p.unsqueeze(2) + p.unsqueeze(1))).sum(2)
    torch.testing.assert_close(total / draws, expected, rtol=0, atol=0.035)


# What is special about each of them.


def test_what_is_computed_in_each_step() -> None:
    def computed(relaxation: Relaxation, step: str) -> list[int] | None:
        active = relaxation.weights(alphas(), None, TOPOLOGY, draw(5, step)).active
        return None if active is None else [len(row) for row in active]

    one, two = [1] * 5, [2] * 5
    for relaxation, architecture, weights in (
        (Softmax(), None, None),
        (GumbelSoftmax(), None, None),
        (Dirichlet(), None, None),
        (Sigmoid(), None, None),
        (HardGumbel(), one, one),
        (ReinMax(), None, one),
        (ReinMax(single_path=True), one, one),
        (BinaryPaths(), None, one),
        (BinaryPaths(mode="two"), two, one),
        (UniformPath(), one, one),
    ):
        assert computed(relaxation, "architecture") == architecture
        assert computed(relaxation, "weights") == weights


def test_random_search_keeps_two_different_inputs_of_each_node() -> None:
    seen = set()
    given = draw()
    for _ in range(200):
        weights = UniformPath(inputs=2).weights(alphas(edges=9), None, Topology(3), given)
        active, edges = weights.active, weights.edges
        assert active is not None
        assert edges is not None
        for start, stop in ((0, 2), (2, 5), (5, 9)):
            assert sum(len(row) for row in active[start:stop]) == 2
            assert edges[start:stop].sum() == 2
        assert weights.operations.sum() == 6
        seen.add(tuple(edge for edge in range(5, 9) if active[edge]))
    assert len(seen) == 6  # All pairs of the last node's four inputs.


def test_temperatures_follow_the_epoch() -> None:
    """GDAS: 10 in the first epoch, 0.1 in the last one. The gradient is divided by it."""
    alpha = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    for epoch, temperature in ((0, 10.0), (50, 5.05), (100, 0.1)):
        progress = Progress(epoch, 101)
        sampled = HardGumbel().weights(alpha, None, Topology(1), draw(2, progress=progress))
        noise = gumbel(torch.rand(1, 2, generator=draw(2).generator, dtype=torch.float64))
        p = (noise / temperature).softmax(1)
        (gradient,) = torch.autograd.grad(sampled.operations[0, 0], alpha)
        torch.testing.assert_close(gradient[0, 0], p[0, 0] * p[0, 1] / temperature)
    assert Progress(0, 150).between(1.0, 1.0) == Progress(149, 150).between(1.0, 1.0) == 1.0


def test_low_temperatures_make_gumbel_softmax_nearly_one_hot() -> None:
    warm = GumbelSoftmax(temperature=1e-3, final_temperature=1e-3)
    weights = warm.weights(alphas(), None, TOPOLOGY, draw()).operations
    torch.testing.assert_close(weights.max(1).values, torch.ones(5, dtype=torch.float64))


def test_dirichlet_samples_have_the_moments_of_torchs() -> None:
    alpha, given, draws = alphas(edges=5), draw(), 4000
    samples = torch.stack(
        [Dirichlet().weights(alpha, None, TOPOLOGY, given).operations for _ in range(draws)]
    )
    exact = TorchDirichlet(concentration(alpha))
    torch.testing.assert_close(samples.mean(0), exact.mean, rtol=0, atol=0.02)
    torch.testing.assert_close(samples.var(0), exact.variance, rtol=0, atol=0.01)
    evaluated = Dirichlet().evaluated(alpha, None, TOPOLOGY).operations
    torch.testing.assert_close(evaluated, exact.mean)


def test_the_pathwise_gradient_of_a_mean_is_the_gradient_of_the_mean() -> None:
    """d E[x0²] / d alpha, by many samples and in closed form."""
    alpha = torch.tensor([[0.4, -0.3, 0.9]], dtype=torch.float64, requires_grad=True)
    given, total, draws = draw(), torch.zeros(1, 3, dtype=torch.float64), 4000
    for _ in range(draws):
        weights = Dirichlet().weights(alpha, None, Topology(1), given).operations
        total += torch.autograd.grad(weights[0, 0] ** 2, alpha)[0] / draws
    c = concentration(alpha)[0]
    mean_square = c[0] * (c[0] + 1) / (c.sum() * (c.sum() + 1))
    (exact,) = torch.autograd.grad(mean_square, alpha)
    torch.testing.assert_close(total, exact, rtol=0, atol=0.01)


def test_reinmax_with_one_path_differs_from_all_operations_in_the_gradient_only() -> None:
    alpha = alphas().requires_grad_()
    full = ReinMax().weights(alpha, None, TOPOLOGY, draw(3))
    short = ReinMax(single_path=True).weights(alpha, None, TOPOLOGY, draw(3))
    assert full.operations.equal(short.operations)


def test_reinmax_refuses_a_temperature_below_1() -> None:
    with pytest.raises(ValueError, match=r"at least 1, not 0\.5"):
        ReinMax(temperature=0.5)


def test_sigmoid_weights_do_not_compete() -> None:
    alpha = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    weights = Sigmoid().expected(alpha, None, Topology(1)).operations
    (gradient,) = torch.autograd.grad(weights[0, 0], alpha)
    assert gradient.tolist() == [[0.25, 0.0, 0.0]]


def test_rows_that_did_not_move_stay_as_they_are() -> None:
    before = alphas()
    after = before.clone()
    after[1, [0, 2]] += torch.tensor([0.5, -0.25]).double()
    result = keep_other_probabilities(before, after)
    assert result[[0, 2, 3, 4]].equal(before[[0, 2, 3, 4]])
    torch.testing.assert_close(result.softmax(1)[1, [1, 3]], before.softmax(1)[1, [1, 3]])
    # Every alpha of a row moved: the shift changes no probability.
    everything = keep_other_probabilities(before, before + after.flip(0))
    torch.testing.assert_close(everything.softmax(1), (before + after.flip(0)).softmax(1))
