"""Costs as sums over operations, compared with counting on the network."""

from __future__ import annotations

import itertools

import pytest
import torch

from cells.topology import Topology
from darts.costs.count import count
from darts.costs.latency_table import Latencies, measure_latencies, read_latencies
from darts.costs.tables import Target, counted_tables, places
from darts.errors import UserError
from genotypes import find_space, load_genotype, random_genotype
from genotypes.search_space import DARTS

CIFAR = Target(channels=36, layers=20, stem="cifar", resolution=32, num_classes=10)
IMAGENET = Target(channels=48, layers=14, stem="imagenet", resolution=224, num_classes=1000)
SMALL = Target(channels=4, layers=4, stem="cifar", resolution=8, num_classes=3)


@pytest.mark.parametrize(
    ("name", "target", "macs", "params"),
    [
        ("pcdarts_cifar10", CIFAR, 556_670_592, 3_634_678),
        ("pcdarts_imagenet", CIFAR, 570_466_944, 3_721_510),
        ("darts_v2", CIFAR, 528_359_040, 3_349_342),
        ("pcdarts_imagenet", IMAGENET, 581_627_328, 5_342_464),
        ("darts_v1", IMAGENET, 505_864_704, 4_510_432),
    ],
)
def test_published_cells_cost_what_is_published(
    name: str, target: Target, macs: int, params: int
) -> None:
    tables = counted_tables(target, Topology(4), DARTS)
    genotype = load_genotype(name)
    assert [t.of(genotype, Topology(4), DARTS) for t in tables] == [macs, params]


@pytest.mark.parametrize("nodes", [2, 3, 5])
def test_random_cells_cost_what_the_counter_says(nodes: int) -> None:
    topology, generator = Topology(nodes), torch.Generator().manual_seed(nodes)
    macs, params = counted_tables(SMALL, topology, DARTS)
    for number in range(3):
        genotype = random_genotype(nodes, generator, f"random {number}")
        counted = count(SMALL.network(genotype), SMALL.resolution)
        assert macs.of(genotype, topology, DARTS) == counted.macs
        assert params.of(genotype, topology, DARTS) == counted.params
        assert macs.cheapest(topology, DARTS) <= counted.macs


def test_the_typical_cost_is_the_mean_of_all_cells_of_one_node() -> None:
    topology, space = Topology(1), find_space("darts")
    macs, params = counted_tables(SMALL, topology, space)
    found = []
    for kind in space.kinds:  # Kinds add up, so each can be averaged alone.
        table = macs.operations[kind]
        names = [space.choices(kind, edge.source, edge.target) for edge in topology.edges]
        pairs = itertools.product(*names)
        columns = [[space.operations.index(name) for name in pair] for pair in pairs]
        assert len(columns) == 49
        sums = [(table[0, first] + table[1, second]).item() for first, second in columns]
        found.append(sum(sums) / len(sums))
    assert macs.typical(topology, space) == pytest.approx(macs.base + sum(found), rel=1e-12)
    assert params.typical(topology, space) > params.cheapest(topology, space)


def test_the_typical_cost_is_that_of_random_cells() -> None:
    topology, generator = Topology(4), torch.Generator().manual_seed(5)
    macs, _ = counted_tables(SMALL, topology, DARTS)
    costs = torch.tensor(
        [macs.of(random_genotype(4, generator, "random"), topology, DARTS) for _ in range(400)]
    )
    error = costs.std() / 400**0.5
    assert abs(costs.mean() - macs.typical(topology, DARTS)) < 4 * error
    assert error < 0.01 * costs.mean()


def test_the_cheapest_cell_pools() -> None:
    topology = Topology(4)
    pools = random_genotype(4, torch.Generator().manual_seed(0), "pools").as_dict()
    for kind in ("normal", "reduce"):
        pools[kind] = [[["max_pool_3x3", source] for _, source in node] for node in pools[kind]]
    from genotypes import parse_genotype

    counted = count(CIFAR.network(parse_genotype(pools, "test")), 32)
    macs, params = counted_tables(CIFAR, topology, DARTS)
    assert macs.cheapest(topology, DARTS) == counted.macs
    assert params.cheapest(topology, DARTS) == counted.params


def test_measured_latencies_cover_every_place_and_add_up(tmp_path) -> None:
    topology = Topology(2)
    latencies = measure_latencies(SMALL, topology, DARTS, torch.device("cpu"))
    assert set(latencies.operations) == set(places(SMALL, topology, DARTS))
    assert latencies.operations["skip_connect", 4, 1, 8] == 0.0
    assert all(s > 0 for (name, *_), s in latencies.operations.items() if "conv" in name)
    table = latencies.table(SMALL, topology, DARTS)
    genotype = random_genotype(2, torch.Generator().manual_seed(1), "random")
    # Cells of SMALL: normal 4 channels at 8 px, reduce 8, reduce 16, normal 16 at 2 px.
    cells = [("normal", 4, 8), ("reduce", 8, 8), ("reduce", 16, 4), ("normal", 16, 2)]
    expected = latencies.rest
    for kind, channels, size in cells:
        for node in genotype.cell(kind)[0]:
            for name, source in node:
                stride = 2 if kind == "reduce" and source < 2 else 1
                inside = size // 2 if kind == "reduce" and source >= 2 else size
                expected += latencies.operations[name, channels, stride, inside]
    assert table.of(genotype, topology, DARTS) == pytest.approx(expected, rel=1e-12)

    file = tmp_path / "latency.json"
    import json

    file.write_text(json.dumps(latencies.as_dict()))
    assert read_latencies(file) == latencies
    with pytest.raises(UserError, match="measured for another target"):
        latencies.table(CIFAR, topology, DARTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "cannot be read"),
        ("[]", "not a latency table"),
        ('{"device": "x", "rest": 0}', "operations"),
        ('{"device": "x", "rest": -1, "operations": []}', "0 or more"),
        ('{"device": "x", "rest": 0, "operations": [{"operation": "a"}]}', "channels"),
    ],
)
def test_a_damaged_latency_table_is_refused(text: str, message: str, tmp_path) -> None:
    (tmp_path / "latency.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_latencies(tmp_path / "latency.json")
    with pytest.raises(UserError, match="cannot be read"):
        read_latencies(tmp_path / "absent.json")
    assert Latencies.from_dict({"device": "x", "rest": 0, "operations": []}, "test").rest == 0
