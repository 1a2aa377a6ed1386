"""Supernets that compute only some operations of an edge, compared with the literal form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from cells.topology import EdgeWeights, Topology
from darts.searching.supernet import Supernet
from genotypes import SPACES
from genotypes.search_space import DARTS, SearchSpace
from ops import primitives
from tests.darts.searching.test_supernet import Twins


def one_path(weights: EdgeWeights) -> EdgeWeights:
    """Operation 5e + 3 of edge e, modulo the number of operations."""
    edges, operations = weights.operations.shape
    return weights._replace(active=tuple(((5 * edge + 3) % operations,) for edge in range(edges)))


def some(weights: EdgeWeights) -> EdgeWeights:
    """None to three operations, depending on the edge."""
    edges, operations = weights.operations.shape
    columns = [
        tuple(o for o in range(operations) if (7 * e + 3 * o) % 8 < e % 4) for e in range(edges)
    ]
    return weights._replace(active=tuple(columns))


def without_convolutions(weights: EdgeWeights) -> EdgeWeights:
    return weights._replace(active=((0,), (2, 3)) * 4 + ((1,),))


CHANGES = (one_path, some, without_convolutions)


def mixed_space(nodes: int = 3) -> SearchSpace:
    """A space whose edges have different candidates."""
    names = DARTS.operations
    places = [(s, t) for t in range(2, 2 + nodes) for s in range(t)]
    restricted = {}
    for kind, shift in (("normal", 0), ("reduce", 3)):
        for number, (source, target) in enumerate(places):
            some = [(shift + number * step) % 7 + 1 for step in (1, 2, 4)]
            restricted[kind, source, target] = tuple(
                name for column, name in enumerate(names) if column in some
            )
    return replace(DARTS, name="mixed", restricted=restricted)


VARIANTS = (
    {"k": 1},
    {"k": 2, "edge_normalisation": False},
    {"k": 4, "sampling": "random"},
)


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
@pytest.mark.parametrize("change", CHANGES)
def test_equals_the_literal_form_of_the_active_operations(change: Callable, settings: dict) -> None:
    Twins(**{"nodes": 3, **settings}, change=change).assert_equal()


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
@pytest.mark.parametrize("space", [SPACES["s3"], mixed_space()], ids=lambda space: space.name)
def test_equals_the_literal_form_of_other_spaces(space: SearchSpace, settings: dict) -> None:
    Twins(**{"nodes": 3, **settings}, space=space).assert_equal()


def test_equals_the_literal_form_of_both() -> None:
    Twins(k=2, nodes=3, space=mixed_space(), change=some).assert_equal()


@pytest.mark.parametrize(
    ("space", "parameters"),
    [("s1", 405_146), ("s2", 665_466), ("s3", 665_466), ("s4", 624_506), ("darts", 1_930_618)],
)
def test_published_numbers_of_parameters(space: str, parameters: int) -> None:
    """RobustDARTS (arXiv 1909.09656): the authors' log of S1 prints 0.405146MB."""
    found = SPACES[space]
    with torch.device("meta"):
        net = Supernet(
            Topology(4), found.operations, candidates=found.candidates, k=1, backend="torch"
        )
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


@pytest.mark.parametrize("backend", ["torch", "native"])
def test_noise_equals_the_literal_form(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same numbers for every edge, since both forms draw them in another order."""

    def drawn(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        return torch.linspace(-1, 1, shape.numel(), dtype=torch.float64).view(shape).sin()

    monkeypatch.setattr(primitives, "draw_normal", drawn)
    monkeypatch.setattr(torch, "get_default_dtype", lambda: torch.float64)  # For the kernels.
    Twins(k=2, nodes=3, space=SPACES["s4"], backend=backend).assert_equal()


@pytest.mark.parametrize("recompute", [False, True])
def test_noise_comes_from_the_generator_of_the_supernet(recompute: bool) -> None:
    twins = Twins(k=2, nodes=3, space=SPACES["s4"])
    twins.fused.recompute = recompute
    results = []
    for seed in (1, 2, 1):
        twins.fused.generator = torch.Generator().manual_seed(seed)
        twins.fused.zero_grad()
        logits = twins.fused(twins.images, twins.tables(twins.architectures[0]))
        logits.square().sum().backward()
        results.append((logits, next(twins.fused.parameters()).grad))
    assert not results[0][0].equal(results[1][0])
    assert all(one.equal(two) for one, two in zip(results[0], results[2], strict=True))
