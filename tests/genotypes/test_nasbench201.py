"""NAS-Bench-201: strings, orders, index and isomorphism of all 15,625 cells."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from genotypes import GenotypeError, format_genotype, load_genotype, parse_genotype, save_genotype
from genotypes.nasbench201 import (
    EDGES,
    NASLIB_EDGES,
    all_cells,
    arch_string,
    canonical_string,
    from_naslib_tuple,
    function_of,
    genotype_of,
    is_connected,
    naslib_tuple,
    official_index,
    operations_of,
    parse_arch_string,
)
from genotypes.published_spaces import NASBENCH201

KNOWN = {
    0: "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+"
    "|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    1462: "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
    "|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    1835: "|skip_connect~0|+|skip_connect~0|skip_connect~1|+"
    "|skip_connect~0|skip_connect~1|skip_connect~2|",
    6111: "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
    "|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
    9930: "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
    "|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
}


@pytest.fixture(scope="module")
def facts(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "facts" / "nasbench201.json").read_text())["nb201"]


def test_known_indices() -> None:
    for index, text in KNOWN.items():
        assert official_index(parse_arch_string(text)) == index
        assert arch_string(genotype_of(all_cells()[index])) == text
        assert load_genotype(f"nb201-{index}") == load_genotype(text)
    with pytest.raises(GenotypeError, match="has the cells 0 to 15624"):
        load_genotype("nb201-15625")


def test_the_index_is_the_order_of_the_published_table(shared: Path) -> None:
    table = shared / "data" / "nb201_cifar10.csv.gz"
    if not table.is_file():
        pytest.skip("needs the table of the benchmark")
    with gzip.open(table, "rt") as stream:
        rows = [row["arch"] for row in csv.DictReader(stream)]
    assert rows == [arch_string(genotype_of(cell)) for cell in all_cells()]


def test_round_trips() -> None:
    for cell in all_cells()[::37]:
        genotype = genotype_of(cell)
        assert operations_of(genotype) == cell
        assert parse_arch_string(arch_string(genotype)) == genotype
        assert from_naslib_tuple(naslib_tuple(genotype)) == genotype
        assert parse_genotype(genotype.as_dict(), "x") == genotype
    assert len(set(all_cells())) == 5**6 == NASBENCH201.size()


def test_the_published_example_of_naslibs_order() -> None:
    text = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    assert arch_string(from_naslib_tuple((4, 0, 3, 1, 4, 3))) == text
    assert sorted(EDGES) == list(NASLIB_EDGES)


def test_edges_and_operations_in_the_order_of_alpha(facts: dict[str, Any]) -> None:
    assert list(NASBENCH201.operations) == facts["operations"]
    assert list(EDGES) == [(edge["source"], edge["node"]) for edge in facts["edges"]]


def test_isomorphism(facts: dict[str, Any]) -> None:
    cells, unique = all_cells(), facts["unique"]
    assert len({canonical_string(cell) for cell in cells}) == 6466
    assert len({canonical_string(cell, zero=False) for cell in cells}) == unique["skip_rule_only"]
    assert len({function_of(cell) for cell in cells}) == unique["zeros_dropped_and_sums_flattened"]
    assert sum(not is_connected(cell) for cell in cells) == unique["no_path_to_output"] == 341


@pytest.mark.parametrize(
    "text",
    [
        "|none~0|+|none~0|none~1|",
        "|none~0|+|none~1|none~0|+|none~0|none~1|none~2|",
        "none",
        "|conv~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    message = r"not a cell of NAS-Bench-201|unknown operation 'conv'"
    with pytest.raises(GenotypeError, match=message):
        parse_arch_string(text)


def test_other_numbers_and_spaces_are_refused() -> None:
    with pytest.raises(GenotypeError, match="six numbers"):
        from_naslib_tuple((0, 1, 2, 3, 4, 5))
    with pytest.raises(GenotypeError, match="6 operations, not 5"):
        genotype_of(["none"] * 5)
    with pytest.raises(GenotypeError, match="'darts' has no place"):
        official_index(load_genotype("darts_v2"))


def test_a_cell_is_a_genotype_with_one_kind(tmp_path: Path) -> None:
    genotype = load_genotype(KNOWN[6111])
    assert (genotype.kinds, genotype.reduce, genotype.normal_concat) == (("normal",), (), (3,))
    assert "reduce" not in genotype.as_dict()
    save_genotype(genotype, tmp_path / "cell.yaml")
    assert load_genotype(tmp_path / "cell.yaml") == genotype
    assert "Source 0 is the cell's input, 1 is node 0." in format_genotype(genotype)
    with pytest.raises(GenotypeError, match=re.escape("unknown key 'reduce'")):
        parse_genotype({**genotype.as_dict(), "reduce": []}, "x.yaml")
    with pytest.raises(GenotypeError, match="returns its last node, 3, not"):
        parse_genotype({**genotype.as_dict(), "normal_concat": [2]}, "x.yaml")
