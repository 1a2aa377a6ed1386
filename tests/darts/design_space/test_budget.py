"""Budgets of costs, from windows and from genotypes."""

from __future__ import annotations

import pytest

from darts.costs.count import count
from darts.design_space.budget import budget_of, parse_window
from darts.design_space.options import SpaceOptions
from darts.errors import UserError
from darts.models.image_spec import ImageSpec
from darts.models.registry import create_network

CIFAR = ImageSpec.of(32, 10)


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
