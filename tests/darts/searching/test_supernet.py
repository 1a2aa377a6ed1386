"""The fused supernet, compared with the literal one: same weights, same numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cells.topology import EdgeWeights, Topology
from darts.methods.architecture import Architecture
from darts.methods.relaxation import Progress, Softmax
from darts.searching.supernet import Supernet
from genotypes import SPACES
from genotypes.search_space import DARTS, SearchSpace
from ops.initialise import initialise
from ops.partial import ChannelError
from tests.reference.correspondence import copy_weights, pairs
from tests.reference.supernet import ReferenceSupernet

TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}


class Twins:
    """The literal and the fused supernet with equal weights, and an architecture for each."""

    def __init__(
        self,
        *,
        k: int,
        nodes: int,
        channels: int = 8,
        layers: int = 3,
        stem: str = "cifar",
        edge_normalisation: bool = True,
        sampling: str = "first",
        channels_last: bool = True,
        backend: str = "torch",
        space: SearchSpace = DARTS,
        change: Callable[[EdgeWeights], EdgeWeights] = lambda weights: weights,
        auxiliary: Callable[[Progress], float] | None = None,
    ) -> None:
        generator = torch.Generator().manual_seed(7)
        topology, self.change = Topology(nodes), change
        self.architectures = []
        for _ in range(2):
            architecture = Architecture(
                topology,
                space=space,
                relaxation=Softmax(edge_normalisation),
                generator=generator,
                auxiliary=auxiliary,
            ).double()
            self.architectures.append(architecture)
        ours, theirs = self.architectures
        with torch.no_grad():
            # Far from uniform, so that swapped rows or columns make a difference.
            for parameter in ours.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        theirs.load_state_dict(ours.state_dict())
        self.literal = ReferenceSupernet(
            channels,
            layers,
            nodes,
            k,
            10,
            stem,
            edge_normalisation,
            ours.columns,
            ours.candidates,
        ).double()
        initialise(self.literal, generator)
        self.fused = Supernet(
            topology,
            ours.columns,
            candidates=ours.candidates,
            channels=channels,
            layers=layers,
            k=k,
            stem=stem,
            sampling=sampling,
            backend=backend,
        ).double()
        copy_weights(self.literal, self.fused)
        if channels_last:
            self.fused.to(memory_format=torch.channels_last)
        size = 64 if stem == "imagenet" else 8
        self.images = torch.randn(3, 3, size, size, generator=generator, dtype=torch.float64)
        self.labels = torch.tensor([1, 4, 7])
        self.selection = None
        if sampling == "random":
            self.fused.sample_channels(generator)
            self.selection = {
                (layer, source): cell.selection[source]
                for layer, cell in enumerate(self.fused.cells)
                for source in range(len(cell.fan_outs))
            }

    def tables(self, architecture: Architecture) -> dict[str, EdgeWeights]:
        """The weights of both kinds of cell, changed by `change`."""
        return {kind: self.change(one) for kind, one in architecture.tables().items()}

    def step(self) -> tuple[Tensor, Tensor]:
        """The logits of both supernets, after a forward and a backward pass."""
        ours, theirs = self.architectures
        images = self.images.contiguous(memory_format=torch.channels_last)
        fused = self.fused(images, self.tables(ours))
        literal = self.literal(self.images, self.tables(theirs), self.selection)
        for logits in (fused, literal):
            functional.cross_entropy(logits, self.labels).backward()
        return fused, literal

    def assert_equal(self) -> None:
        fused, literal = self.step()
        torch.testing.assert_close(fused, literal, **TOLERANCE)
        tables = self.tables(self.architectures[0])
        partial = any(weights.active is not None for weights in tables.values())
        for name, ours, theirs in pairs(self.fused, self.literal, tables=tables):
            torch.testing.assert_close(ours.detach(), theirs.detach(), msg=name, **TOLERANCE)
        compared = 0
        for name, ours, theirs in pairs(self.fused, self.literal, lambda t: _gradient(t)):
            if ours.requires_grad:
                assert partial or ours.grad is not None, name
                torch.testing.assert_close(_gradient(ours), theirs, msg=name, **TOLERANCE)
                assert partial or theirs.abs().max() > 0, name
                compared += ours.numel()
        assert compared == sum(parameter.numel() for parameter in self.literal.parameters())
        for ours, theirs in zip(*(a.parameters() for a in self.architectures), strict=True):
            torch.testing.assert_close(_gradient(ours), _gradient(theirs), **TOLERANCE)
            assert _gradient(theirs).abs().max() > 0


def _gradient(tensor: Tensor) -> Tensor:
    return tensor.grad if tensor.grad is not None else torch.zeros_like(tensor)


@pytest.mark.parametrize("nodes", [3, 4, 5])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_equals_the_literal_form(k: int, nodes: int) -> None:
    Twins(k=k, nodes=nodes).assert_equal()


@pytest.mark.parametrize(
    "settings",
    [
        {"edge_normalisation": False},
        {"sampling": "random"},
        {"sampling": "random", "k": 1},
        {"stem": "imagenet", "k": 2},
        {"channels_last": False},
        {"channels": 32, "k": 1, "nodes": 2},  # Too wide for dense kernels.
        {"channels": 16, "k": 8},
        {"channels": 12, "k": 4},  # Mixed operations on 3 channels in the first cell.
        {"channels": 12, "k": 4, "sampling": "random"},
        {"channels": 4, "k": 4},  # And on a single one.
    ],
    ids=str,
)
def test_equals_the_literal_form_in_every_variant(settings: dict) -> None:
    Twins(**{"k": 4, "nodes": 3, **settings}).assert_equal()


def test_equals_the_literal_form_in_evaluation() -> None:
    twins = Twins(k=2, nodes=3)
    twins.step()  # Moves the running statistics away from 0 and 1.
    twins.fused.eval()
    twins.literal.eval()
    fused, literal = twins.step()
    torch.testing.assert_close(fused, literal, **TOLERANCE)


def test_the_literal_sampling_differs_from_the_first_channels() -> None:
    first, random = Twins(k=4, nodes=3), Twins(k=4, nodes=3, sampling="random")
    assert not torch.allclose(first.step()[0], random.step()[0])


def test_channels_are_resampled_each_time_and_repeat_from_a_seed() -> None:
    supernet = Twins(k=4, nodes=3, sampling="random").fused
    draws = []
    for seed in (1, 2, 1):
        supernet.sample_channels(torch.Generator().manual_seed(seed))
        draws.append(supernet.cells[0].selection.clone())
    assert not draws[0].equal(draws[1])
    assert draws[0].equal(draws[2])
    for row in draws[0]:
        assert row.sort().values.tolist() == list(range(8))


@pytest.mark.parametrize(
    ("k", "stem", "classes", "parameters"),
    [
        (4, "cifar", 10, 299_578),
        (2, "cifar", 10, 671_482),
        (1, "cifar", 10, 1_930_618),
        (2, "imagenet", 1000, 956_512),
    ],
)
def test_published_numbers_of_parameters(k: int, stem: str, classes: int, parameters: int) -> None:
    with torch.device("meta"):
        supernet = Supernet(
            Topology(4), SPACES["darts"].operations, k=k, stem=stem, num_classes=classes
        )
    assert sum(parameter.numel() for parameter in supernet.parameters()) == parameters


def test_a_wrong_k_names_the_valid_ones() -> None:
    with pytest.raises(ChannelError, match=r"K = 3 .* valid K: 1, 2, 4, 8, 16\."):
        Supernet(Topology(4), SPACES["darts"].operations, channels=16, k=3)


def test_an_operation_without_a_fused_form_falls_back_to_one_module_an_edge() -> None:
    generator = torch.Generator().manual_seed(0)
    operations = SPACES["nasnet"].operations
    supernet = Supernet(Topology(3), operations, channels=8, layers=3, k=2).double()
    names = {name for cell in supernet.cells for fan in cell.fan_outs for name in fan.separate}
    assert names == {"conv_7x1_1x7"}
    architecture = Architecture(Topology(3), space=SPACES["nasnet"], generator=generator).double()
    images = torch.randn(2, 3, 8, 8, generator=generator, dtype=torch.float64)
    supernet(images, architecture.tables()).sum().backward()
    column = operations.index("conv_7x1_1x7")
    assert architecture.alpha["normal"].grad[:, column].abs().max() > 0
