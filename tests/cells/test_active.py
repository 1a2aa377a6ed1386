"""What is not active is not computed; what is active is computed as if everything were."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cells.stacked import stacked_operations
from cells.topology import EdgeWeights, Topology
from darts.searching.supernet import Supernet
from genotypes.search_space import DARTS
from ops.initialise import initialise

TOPOLOGY, COLUMNS, KINDS = Topology(3), len(DARTS.operations), ("normal", "reduce")
BACKENDS = ("torch", "native")
Active = tuple[tuple[int, ...], ...]


def supernet(backend: str, k: int, operations: Sequence[str] = DARTS.operations) -> Supernet:
    made = Supernet(TOPOLOGY, operations, channels=8, layers=3, k=k, backend=backend)
    initialise(made, torch.Generator().manual_seed(0))
    return made.double().to(memory_format=torch.channels_last)


def images() -> Tensor:
    made = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    return made.contiguous(memory_format=torch.channels_last)


def draw_active(size: int, seed: int) -> dict[str, Active]:
    """For each kind and edge `size` different columns."""
    generator = torch.Generator().manual_seed(seed)
    return {
        kind: tuple(
            tuple(sorted(torch.randperm(COLUMNS, generator=generator)[:size].tolist()))
            for _ in TOPOLOGY.edges
        )
        for kind in KINDS
    }


def leaves(active: dict[str, Active], seed: int = 2) -> dict[str, tuple[Tensor, Tensor]]:
    """Weights that are 0 where nothing is active, and weights of the edges."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for kind in KINDS:
        operations = torch.rand(len(active[kind]), COLUMNS, generator=generator).double()
        for row, columns in zip(operations, active[kind], strict=True):
            row[[column for column in range(COLUMNS) if column not in columns]] = 0
        edges = torch.rand(len(operations), generator=generator).double()
        made[kind] = (operations.requires_grad_(), edges.requires_grad_())
    return made


def evaluate(
    net: Supernet, weights: dict[str, tuple[Tensor, Tensor]], active: dict[str, Active] | None
) -> Tensor:
    tables = {
        kind: EdgeWeights(*pair, None if active is None else active[kind])
        for kind, pair in weights.items()
    }
    logits = net(images(), tables)
    logits.square().sum().backward()
    return logits


