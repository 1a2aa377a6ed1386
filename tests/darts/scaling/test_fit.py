"""Budgets are met within the tolerance, or as closely as rounding allows."""

import pytest

from darts.errors import UserError
from darts.models.registry import find_model
from darts.scaling.bases import create_base
from darts.scaling.coefficients import STRATEGIES, Coefficients
from darts.scaling.fit import fit_budget

BASES = {
    name: create_base(find_model(name))
    for name in ("pcdarts_imagenet", "efficientnet_b0", "regnetx_400mf")
}


@pytest.mark.parametrize("macs", [3e8, 6e8, 1.2e9, 2.4e9, 4e9])
def test_ladder_of_a_searched_cell(macs: float) -> None:
    found = fit_budget(BASES["pcdarts_imagenet"], Coefficients(), macs, lambda rung: rung.cost.macs)
    assert found.within
    assert abs(found.rung.cost.macs / macs - 1) <= 0.02
    assert found.off == found.rung.cost.macs / macs - 1
    # Each dimension is at most one step from the shape of phi.
    assert found.rung.depth == pytest.approx(14 * found.factors.depth, abs=1.5)
    assert found.rung.resolution == pytest.approx(224 * found.factors.resolution, abs=33)
    assert found.rung.width == pytest.approx(found.factors.width, rel=0.12)


@pytest.mark.parametrize("name", ["efficientnet_b0", "regnetx_400mf"])
def test_other_families(name: str) -> None:
    for quantity, target in (("macs", 1.5e9), ("params", 1.2e7)):
        found = fit_budget(
            BASES[name], Coefficients(), target, lambda rung, q=quantity: getattr(rung.cost, q)
        )
        assert found.within
        assert found.phi > 0


def test_smaller_than_the_base() -> None:
    found = fit_budget(BASES["efficientnet_b0"], Coefficients(), 1e8, lambda rung: rung.cost.macs)
    assert found.within
    assert found.phi < 0


@pytest.mark.parametrize("strategy", ["depth", "width", "resolution"])
def test_single_dimensions_move_alone(strategy: str) -> None:
    base = BASES["pcdarts_imagenet"]
    found = fit_budget(base, STRATEGIES[strategy], 1.2e9, lambda rung: rung.cost.macs)
    rung = found.rung
    moved = {
        "depth": rung.depth != base.depth,
        "width": rung.width != 1,
        "resolution": rung.resolution != base.resolution,
    }
    assert [name for name, value in moved.items() if value] == [strategy]
    assert found.within


def test_what_rounding_forbids_is_said_and_the_nearest_given() -> None:
    # Only the resolution grows: 224 pixels give 582 M multiply-adds, 256 pixels 758 M.
    base = BASES["pcdarts_imagenet"]
    found = fit_budget(base, STRATEGIES["resolution"], 6e8, lambda rung: rung.cost.macs)
    assert not found.within
    assert found.rung.resolution == 224
    assert found.off == pytest.approx(-0.0306, abs=1e-3)
    wide = fit_budget(
        base, STRATEGIES["resolution"], 6e8, lambda rung: rung.cost.macs, tolerance=0.05
    )
    assert wide.within


def test_the_budget_of_the_base_is_the_base() -> None:
    base = BASES["pcdarts_imagenet"]
    target = base.rung(Coefficients().factors(0)).cost.macs
    found = fit_budget(base, Coefficients(), target, lambda rung: rung.cost.macs)
    assert found.rung.cost.macs == target
    assert found.phi == pytest.approx(0, abs=0.5)


def test_infeasible() -> None:
    base = BASES["pcdarts_imagenet"]
    with pytest.raises(UserError, match=r"1e\+04 is infeasible.*depth 3, 2 channels, 32 pixels"):
        fit_budget(base, Coefficients(), 1e4, lambda rung: rung.cost.macs)
    with pytest.raises(UserError, match="out of reach"):
        fit_budget(base, STRATEGIES["depth"], 1e13, lambda rung: rung.cost.macs)
