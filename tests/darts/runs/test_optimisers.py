"""Optimiser states move between devices; the learning rate changes in place."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from darts.runs.optimisers import (
    create_adam,
    create_optimiser,
    create_sgd,
    restore,
    set_learning_rate,
)

CPU = torch.device("cpu")


def as_on_cuda(parameters: list[nn.Parameter], rate: float) -> torch.optim.SGD:
    """As `create_sgd` makes it on CUDA: one fused update, the learning rate a tensor."""
    return torch.optim.SGD(
        parameters, torch.tensor(rate), momentum=0.9, weight_decay=0.1, fused=True
    )


def step(optimiser: torch.optim.Optimizer) -> None:
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    optimiser.step()


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(torch.tensor([1.0, -2.0]))]


def test_a_state_from_cuda_goes_on_elsewhere_and_back() -> None:
    theirs, ours = parameters(), parameters()
    on_cuda = as_on_cuda(theirs, 0.5)
    here = create_sgd(ours, learning_rate=0.1, momentum=0.9, weight_decay=0.1, device=CPU)
    step(on_cuda)
    ours[0].data.copy_(theirs[0].data)
    state = copy.deepcopy(on_cuda.state_dict())
    restore(here, state)
    assert here.param_groups[0]["lr"] == 0.5
    assert isinstance(here.param_groups[0]["lr"], float)
    assert here.param_groups[0]["fused"]
    for optimiser in (on_cuda, here):
        step(optimiser)
    torch.testing.assert_close(ours[0], theirs[0])

    settings = {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.1}
    unfused = create_sgd(parameters(), device=torch.device("mps"), **settings)
    restore(unfused, copy.deepcopy(state))
    assert not unfused.param_groups[0]["fused"]

    restore(on_cuda, copy.deepcopy(here.state_dict()))
    assert isinstance(on_cuda.param_groups[0]["lr"], torch.Tensor)
    assert on_cuda.param_groups[0]["fused"]
    for optimiser in (on_cuda, here):
        step(optimiser)
    torch.testing.assert_close(ours[0], theirs[0])


def test_the_learning_rate_stays_the_tensor_that_a_graph_has_recorded() -> None:
    values = parameters()
    optimiser = as_on_cuda(values, 0.5)
    recorded = optimiser.param_groups[0]["lr"]
    set_learning_rate(optimiser, 0.25)
    assert optimiser.param_groups[0]["lr"] is recorded
    assert recorded.item() == 0.25
    plain = create_sgd(parameters(), learning_rate=0.5, momentum=0, weight_decay=0, device=CPU)
    set_learning_rate(plain, 0.25)
    assert plain.param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize("capturable", [False, True])
def test_adams_counter_lives_where_this_device_wants_it(capturable: bool) -> None:
    ours = create_adam(
        parameters(), learning_rate=0.1, betas=(0.5, 0.999), weight_decay=0, device=CPU
    )
    step(ours)
    saved = ours.state_dict()
    saved["param_groups"][0]["capturable"] = capturable
    restore(ours, saved)
    assert not ours.param_groups[0]["capturable"]
    step(ours)
    assert ours.state[ours.param_groups[0]["params"][0]]["step"].item() == 2


def test_nesterov_momentum() -> None:
    """v = m·v + g, w -= lr·(g + m·v), by hand over two steps of the gradient 1."""
    layer = nn.Linear(1, 1, bias=False).double()
    nn.init.zeros_(layer.weight)
    optimiser = create_optimiser(
        "nesterov",
        layer,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=0.0,
        decay_norms=True,
        device=torch.device("cpu"),
    )
    for _ in range(2):
        layer.weight.grad = torch.ones_like(layer.weight)
        optimiser.step()
    assert layer.weight.item() == pytest.approx(-0.1 * (1 + 0.9) - 0.1 * (1 + 0.9 * 1.9))