@pytest.mark.parametrize("size", [0, 1, 2, 5])
@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("backend", BACKENDS)
def test_active_operations_are_computed_as_in_the_full_mixture(
    backend: str, k: int, size: int
) -> None:
    if size == 0 and k == 1:
        pytest.skip("All nodes would be 0.")
    active = draw_active(size, seed=size)
    full, sparse = supernet("torch", k), supernet(backend, k)
    theirs, ours = leaves(active), leaves(active)
    torch.testing.assert_close(
        evaluate(sparse, ours, active), evaluate(full, theirs, None), rtol=1e-9, atol=1e-9
    )
    for (name, one), other in zip(sparse.named_parameters(), full.parameters(), strict=True):
        found = torch.zeros_like(one) if one.grad is None else one.grad
        torch.testing.assert_close(found, other.grad, rtol=1e-9, atol=1e-9, msg=name)
    for kind in KINDS:
        chosen = torch.zeros(len(active[kind]), COLUMNS, dtype=torch.bool)
        for row, columns in zip(chosen, active[kind], strict=True):
            row[list(columns)] = True
        found, wanted = ours[kind][0].grad, theirs[kind][0].grad
        if found is None:
            assert size == 0
            continue
        assert wanted is not None
        torch.testing.assert_close(found[chosen], wanted[chosen], rtol=1e-9, atol=1e-9)
        assert not found[~chosen].any()
    for kind in KINDS:
        torch.testing.assert_close(ours[kind][1].grad, theirs[kind][1].grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_statistics_of_what_is_not_active_stay(backend: str) -> None:
    active = draw_active(1, seed=3)
    full, sparse = supernet("torch", 4), supernet(backend, 4)
    before = copy.deepcopy(sparse)
    evaluate(full, leaves(active), None)
    evaluate(sparse, leaves(active), active)
    for cell, other, old in zip(sparse.cells, full.cells, before.cells, strict=True):
        for source, theirs, earlier in zip(cell.sources, other.sources, old.sources, strict=True):
            rows = [active[cell.place.kind][row] for row in source.rows]
            for name, form in source.fan_out.rectified.items():
                column = source.fan_out.columns[name]
                for buffer, found in form.named_buffers():
                    wanted = dict(theirs.fan_out.rectified[name].named_buffers())[buffer]
                    kept = dict(earlier.fan_out.rectified[name].named_buffers())[buffer]
                    parts = (one.chunk(len(rows)) for one in (found, wanted, kept))
                    for columns, new, computed, stale in zip(rows, *parts, strict=True):
                        expected = computed if column in columns else stale
                        torch.testing.assert_close(new, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_not_active_gets_no_gradient_and_everything_else_does(backend: str) -> None:
    active = draw_active(1, seed=4)
    net = supernet(backend, 4)
    evaluate(net, leaves(active), active)
    for operation in stacked_operations(list(net.cells)):
        taking_part = operation.active(
            EdgeWeights(torch.empty(0), None, active[net.kinds[operation.cell]])
        )
        for parameter in operation.parameters:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            learned = operation.by_edge(gradient).flatten(1).abs().sum(1).gt(0)
            assert tuple(learned.tolist()) == taking_part


def test_only_active_convolutions_run(monkeypatch: pytest.MonkeyPatch) -> None:
    net = supernet("torch", 1)
    one_skip = tuple((DARTS.operations.index("skip_connect"),) for _ in TOPOLOGY.edges)
    computed = []
    for cell in net.cells:
        for form in cell.modules():
            if isinstance(form, nn.Module) and type(form).__name__ == "SeparableFan":
                form.register_forward_hook(lambda *call: computed.append(call))
    evaluate(net, leaves(dict.fromkeys(KINDS, one_skip)), dict.fromkeys(KINDS, one_skip))
    assert not computed


RESTRICTED = replace(
    DARTS,
    name="restricted",
    restricted={
        ("normal", 0, 2): ("skip_connect", "dil_conv_3x3"),
        ("normal", 1, 2): ("max_pool_3x3", "sep_conv_3x3"),
        ("normal", 1, 3): ("none", "skip_connect"),
        ("normal", 2, 3): ("max_pool_3x3", "avg_pool_3x3"),
        ("normal", 0, 4): ("dil_conv_5x5",),
        ("reduce", 0, 2): ("skip_connect", "max_pool_3x3"),
        ("reduce", 3, 4): ("sep_conv_5x5", "dil_conv_3x3"),
    },
)


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("backend", BACKENDS)
def test_edges_with_candidates_of_their_own(backend: str, k: int) -> None:
    """The weights of a full supernet, copied where an edge has the operation, give its output."""
    names = DARTS.operations
    own = Supernet(
        TOPOLOGY,
        names,
        channels=8,
        layers=3,
        k=k,
        candidates=RESTRICTED.candidates,
        backend=backend,
    )
    own = own.double().to(memory_format=torch.channels_last)
    full = supernet("torch", k)
    copy_common(full, own)
    active = {
        kind: tuple(
            tuple(map(names.index, RESTRICTED.candidates(kind, edge.source, edge.target)))
            for edge in TOPOLOGY.edges
        )
        for kind in KINDS
    }
    ours, theirs = leaves(active), leaves(active)
    torch.testing.assert_close(
        evaluate(own, ours, None), evaluate(full, theirs, None), rtol=1e-9, atol=1e-9
    )
    for kind in KINDS:
        found, wanted = ours[kind][0].grad, theirs[kind][0].grad
        assert found is not None
        assert wanted is not None
        for row, columns in enumerate(active[kind]):
            for column in columns:
                torch.testing.assert_close(
                    found[row, column], wanted[row, column], rtol=1e-9, atol=1e-9
                )


def copy_common(full: Supernet, own: Supernet) -> None:
    """Copy all tensors of a full supernet that the other one has."""
    theirs = dict(full.named_parameters())
    with torch.no_grad():
        for name, parameter in own.named_parameters():
            if parameter.shape == theirs[name].shape and ".fan_outs." not in name:
                parameter.copy_(theirs[name])
        for cell, other in zip(own.cells, full.cells, strict=True):
            for source, whole in zip(cell.fan_outs, other.fan_outs, strict=True):
                for name, form in source.rectified.items():
                    edges = list(source.holders[name])
                    for parameter, given in zip(
                        form.parameters(), whole.rectified[name].parameters(), strict=True
                    ):
                        blocks = given.unflatten(0, (whole.edges, -1))[edges]
                        parameter.copy_(blocks.flatten(0, 1))
