"""RMSProp equals its formula, and which parameters decay."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from darts.runs.optimisers import RMSProp, create_optimiser, parameter_groups

CPU = torch.device("cpu")


def test_rmsprop_follows_tensorflows_formulas() -> None:
    decay, momentum, epsilon, weight_decay = 0.9, 0.8, 1e-3, 0.01
    weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    optimiser = RMSProp(
        [weight],
        lr=0.1,
        decay=decay,
        momentum=momentum,
        epsilon=epsilon,
        weight_decay=weight_decay,
    )
    w, s, v = 2.0, 1.0, 0.0
    for rate, gradient in ((0.1, 3.0), (0.1, -1.0), (0.01, 0.5)):
        optimiser.param_groups[0]["lr"] = rate
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        g = gradient + weight_decay * w
        s = decay * s + (1 - decay) * g * g
        v = momentum * v + rate * g / math.sqrt(s + epsilon)
        w -= v
        assert weight.item() == pytest.approx(w, rel=1e-12)


def test_torchs_rmsprop_is_another() -> None:
    weights = [nn.Parameter(torch.tensor([2.0])) for _ in range(2)]
    ours = RMSProp([weights[0]], lr=0.1)
    theirs = torch.optim.RMSprop([weights[1]], lr=0.1, alpha=0.9, momentum=0.9, eps=1e-3)
    for weight, optimiser in zip(weights, (ours, theirs), strict=True):
        weight.grad = torch.tensor([3.0])
        optimiser.step()
    assert weights[0].item() != pytest.approx(weights[1].item(), rel=1e-2)


def test_norms_can_be_spared_from_weight_decay() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    decaying, others = parameter_groups(network, 0.5, decay_norms=False)
    assert decaying["weight_decay"] == 0.5
    assert [id(p) for p in decaying["params"]] == [
        id(p) for part in (network[0], network[3]) for p in part.parameters()
    ]
    assert others["weight_decay"] == 0.0
    assert [id(p) for p in others["params"]] == [id(p) for p in network[1].parameters()]
    (all_of_them,) = parameter_groups(network, 0.5, decay_norms=True)
    assert len(all_of_them["params"]) == 6


@pytest.mark.parametrize("kind", ["sgd", "rmsprop", "adamw"])
def test_every_optimiser_decays_weights_only_where_it_may(kind: str) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    optimiser = create_optimiser(
        kind, network, learning_rate=0.1, momentum=0.9, weight_decay=0.1, decay_norms=False,
        device=CPU,
    )  # type: ignore[arg-type]  # fmt: skip
    before = [p.detach().clone() for p in network.parameters()]
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    moved = [not old.equal(new) for old, new in zip(before, network.parameters(), strict=True)]
    assert moved == [True, True, False, False]
