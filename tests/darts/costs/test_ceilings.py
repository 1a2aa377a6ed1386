"""Searches with a penalty on cost and with ceilings."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cells.topology import Topology
from darts.costs import ceilings as cost_aware
from darts.costs.ceilings import GAIN, CostAwareness
from darts.costs.count import count
from darts.costs.options import CostOptions
from darts.costs.tables import Target
from darts.errors import UserError
from darts.methods.architecture import Architecture
from darts.models.registry import create_network
from darts.searching.task import SearchTask, search_cells
from genotypes import load_genotype
from tests.darts.runs_support import search_options

CPU = torch.device("cpu")
CIFAR = Target(channels=36, layers=20, stem="cifar", resolution=32, num_classes=10)
IMAGENET = Target(channels=48, layers=14, stem="imagenet", resolution=224, num_classes=1000)


def random_architecture(generator: torch.Generator, spread: float = 1.0) -> Architecture:
    made = Architecture(Topology(4), generator=generator)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    return made


def awareness(made: Architecture, target: Target = CIFAR, steps: int = 10, **options: Any) -> Any:
    return CostAwareness(CostOptions(**options), made, target, device=CPU, steps=steps)


@pytest.mark.parametrize(("target", "ceiling"), [(CIFAR, "400M"), (IMAGENET, "500M")])
def test_whatever_alpha_is_the_derived_network_keeps_the_ceilings(
    target: Target, ceiling: str
) -> None:
    generator = torch.Generator().manual_seed(0)
    limit, most, exchanged = int(ceiling[:-1]) * 10**6, 4_400_000, 0
    for _ in range(5):
        made = random_architecture(generator)
        aware = awareness(made, target, max_macs=ceiling, max_params=most)
        genotype = aware.derive("derived")
        counted = count(target.network(genotype), target.resolution)
        assert aware.of(genotype) == {"macs": counted.macs, "params": counted.params}
        assert counted.macs <= limit
        assert counted.params <= most
        exchanged += aware.changed(genotype) > 0
        if aware.fits(made.derive("derived")):
            assert genotype == made.derive("derived")
            assert aware.changed(genotype) == 0
    assert exchanged  # Otherwise the test would be empty.


def test_the_weight_of_a_ceiling_finds_itself() -> None:
    """It grows by the rate times log(cost / ceiling) above the ceiling and ends at 0 below it."""
    made = random_architecture(torch.Generator().manual_seed(3))
    macs = awareness(made).of(made.derive("x"))["macs"]
    above = awareness(made, steps=10, max_macs=0.8 * macs)
    excess = math.log(macs / int(0.8 * macs))
    first = above.penalty(made).item()
    expected = math.log(above.expected(made)["macs"].item())
    assert first == pytest.approx(excess * expected, rel=1e-5)
    assert above.multipliers["macs"].item() == pytest.approx(GAIN / 10 * excess, rel=1e-5)
    above.penalty(made)
    assert above.multipliers["macs"].item() == pytest.approx(2 * GAIN / 10 * excess, rel=1e-5)
    below = awareness(made, max_macs=1.2 * macs)
    assert below.penalty(made).item() == 0.0
    assert below.multipliers["macs"].item() == 0.0


def test_following_the_penalty_brings_the_plain_derivation_under_the_ceiling() -> None:
    made = random_architecture(torch.Generator().manual_seed(5), spread=0.1)
    aware = awareness(made, steps=200, max_macs="330M")
    assert not aware.fits(made.derive("x"))
    optimiser = torch.optim.Adam(made.parameters(), lr=0.02)
    for _ in range(200):
        optimiser.zero_grad()
        aware.penalty(made).backward()
        optimiser.step()
    assert aware.fits(made.derive("x"))


def test_a_fixed_weight_is_of_the_logarithm_of_one_cost() -> None:
    made = random_architecture(torch.Generator().manual_seed(6))
    aware = awareness(made, cost_weight=0.5, cost="params", cost_temperature=1.0)
    value = aware.expected(made)["params"]
    assert aware.penalty(made).item() == pytest.approx(0.5 * math.log(value.item()), rel=1e-6)
    assert awareness(made).penalises is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_macs": "200M"}, r"--max-macs 200M multiply-adds: even the cheapest cell .* 227\.3M"),
        ({"max_params": "1M"}, r"--max-params 1M parameters: even the cheapest cell needs"),
        ({"max_latency": "1us"}, r"--max-latency 1us: even the cheapest cell needs .*ms"),
        ({"max_macs": "many"}, "--max-macs: a number such as 600M"),
        ({"cost_temperature": 0.0}, "--cost-temperature"),
        ({"latency_table": "absent.json", "max_latency": "1s"}, "absent.json: cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_before_the_search(options: dict, message: str) -> None:
    made = random_architecture(torch.Generator().manual_seed(1))
    with pytest.raises(UserError, match=message):
        awareness(made, **options)


def test_a_target_that_cannot_be_is_refused() -> None:
    made = random_architecture(torch.Generator().manual_seed(1))
    with pytest.raises(UserError, match=r"--target-…: .*multiples of 4"):
        awareness(made, replace(CIFAR, resolution=30))


def test_a_small_search_ends_under_its_ceilings_and_tells_the_cost(tmp_path: Path) -> None:
    options = search_options(
        tmp_path / "run",
        max_macs="1.6M",
        max_latency="10s",
        arch_warmup_epochs=0,
        target_layers=5,
        target_channels=16,
    )
    result = search_cells(options)
    run = tmp_path / "run"
    network = create_network(
        load_genotype(run / "genotype.yaml"), stem="cifar", channels=16, layers=5
    )
    macs = count(network, 8).macs
    assert macs <= 1_600_000
    stored = json.loads((run / "result.json").read_text())["derived"]
    assert stored["macs"] == result.derived["macs"] == macs
    assert stored["ceilings"] == {"macs": 1_600_000, "latency": 10.0}
    assert stored["ceilings_kept"] is True
    assert stored["measured_latency"] > 0
    assert stored["target"]["resolution"] == 8
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [line["derived_macs"] <= 1_600_000 for line in epochs] == [True, True]
    assert epochs[-1]["derived_macs"] == macs
    assert epochs[-1]["derived_latency"] == pytest.approx(stored["latency"])
    assert {"expected_macs", "macs_weight", "operations_changed"} <= set(epochs[-1])
    table = json.loads((run / "latency.json").read_text())
    assert "torch" in table["device"]


def test_every_search_tells_the_cost_and_a_resumed_one_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SearchTask(search_options(tmp_path / "a"))
    plain.begin_epoch(0)
    assert plain.notes["derived network"].endswith("parameters")
    assert plain.iteration.architecture_step.regularisers == ()

    limited = SearchTask(search_options(tmp_path / "b", max_latency="10s"))
    state = limited.state_dict()
    monkeypatch.setattr(cost_aware, "measure_latencies", None)
    options = replace(limited.options, run_dir=None, resume=str(tmp_path / "b"))
    again = SearchTask(options)
    again.load_state_dict(state)
    assert again.costs.latencies == limited.costs.latencies
    again.begin_epoch(0)
    limited.begin_epoch(0)
    assert again.notes == limited.notes


def test_an_impossible_ceiling_leaves_no_run_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--max-macs"):
        search_cells(search_options(tmp_path / "run", max_macs="10k"))
    assert not (tmp_path / "run").exists()


def test_a_typical_ceiling_is_the_mean_of_random_cells() -> None:
    made = random_architecture(torch.Generator().manual_seed(1))
    aware = awareness(made, max_macs="typical", max_params="typical")
    for name in ("macs", "params"):
        assert aware.ceilings[name] == aware.tables[name].typical(Topology(4), made.space)
    assert aware.fits(aware.derive("derived"))
    assert aware.result(aware.derive("derived"))["ceilings"] == aware.ceilings
