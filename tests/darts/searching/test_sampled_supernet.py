"""Supernets that compute only some operations of an edge, drop paths or skips, or draw noise.

All are compared with the literal form.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from cells.topology import EdgeWeights, Topology
from darts.searching.supernet import Supernet
from genotypes import SPACES
from genotypes.search_space import DARTS, SearchSpace
from ops import primitives
from ops.fused import branches
from ops.native import build, kernels
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


@pytest.fixture(params=["torch", "native"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    if name == "native":
        try:
            kernels.prepare_kernels([], torch.float64)
        except build.BuildError as error:
            pytest.skip(str(error))
        # Only double precision is used, so the kernels for float need not be compiled.
        monkeypatch.setattr(torch, "get_default_dtype", lambda: torch.float64)
    return name


VARIANTS = (
    {"k": 1},
    {"k": 2, "edge_normalisation": False},
    {"k": 4, "sampling": "random"},
)


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
@pytest.mark.parametrize("change", CHANGES)
def test_equals_the_literal_form_of_the_active_operations(
    change: Callable, settings: dict, backend: str
) -> None:
    Twins(**{"nodes": 3, **settings}, backend=backend, change=change).assert_equal()


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
@pytest.mark.parametrize("space", [SPACES["s3"], mixed_space()], ids=lambda space: space.name)
def test_equals_the_literal_form_of_other_spaces(
    space: SearchSpace, settings: dict, backend: str
) -> None:
    Twins(**{"nodes": 3, **settings}, space=space, backend=backend).assert_equal()


def test_equals_the_literal_form_of_everything_at_once(backend: str) -> None:
    """Candidates by edge, active operations and drop path."""
    twins = Twins(
        k=2,
        nodes=3,
        space=mixed_space(),
        backend=backend,
        change=lambda weights: kept(some(weights)),
    )
    twins.assert_equal()


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


def test_noise_equals_the_literal_form(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same numbers for every edge, since both forms draw them in another order."""

    def drawn(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        return torch.linspace(-1, 1, shape.numel(), dtype=torch.float64).view(shape).sin()

    monkeypatch.setattr(primitives, "draw_normal", drawn)
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


def kept(weights: EdgeWeights) -> EdgeWeights:
    """Factors of 0 and others for three images; sparse operations as well on some edges."""
    edges = len(weights.operations)
    keep = torch.arange(3.0 * edges, dtype=torch.float64).view(edges, 3) % 4
    return weights._replace(keep=keep / 2)


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_drop_path_equals_the_literal_form(settings: dict, backend: str) -> None:
    Twins(**{"nodes": 3, **settings}, backend=backend, change=kept).assert_equal()


def test_the_supernet_draws_drop_path_for_each_cell_in_training() -> None:
    twins = Twins(k=2, nodes=3)
    net, images = twins.fused, twins.images
    net.drop_path, tables = 0.5, twins.tables(twins.architectures[0])
    with pytest.raises(ValueError, match="generator"):
        net(images, tables)
    draws = []
    for seed in (1, 1, 2):
        net.generator = torch.Generator().manual_seed(seed)
        weights = net.weights_of(tables, images)
        draws.append([one.keep for one in weights])
        net.generator = torch.Generator().manual_seed(seed)
        copied = [one._replace(keep=keep) for one, keep in zip(weights, draws[-1], strict=True)]
        drawn = net(images, tables)
        net.drop_path = 0.0
        torch.testing.assert_close(net(images, copied), drawn)
        net.drop_path = 0.5
    first, again, other = draws
    assert all(one.equal(two) for one, two in zip(first, again, strict=True))
    assert not first[0].equal(other[0])
    assert not first[0].equal(first[2])
    assert set(torch.cat(first).unique().tolist()) == {0.0, 2.0}
    net.eval()
    assert all(one.keep is None for one in net.weights_of(tables, images))


@pytest.mark.parametrize("change", [lambda weights: weights, one_path])
def test_the_auxiliary_skip_equals_the_literal_form(change: Callable, backend: str) -> None:
    twins = Twins(k=2, nodes=3, backend=backend, change=change, auxiliary=lambda progress: 0.7)
    assert "auxiliary_skip" in twins.fused.cells[1].fan_outs[0].rectified
    twins.assert_equal()


@pytest.mark.parametrize("auxiliary", [None, lambda progress: 0.7], ids=["", "auxiliary"])
def test_dropout_on_skips(
    auxiliary: Callable | None, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same mask for every edge; only candidates with stride 1 are dropped."""

    def mask(shape: torch.Size) -> torch.Tensor:
        pattern = (torch.arange(shape[1:].numel(), dtype=torch.float64) * 0.7).sin() > 0
        return 2.0 * pattern.view(shape[1:]).expand(shape)

    def dropout(x: torch.Tensor, rate: float, generator: torch.Generator) -> torch.Tensor:
        assert rate == 0.5
        pieces = x.split(4, dim=1)  # C/K of the first cell, whose edges share the mask
        if x.shape[-1] < 8:
            return x * 3.0
        return torch.cat([piece * mask(piece.shape) for piece in pieces], dim=1)

    class Dropped(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return dropout(x, 0.5, torch.Generator())

    monkeypatch.setattr(branches, "dropout", dropout)
    twins = Twins(k=2, nodes=3, backend=backend, auxiliary=auxiliary)
    twins.fused.drop_skips(0.5)
    column = DARTS.operations.index("skip_connect")
    for cell in twins.literal.cells:
        for edge in cell.edges:
            if edge.stride == 1:
                edge.operations[column] = Dropped()
    twins.assert_equal()
    for net in (twins.fused, twins.literal):
        net.eval()
    assert not any(cell.dropping for cell in twins.fused.cells)


@pytest.mark.parametrize("recompute", [False, True])
def test_dropout_comes_from_the_generator_of_the_supernet(recompute: bool) -> None:
    twins = Twins(k=2, nodes=3)
    twins.fused.recompute = recompute
    twins.fused.drop_skips(0.5)
    gradients = []
    for seed in (1, 2, 1):
        twins.fused.generator = torch.Generator().manual_seed(seed)
        twins.fused.zero_grad()
        logits = twins.fused(twins.images, twins.tables(twins.architectures[0]))
        logits.square().sum().backward()
        gradients.append(next(twins.fused.parameters()).grad)
    assert not gradients[0].equal(gradients[1])
    assert gradients[0].equal(gradients[2])


def test_earlier_dropout_does_not_decide_what_the_kernels_compute() -> None:
    """A resumed search, whose first pass may be without dropout, has the bits of a whole one."""
    outputs = []
    for rates in ((0.5, 0.0), (0.0,)):
        twins = Twins(k=2, nodes=3, backend="native")
        tables = twins.tables(twins.architectures[0])
        twins.fused.generator = torch.Generator().manual_seed(0)
        for rate in rates:
            twins.fused.drop_skips(rate)
            with torch.no_grad():
                found = twins.fused(twins.images, tables)
        outputs.append(found)
        [engine] = [twins.fused.engine]
        sources = [one for cell in twins.fused.cells for one in engine._sources_of(cell)]
        assert all(source.complete for source in sources if source.fan_out.stride == 1)
    assert outputs[0].equal(outputs[1])


def test_an_engine_says_once_what_it_computes_in_pytorch(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    twins = Twins(k=2, nodes=3, backend=backend, change=kept)
    with caplog.at_level(logging.INFO, "cells.engines"):
        for _ in range(2):
            twins.step()
    told = ["The back end native computes in PyTorch: drop path on edges."]
    assert [record.message for record in caplog.records] == (told if backend == "native" else [])
