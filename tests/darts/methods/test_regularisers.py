"""Regularisers of the architecture: golden vectors, formulas, restricted spaces."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.dirichlet import concentration
from darts.methods.regularisers import BetaDecay, DirichletKL, Entropy, Regulariser, ZeroOne
from darts.methods.relaxation import Progress, Sigmoid, Softmax
from genotypes.search_space import SearchSpace
from tests.darts.methods.vectors import golden

CLOSE = {"rtol": 1e-9, "atol": 1e-13}
ALL = [BetaDecay(), ZeroOne(), ZeroOne(norm="l1"), DirichletKL(), Entropy()]


def architecture_of(*tables: Tensor, progress: Progress = Progress(1, 2)) -> Architecture:  # noqa: B008
    """An architecture with these alphas, which have as many rows as they like."""
    names = tuple(f"operation{column}" for column in range(tables[0].shape[1]))
    kinds = ("normal", "reduce")[: len(tables)]
    one: dict[str, Any] = {"inputs": 1, "kept": None, "output": "last", "stack": "stages"}
    stack = one if len(kinds) == 1 else {}
    space = SearchSpace(name="test", operations=names, zero=None, kinds=kinds, **stack)
    made = Architecture(Topology(1), space=space, generator=torch.Generator()).double()
    for kind, table in zip(kinds, tables, strict=True):
        made.alpha[kind] = torch.nn.Parameter(table.clone())
    made.progress = progress
    return made


def gradients(made: Architecture, part: Regulariser) -> tuple[Tensor, Tensor]:
    value = part(made)
    return value, torch.cat(torch.autograd.grad(value, list(made.alpha.values())))


def test_beta_decay(shared: Path) -> None:
    given, expected = golden(shared, "beta_decay")
    made = architecture_of(given["alpha"], progress=Progress(given["epoch"], 100))
    value, gradient = gradients(made, BetaDecay())
    assert value.item() == pytest.approx(expected["lam"] * expected["regulariser"], rel=1e-9)
    torch.testing.assert_close(gradient, expected["grad_alpha"], **CLOSE)
    # Two kinds of cell: the mean over the rows of both.
    halves = architecture_of(given["alpha"][:2], given["alpha"][2:], progress=made.progress)
    torch.testing.assert_close(gradients(halves, BetaDecay())[1], gradient, **CLOSE)


def test_beta_decay_starts_at_0() -> None:
    made = architecture_of(torch.randn(3, 4).double(), progress=Progress(0, 50))
    assert BetaDecay()(made).item() == 0.0


def test_zero_one(shared: Path) -> None:
    given, expected = golden(shared, "fairdarts_zero_one")
    made = architecture_of(given["alpha"][:1], given["alpha"][1:])
    strength = given["w"]
    value, gradient = gradients(made, ZeroOne(strength))
    assert value.item() == pytest.approx(strength * expected["zero_one_l2"], rel=1e-9)
    torch.testing.assert_close(gradient, expected["grad_alpha_of_w_times_l2"], **CLOSE)
    absolute = ZeroOne(strength, "l1")(made).item()
    assert absolute == pytest.approx(strength * expected["zero_one_l1"], rel=1e-9)


def test_zero_one_has_no_gradient_at_a_half() -> None:
    made = architecture_of(torch.zeros(3, 7).double(), torch.zeros(3, 7).double())
    _, gradient = gradients(made, ZeroOne())
    assert gradient.abs().max() == 0.0


def test_divergence_from_the_uniform_dirichlet(shared: Path) -> None:
    given, expected = golden(shared, "drnas_concentration_and_kl")
    made = architecture_of(given["alpha"])
    value, gradient = gradients(made, DirichletKL(given["scale"]))
    assert value.item() == pytest.approx(expected["regulariser"], rel=1e-9)
    assert expected["kl_per_row"].sum().item() * given["scale"] == pytest.approx(value.item())
    torch.testing.assert_close(gradient, expected["grad_alpha"], **CLOSE)
    exact = kl_divergence(
        Dirichlet(concentration(given["alpha"])), Dirichlet(torch.ones(2, 5).double())
    )
    torch.testing.assert_close(exact, expected["kl_per_row"], **CLOSE)


def test_entropy_is_largest_for_equal_weights_and_grows_with_the_epoch() -> None:
    undecided, decided = torch.zeros(2, 4).double(), torch.tensor([[50.0, 0, 0, 0]] * 2).double()
    part = Entropy(strength=2.0)
    assert part(architecture_of(undecided)).item() == pytest.approx(2 * math.log(4))
    assert part(architecture_of(decided)).item() == pytest.approx(0.0, abs=1e-18)
    assert part(architecture_of(undecided, progress=Progress(0, 9))).item() == 0.0
    half = part(architecture_of(undecided, progress=Progress(4, 9))).item()
    assert half == pytest.approx(math.log(4))
    # One step against its gradient makes the largest weight larger.
    made = architecture_of(torch.tensor([[0.4, 0.1, 0.0, -0.2]] * 2).double())
    _, gradient = gradients(made, part)
    alpha = made.alpha["normal"].detach()
    assert ((alpha - 0.1 * gradient).softmax(1)[:, 0] > alpha.softmax(1)[:, 0]).all()


@pytest.mark.parametrize("part", ALL, ids=str)
def test_candidates_that_an_edge_does_not_have_play_no_part(part: Regulariser) -> None:
    """A restricted space gives the numbers of a space that never had these candidates."""
    names = ("a", "b", "c", "d")
    places = [(kind, source, 2) for kind in ("normal", "reduce") for source in (0, 1)]
    restricted = SearchSpace(
        name="restricted",
        operations=names,
        zero=None,
        restricted=dict.fromkeys(places, ("a", "c")),
    )
    narrow = SearchSpace(name="narrow", operations=("a", "c"), zero=None)
    generator = torch.Generator().manual_seed(4)
    wide, small = (
        Architecture(
            Topology(1),
            space=space,
            relaxation=Sigmoid() if isinstance(part, ZeroOne) else Softmax(False),
            generator=generator,
            initial=(0.0, 1.0),
        ).double()
        for space in (restricted, narrow)
    )
    for kind in wide.kinds:
        small.alpha[kind] = torch.nn.Parameter(wide.alpha[kind].detach()[:, [0, 2]].clone())
    wide.progress = small.progress = Progress(3, 5)
    value, gradient = gradients(wide, part)
    expected, narrow_gradient = gradients(small, part)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient[:, [0, 2]], narrow_gradient)
    assert gradient[:, [1, 3]].abs().max() == 0.0


@pytest.mark.parametrize("part", ALL, ids=str)
def test_single_precision_is_finite_at_extreme_alphas(part: Regulariser) -> None:
    made = architecture_of(torch.tensor([[-90.0, 80.0, 0.0], [-60.0, -60.0, -60.0]])).float()
    value, gradient = gradients(made, part)
    assert value.isfinite()
    assert gradient.isfinite().all()
