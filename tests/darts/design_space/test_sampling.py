"""Samples are within the budget, valid and reproducible."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from darts.costs.count import count
from darts.design_space.budget import Budget, suggested_caps
from darts.design_space.options import SpaceOptions
from darts.design_space.sampling import sample, sample_population
from darts.design_space.spaces import create_space
from darts.errors import UserError
from darts.models.anynet.cost import anynet_cost
from darts.models.anynet.network import AnyNet
from darts.models.image_spec import ImageSpec

CIFAR = ImageSpec.of(32, 10)
WINDOW = Budget(min_macs=360e6, max_macs=400e6)


@pytest.mark.parametrize("name", ["anynetx_a", "anynetx_e", "regnetx"])
def test_500_models_of_the_paper(name: str) -> None:
    samples = sample(create_space(name), 500, np.random.default_rng(0), budget=WINDOW)
    assert len(samples) == 500
    for drawn in samples:
        assert 360e6 <= drawn.cost.macs <= 400e6
        assert len(drawn.config.stages) == 4
    assert len({drawn.config for drawn in samples}) > 400
    for drawn in samples[::100]:
        assert anynet_cost(drawn.config) == drawn.cost
        if name == "regnetx":
            assert drawn.regnet is not None
            assert drawn.regnet.config() == drawn.config


def test_small_images() -> None:
    budget = Budget.around(5e6)
    space = create_space("regnety", stem="cifar", stem_width=16)
    samples = sample(
        space, 3, np.random.default_rng(0), budget=budget, resolution=28, num_classes=10
    )
    for drawn in samples:
        assert 4.75e6 <= drawn.cost.macs <= 5.25e6
        with torch.device("meta"):
            network = AnyNet(drawn.config, num_classes=10)
        counted = count(network, 28)
        assert (counted.macs, counted.params) == (drawn.cost.macs, drawn.cost.params)


@pytest.mark.parametrize("make", [np.random.default_rng, torch.Generator().manual_seed])
def test_repeatable_and_the_first_stay_the_first(make) -> None:
    space = create_space("anynetx_b")
    many = sample(space, 40, make(7), budget=WINDOW)
    assert sample(space, 40, make(7), budget=WINDOW) == many
    assert sample(space, 5, make(7), budget=WINDOW) == many[:5]
    assert sample(space, 5, make(8), budget=WINDOW) != many[:5]


def test_a_generator_moves_on() -> None:
    generator, space = np.random.default_rng(0), create_space("anynetx_a")
    assert sample(space, 3, generator) != sample(space, 3, generator)


def test_caps() -> None:
    space = create_space("regnetx").constrained()
    max_params, max_activations = suggested_caps(400e6)
    assert (max_params, max_activations) == (5.2e6, pytest.approx(4.110961e6))
    capped = replace(WINDOW, max_params=max_params, max_activations=max_activations)
    free = sample(space, 60, np.random.default_rng(0), budget=WINDOW)
    bound = sample(space, 60, np.random.default_rng(0), budget=capped)
    fitting = [
        drawn
        for drawn in free
        if drawn.cost.params <= max_params and drawn.cost.activations <= max_activations
    ]
    # The same networks, without those that cost too much.
    assert 0 < len(fitting) < 60
    assert list(bound[: len(fitting)]) == fitting
    assert all(drawn.cost.activations <= max_activations for drawn in bound)


def test_bounds_are_allowed() -> None:
    cost = sample(create_space("anynetx_a"), 1, np.random.default_rng(0))[0].cost
    exact = Budget(
        min_macs=cost.macs,
        max_macs=cost.macs,
        max_params=cost.params,
        max_activations=cost.activations,
    )
    assert exact.admits(cost)
    for name in ("max_macs", "max_params", "max_activations"):
        assert not replace(exact, **{name: getattr(exact, name) - 1}).admits(cost)
    assert not replace(exact, min_macs=cost.macs + 1).admits(cost)


def test_gives_up() -> None:
    with pytest.raises(UserError, match=r"0 are within the budget, not 2.*1 to 2 multiply"):
        sample(
            create_space("regnetx"),
            2,
            np.random.default_rng(0),
            budget=Budget(min_macs=1, max_macs=2),
            max_draws=10_000,
        )


def test_images_too_small_for_the_strides() -> None:
    with pytest.raises(UserError, match="at least 32x32"):
        sample(create_space("anynetx_a"), 1, np.random.default_rng(0), resolution=28)


@pytest.mark.parametrize("space", ["anynetx_a", "anynetx_e", "regnetx", "regnety"])
def test_networks_keep_within_all_limits(space: str) -> None:
    options = SpaceOptions(
        space=space, n=20, macs="3M-4M", max_params="90k", max_activations="150k", stem_width=16
    )
    drawn = sample_population(options, CIFAR, seed=1)
    assert len(drawn) == 20
    for network in drawn:
        assert network.config.stem == "cifar"
        assert network.config.stem_width == 16
        assert 3_000_000 <= network.cost.macs <= 4_000_000
        assert network.cost.params <= 90_000
        assert network.cost.activations <= 150_000
    assert drawn[:5] == sample_population(SpaceOptions(**{**vars(options), "n": 5}), CIFAR, seed=1)
    assert drawn != sample_population(options, CIFAR, seed=2)


def test_large_images_get_the_stem_of_the_paper() -> None:
    drawn = sample_population(SpaceOptions(n=1, macs="360M-400M"), ImageSpec.of(224, 1000), seed=0)
    assert drawn[0].config.stem == "simple"
