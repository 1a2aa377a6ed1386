"""Cells recomputed in the backward pass: the same numbers with less memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.gradient import Bilevel, LabelledBatch
from darts.methods.unrolled import Unrolled
from darts.models.derived import Network
from darts.models.registry import create_network
from darts.searching.supernet import Supernet
from darts.system.memory import kept_bytes
from genotypes import SPACES
from ops.initialise import initialise
from ops.regularize import PartGenerator

DOUBLE = torch.float64


def images(size: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(4, 3, size, size, generator=generator, dtype=DOUBLE)


def supernet(backend: str, recompute: bool) -> tuple[Supernet, Architecture]:
    generator = torch.Generator().manual_seed(1)
    architecture = Architecture(Topology(2), generator=generator).double()
    made = Supernet(
        Topology(2), SPACES["darts"].operations, channels=8, layers=3, k=2, backend=backend
    )
    initialise(made, generator)
    made.recompute = recompute
    return made.double().to(memory_format=torch.channels_last), architecture  # type: ignore[call-overload]


def network(recompute: bool) -> Network:
    generator = torch.Generator().manual_seed(1)
    made = create_network(
        "pcdarts_cifar10", channels=4, layers=3, auxiliary=True, generator=generator
    )
    made.recompute = recompute
    return made.double()


def outcome(loss: Tensor, *modules: nn.Module) -> list[Any]:
    """Loss, gradients and buffers, including counters."""
    loss.backward()
    gradients = [p.grad for module in modules for p in module.parameters()]
    return [loss.detach(), gradients, [dict(module.named_buffers()) for module in modules]]


@pytest.mark.parametrize("backend", ["torch", "native"])
@pytest.mark.parametrize("sampling", ["first", "random"])
def test_a_supernet(backend: str, sampling: str) -> None:
    found = []
    for recompute in (False, True):
        made, architecture = supernet(backend, recompute)
        if sampling == "random":
            made.sampling = "random"
            made.sample_channels(torch.Generator().manual_seed(3))
        loss = made(images(), architecture.tables()).square().mean()
        found.append(outcome(loss, made, architecture))
    torch.testing.assert_close(*found, rtol=0, atol=0)


def test_a_network_with_drop_path() -> None:
    found = []
    for recompute in (False, True):
        made = network(recompute)
        noise = PartGenerator.starting_at(torch.Generator().manual_seed(5).get_state(), 1, 2)
        logits, auxiliary = made(images(32), 0.4, noise)
        found.append([*outcome((logits + auxiliary).square().mean(), made), noise.get_state()])
    torch.testing.assert_close(*found, rtol=0, atol=0)
    counters = [b for name, b in made.named_buffers() if name.endswith("num_batches_tracked")]
    assert {counter.item() for counter in counters} == {1}


def test_substituted_weights_stay_substituted() -> None:
    """The second-order step evaluates virtual weights that are gone when backward starts."""
    found = []
    for recompute in (False, True):
        made, architecture = supernet("torch", recompute)
        optimiser = torch.optim.SGD(made.parameters(), lr=0.1, momentum=0.9)
        batch = LabelledBatch(images(), torch.arange(4))
        problem = Bilevel(made, architecture, optimiser, nn.functional.cross_entropy)
        found.append([*Unrolled()(problem, batch, batch), dict(made.named_buffers())])
    torch.testing.assert_close(*found, rtol=0, atol=1e-14)


def test_nothing_is_kept_but_the_inputs_of_cells() -> None:
    kept = []
    for recompute in (False, True):
        made = network(recompute)
        kept.append(kept_bytes(lambda made=made: made(images(32))[0].sum(), made))
    assert kept[1] < 0.35 * kept[0]


def test_without_gradients_nothing_changes() -> None:
    made = network(True).eval()
    with torch.no_grad():
        recomputed, _ = made(images(32))
        made.recompute = False
        assert torch.equal(made(images(32))[0], recomputed)
