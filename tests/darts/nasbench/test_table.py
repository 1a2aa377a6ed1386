"""Rows, ranks and regrets; the published ones where the real table is present."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from darts.nasbench.cell_names import cell_of, number_of
from darts.nasbench.reading import read_table
from darts.nasbench.table import AccuracyTable
from genotypes import GenotypeError, load_genotype
from genotypes.nasbench201 import naslib_tuple, official_index


@pytest.fixture(scope="module")
def real(shared: Path) -> AccuracyTable:
    return read_table(shared / "data" / "nb201_cifar10.csv.gz")


def made_up(**tests: float) -> AccuracyTable:
    """A table with the given test accuracies of cells named c0, c1 …"""
    values = np.full(15625, np.nan)
    for name, test in tests.items():
        values[int(name[1:])] = test
    return AccuracyTable(Path("t"), "cifar10", "CSV", values - 1, values)


def test_ranks_by_hand() -> None:
    table = made_up(c0=50, c1=90, c2=90, c3=70)
    rows = [table.row(number) for number in range(5)]
    assert [row.rank for row in rows] == [4, 1, 1, 3, None]
    assert [row.percentile for row in rows] == [25, 100, 100, 50, None]
    assert [row.regret for row in rows] == [40, 0, 0, 20, None]
    assert [row.valid for row in rows] == [49, 89, 89, 69, None]
    assert table.known == 4
    assert [table.count_at_least(test) for test in (90, 70, 70.5, 0, 91)] == [2, 3, 2, 4, 0]


def test_means_in_another_order_tie() -> None:
    table = made_up(c0=(94.1 + 94.2 + 94.3) / 3, c1=(94.3 + 94.2 + 94.1) / 3)
    assert table.row(0).rank == table.row(1).rank == 1


def test_a_cell_of_another_space_is_refused() -> None:
    with pytest.raises(GenotypeError, match="'darts'"):
        made_up(c0=1).lookup(load_genotype("darts_v2"))


@pytest.mark.parametrize("number", [0, 1835, 6111, 9930, 15624])
def test_all_names_of_a_cell(number: int) -> None:
    genotype = load_genotype(f"nb201-{number}")
    numbers = naslib_tuple(genotype)
    for text in (str(numbers), ",".join(map(str, numbers)), genotype.provenance["arch"]):
        assert official_index(cell_of(text)) == number
        assert number_of(text) == number


def test_the_published_tuple() -> None:
    arch = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    assert number_of("(4, 0, 3, 1, 4, 3)") == number_of(arch)


@pytest.mark.parametrize("text", ["(4, 0, 3, 1, 4)", "(4, 0, 3, 1, 4, 5)", "94.3", "", "|none~0|"])
def test_other_texts_name_no_cell(text: str) -> None:
    assert number_of(text) is None


@pytest.mark.parametrize(
    ("number", "valid", "test"),
    [(1835, 39.77, 54.30), (9930, 91.55, 94.36), (6111, 91.61, 94.37), (1462, 90.20, 93.76)],
)
def test_published_rows(number: int, valid: float, test: float, real: AccuracyTable) -> None:
    row = real.lookup(load_genotype(f"nb201-{number}"))
    assert row.number == number
    assert row.valid == pytest.approx(valid, abs=0.005)
    assert row.test == pytest.approx(test, abs=0.005)


def test_published_ranks(real: AccuracyTable, shared: Path) -> None:
    facts = json.loads((shared / "facts" / "nasbench201.json").read_text())["nb201"]
    for known in facts["known_cells"].values():
        row = real.lookup(cell_of(known["arch"]))
        assert row.test == pytest.approx(known["cifar10_test"], abs=0.0051)
        assert row.valid == pytest.approx(known["cifar10_valid"], abs=0.0051)
        # The source breaks ties arbitrarily; ours share the best rank.
        tied = real.count_at_least(row.test) - real.count_above(row.test)
        if "rank_test" in known:
            assert row.rank <= known["rank_test"] < row.rank + tied + 1
    assert real.lookup(cell_of("nb201-9930")).rank == 3
    assert real.lookup(cell_of("nb201-6111")).rank == 1
    assert real.lookup(cell_of("nb201-1835")).rank == 15231
    assert real.lookup(cell_of("nb201-6111")).regret == 0


def test_published_statistics(real: AccuracyTable, shared: Path) -> None:
    facts = json.loads((shared / "facts" / "nasbench201.json").read_text())["nb201"]
    for name in ("valid", "test"):
        values, known = getattr(real, name), facts["statistics"][f"cifar10_{name}"]
        assert values.mean() == pytest.approx(known["mean"], abs=1e-3)
        assert values.std() == pytest.approx(known["sd"], abs=1e-2)
        for share in (5, 10, 25, 50, 75, 90, 95, 99):
            found = np.percentile(values, share)
            assert found == pytest.approx(known[f"q{share}"], abs=2e-3)
    for least, count in facts["cells_with_test_at_least"].items():
        assert real.count_at_least(float(least)) == count
