"""Scoring leaves no trace, is repeatable, and works for every kind of network."""

from __future__ import annotations

import copy
import gc
import weakref
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from darts.errors import UserError
from darts.models.registry import create_network, find_model
from darts.proxies.catalogue import SCORES
from darts.proxies.score import UNDEFINED, score_network
from darts.proxies.subject import Batch, Subject
from darts.proxies.zen import last_maps
from genotypes import Genotype, random_genotype

NO_PATH = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def batch_of(size: int, number: int = 4, classes: int = 10) -> Batch:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(number, 3, size, size, generator=generator)
    return Batch(images, torch.arange(number) % classes, classes)


def create(model: str, **options: Any) -> nn.Module:
    """A network; one of stages of blocks has a single block in each."""
    found = find_model(model)
    if not isinstance(found, Genotype):
        found = replace(found, stages=tuple(replace(one, depth=1) for one in found.stages))
    return create_network(
        found, stem="cifar", generator=torch.Generator().manual_seed(0), **options
    )


class Plain(nn.Module):
    """A network of a user: it returns a tensor, has dropout, and draws random numbers itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(0.5)
        self.classifier = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv(x)))
        logits: Tensor = self.classifier(self.drop(self.pool(x).flatten(1)))
        return logits + 0.01 * torch.rand(()) * logits


def snapshot(network: nn.Module) -> dict[str, Any]:
    return {
        "values": copy.deepcopy(network.state_dict()),
        "gradients": [copy.deepcopy(p.grad) for p in network.parameters()],
        "wanted": [p.requires_grad for p in network.parameters()],
        "modes": [part.training for part in network.modules()],
        "hooks": [
            (len(part._forward_hooks), len(part._forward_pre_hooks), len(part._backward_hooks))
            for part in network.modules()
        ],
        "parts": [id(part) for part in network.modules()],
        "tensors": [id(t) for t in (*network.parameters(), *network.buffers())],
        "dropout": getattr(network, "dropout", None),
        "global": torch.get_rng_state(),
    }


def assert_same(before: Any, after: Any) -> None:
    if isinstance(before, Tensor):
        assert torch.equal(before, after)
    elif isinstance(before, dict):
        assert before.keys() == after.keys()
        for key in before:
            assert_same(before[key], after[key])
    elif isinstance(before, list):
        for one, other in zip(before, after, strict=True):
            assert_same(one, other)
    else:
        assert before == after


def marked(network: nn.Module) -> nn.Module:
    """A network in a state that no score may disturb."""
    network.eval()
    parameters = list(network.parameters())
    parameters[0].requires_grad_(False)
    parameters[-1].grad = torch.ones_like(parameters[-1])
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.train()
            break
    return network


@pytest.mark.parametrize("name", SCORES)
def test_a_score_leaves_no_trace(name: str) -> None:
    networks = [create("darts_v1", channels=2, layers=3, auxiliary=True), Plain()]
    networks[0].recompute, networks[0].dropout = True, 0.2
    for network in map(marked, networks):
        before = snapshot(network)
        score_network(network, batch_of(32, 2), [name])
        assert_same(before, snapshot(network))


def test_a_failed_score_leaves_no_trace() -> None:
    network = marked(create("darts_v1", channels=4, layers=3))
    before = snapshot(network)
    with pytest.raises(UserError):
        Subject(network, batch_of(9)).weight_gradients  # noqa: B018
    assert_same(before, snapshot(network))


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("regnetx_200mf", {}),
        ("efficientnet_b0", {}),
        ("fbnetv3_a", {}),
        ("darts_v1", {"channels": 4, "layers": 3}),
        ("nb201-6111", {"channels": 4, "layers": 3}),
    ],
)
def test_every_kind_of_network_has_all_scores(model: str, options: dict[str, Any]) -> None:
    scored = score_network(create(model, **options), batch_of(32, 3), seed=1)
    assert set(scored.values) == set(SCORES)
    assert UNDEFINED not in scored.values.values()
    assert scored.params > 0
    assert scored.macs > 0


def test_scores_are_repeatable() -> None:
    first, second = (score_network(network, batch_of(8)) for network in [_plain(), _plain()])
    assert first == second
    assert UNDEFINED not in first.values.values()


def _plain() -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        return Plain()


def test_mode_and_frozen_weights_do_not_matter() -> None:
    network, batch = create("nb201-6111", channels=2, layers=3), batch_of(8)
    before = score_network(network, batch)
    assert score_network(network.eval().requires_grad_(False), batch) == before
    with torch.no_grad():
        assert score_network(network, batch) == before


def test_an_auxiliary_head_and_dropout_do_not_matter() -> None:
    network, batch = create("darts_v1", channels=4, layers=3, auxiliary=True), batch_of(32)
    with_head = score_network(network, batch, ["l2_norm", "snip", "nwot"])
    network.auxiliary_head, network.dropout = None, 0.5
    assert score_network(network, batch, ["l2_norm", "snip", "nwot"]) == with_head


def test_a_cell_without_a_path_has_no_score_of_its_images() -> None:
    values = score_network(create(NO_PATH, channels=4, layers=3), batch_of(8)).values
    assert values["jacov"] == values["epe_nas"] == UNDEFINED
    assert values["synflow"] == 0
    assert values["grad_norm"] == values["snip"] == values["grasp"] == 0


def test_random_operations_are_drawn_from_the_seed() -> None:
    cell = random_genotype(4, torch.Generator().manual_seed(0), "noisy", "s4")
    assert any(name == "noise" for node in cell.normal for name, _ in node)
    network = create_network(cell, channels=4, layers=3, generator=torch.Generator())
    first, again, other = (
        score_network(network, batch_of(8), ["snip"], seed=seed).values for seed in (0, 0, 1)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("model", "options", "before"),
    [
        ("nb201-6111", {"channels": 4, "layers": 3}, "head"),
        ("efficientnet_b0", {}, "head.conv"),
        ("fbnetv3_a", {}, "head.expand"),
        ("regnety_400mf", {}, "stages.3.0"),
        ("darts_v1", {"channels": 4, "layers": 3}, "cells.2"),
    ],
)
def test_the_last_maps_are_those_before_global_pooling(
    model: str, options: dict[str, Any], before: str
) -> None:
    network, found = create(model, **options).eval(), []
    network.get_submodule(before).register_forward_hook(lambda *given: found.append(given[2]))
    images = batch_of(64).images
    with torch.no_grad():
        maps = last_maps(network, images)
    assert maps.shape[-1] > 1
    assert torch.equal(maps, found[0])


def test_an_unknown_score_is_named() -> None:
    with pytest.raises(UserError, match=r"no score 'snyflow'\. Did you mean 'synflow'"):
        score_network(nn.Linear(1, 1), batch_of(8), ["snyflow"])


class Remembered(nn.Conv2d):
    """A convolution whose outputs are watched without being kept."""

    outputs: ClassVar[list[weakref.ref[Tensor]]] = []

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        self.outputs.append(weakref.ref(y))
        return y


@pytest.mark.parametrize("name", SCORES)
def test_a_score_keeps_no_activations(name: str) -> None:
    """Nothing waits for the garbage collector, which does not know how much memory tensors hold."""
    network = nn.Sequential(
        Remembered(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 10)
    )
    Remembered.outputs.clear()
    gc.collect()
    gc.disable()
    try:
        SCORES[name].load()(Subject(network, batch_of(8)))
        assert [one for one in Remembered.outputs if one() is not None] == []
    finally:
        gc.enable()
