"""Random cells within a range of costs."""

from dataclasses import asdict
from typing import Any

import pytest

from darts.costs.cells import network_cost
from darts.costs.tables import Target
from darts.sweeps.random_cells import TOLERANCE, CostRange, sample_rivals
from genotypes import find_space, load_genotype

TARGET = asdict(Target(channels=8, layers=3, stem="cifar", resolution=16, num_classes=10))


def derived(name: str, **ceilings: float) -> dict[str, Any]:
    cost = network_cost(load_genotype(name), **TARGET)
    return {"macs": cost.macs, "params": cost.params, "target": TARGET, "ceilings": ceilings}


def test_the_range_of_searched_cells() -> None:
    first, second = derived("darts_v1"), derived("pcdarts_cifar10")
    room = CostRange.of([first, second])
    low, high = sorted((first["macs"], second["macs"]))
    assert (room.low, room.high) == (low * (1 - TOLERANCE), high * (1 + TOLERANCE))
    assert room.distance({"macs": high, "params": 10**9}) == 0.0
    assert room.distance({"macs": round(2 * room.high), "params": 0}) == pytest.approx(1, abs=1e-4)
    assert room.costs(load_genotype("darts_v1")) == {
        "macs": first["macs"], "params": first["params"]
    }  # fmt: skip


def test_a_ceiling_leaves_no_room_above() -> None:
    one = derived("darts_v1", macs=1e9, params=5000.0)
    room = CostRange.of([one])
    assert room.high == one["macs"]
    assert room.distance({"macs": one["macs"], "params": 10_000}) == 1.0


def test_cells_have_the_cost_of_searched_ones_and_a_seed_repeats_them() -> None:
    room = CostRange.of([derived("darts_v1"), derived("pcdarts_cifar10")])
    cells = sample_rivals(4, room, find_space("darts"), 4, seed=3)
    assert list(cells) == [1, 2, 3, 4]
    assert all(room.distance(room.costs(cell)) == 0 for cell in cells.values())
    assert cells[2].name == "random-2"
    assert sample_rivals(4, room, find_space("darts"), 4, seed=3) == cells
    assert sample_rivals(4, room, find_space("darts"), 4, seed=4) != cells
    assert len({str(cell.as_dict()) for cell in cells.values()}) == 4


def test_where_no_cell_fits_the_nearest_are_taken() -> None:
    room = CostRange(low=1, high=2, most_params=None, target=TARGET)
    cells = sample_rivals(2, room, find_space("darts"), 4, seed=0)
    macs = [room.costs(cell)["macs"] for cell in cells.values()]
    assert macs == sorted(macs)
    usual = [
        room.costs(cell)["macs"]
        for cell in sample_rivals(
            20, CostRange(0.1, 1e12, None, TARGET), find_space("darts"), 4, seed=1
        ).values()
    ]
    assert max(macs) < min(usual)
