"""Windows of costs, and the networks drawn inside them."""

from __future__ import annotations

import pytest

from darts.costs.count import count
from darts.design_space.candidates import Images, budget_of, draw_networks, parse_window
from darts.design_space.options import SpaceOptions
from darts.errors import UserError
from darts.models.derived import create_network

CIFAR = Images.of(32, 10)


def test_windows() -> None:
    assert parse_window("360M-400M") == (360_000_000, 400_000_000)
    assert parse_window("400M") == pytest.approx((380_000_000, 420_000_000))
    assert parse_window("1.2G") == pytest.approx((1_140_000_000, 1_260_000_000))
    assert parse_window(4e8) == parse_window("400M")
    for wrong in ("", "M", "400M-360M", "-400M", "360M-", "1M-2M-3M", "nan"):
        with pytest.raises(UserError, match="--macs"):
            parse_window(wrong)


def test_the_window_around_a_genotypes_network() -> None:
    network = create_network("pcdarts_cifar10", channels=8, layers=3)
    budget = budget_of(SpaceOptions(like="pcdarts_cifar10"), CIFAR, channels=8, layers=3)
    macs = count(network, 32).macs
    assert (budget.min_macs, budget.max_macs) == pytest.approx((0.95 * macs, 1.05 * macs))


@pytest.mark.parametrize("space", ["anynetx_a", "anynetx_e", "regnetx", "regnety"])
def test_networks_keep_within_all_limits(space: str) -> None:
    options = SpaceOptions(
        space=space, n=20, macs="3M-4M", max_params="90k", max_activations="150k", stem_width=16
    )
    drawn = draw_networks(options, CIFAR, seed=1)
    assert len(drawn) == 20
    for network in drawn:
        assert network.config.stem == "cifar"
        assert network.config.stem_width == 16
        assert 3_000_000 <= network.cost.macs <= 4_000_000
        assert network.cost.params <= 90_000
        assert network.cost.activations <= 150_000
    assert drawn[:5] == draw_networks(SpaceOptions(**{**vars(options), "n": 5}), CIFAR, seed=1)
    assert drawn != draw_networks(options, CIFAR, seed=2)


def test_large_images_get_the_stem_of_the_paper() -> None:
    drawn = draw_networks(SpaceOptions(n=1, macs="360M-400M"), Images.of(224, 1000), seed=0)
    assert drawn[0].config.stem == "simple"
