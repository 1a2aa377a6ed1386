"""Agreement of cells: by hand, against chance in random cells, by function in NAS-Bench-201."""

import pytest
import torch

from darts.sweeps.agreement import (
    EdgeAgreement,
    agreement,
    choices_of,
    edges_of,
    equal_cells,
    shared_by_chance,
)
from genotypes import Genotype, find_space, random_genotype
from genotypes.nasbench201 import genotype_of


def cell(*nodes: tuple[tuple[str, int], ...], reduce: tuple = ()) -> Genotype:
    """A cell of two inner nodes."""
    other = ((("max_pool_3x3", 0), ("max_pool_3x3", 1)),) * 2
    return Genotype("cell", nodes, reduce or other, (2, 3), (2, 3))


SKIP, SEP, POOL = "skip_connect", "sep_conv_3x3", "max_pool_3x3"
FIRST = cell(((SKIP, 0), (SEP, 1)), ((SEP, 0), (SEP, 1)))
SECOND = cell(((SKIP, 0), (POOL, 1)), ((SEP, 0), (SKIP, 2)))
THIRD = cell(((SEP, 1), (SKIP, 0)), ((POOL, 0), (SKIP, 2)))


def test_by_hand() -> None:
    found = agreement({5: FIRST, 7: SECOND, 9: THIRD})
    named = {edge.edge: edge for edge in found.edges}
    assert list(named) == edges_of(FIRST.rules, 2)
    assert len(named) == 2 * (2 + 3)
    assert named["normal", 0, 2].choices == {SKIP: 3}
    assert named["normal", 1, 2].choices == {SEP: 2, POOL: 1}
    assert named["normal", 1, 3].choices == {"": 2, SEP: 1}
    assert named["normal", 2, 3].choices == {SKIP: 2, "": 1}
    edge = named["normal", 1, 3]
    assert (edge.kept, edge.operation, edge.share) == (1, SEP, pytest.approx(1 / 3))
    # Shared in the normal cell: skip 0-2 and sep 0-3; skip 0-2 and sep 1-2; skip 0-2 and skip 2-3.
    assert found.shared == pytest.approx((2 + 2 + 2) / 3 + 4)
    assert found.kept == 8
    assert found.equal == ((5,), (7,), (9,))
    # 2 + 3 (2/3)² edges kept by both, one in seven with the same operation, in two kinds of cell.
    assert found.by_chance == pytest.approx(2 * (2 + 4 / 3) / 7)
    assert "share 6.0 of 8 edges on average (random cells: 1.0); all cells differ" in (
        found.sentence()
    )


def test_the_order_of_edges_and_seeds_does_not_matter() -> None:
    turned = cell(((SEP, 1), (SKIP, 0)), ((SEP, 1), (SEP, 0)))
    assert choices_of(turned) == choices_of(FIRST)
    assert equal_cells({0: FIRST, 1: SECOND, 2: turned}) == ((0, 2), (1,))
    one, other = agreement({0: FIRST, 1: SECOND}), agreement({1: SECOND, 0: FIRST})
    assert one.edges == other.edges
    assert "the same cell was found by seeds 0, 2" in (
        agreement({0: FIRST, 1: SECOND, 2: turned}).sentence()
    )


def test_one_cell_has_nothing_to_agree_with() -> None:
    found = agreement({3: FIRST})
    assert found.shared is None
    assert "one cell" in found.sentence()


@pytest.mark.parametrize("name", ["darts", "s1", "nasbench201"])
def test_random_cells_share_what_the_formula_says(name: str) -> None:
    space, generator = find_space(name), torch.Generator().manual_seed(0)
    nodes = space.nodes or 4
    cells = {n: random_genotype(nodes, generator, str(n), space) for n in range(150)}
    found = agreement(cells)
    assert found.by_chance == shared_by_chance(space, nodes)
    assert found.shared == pytest.approx(found.by_chance, rel=0.05)


def test_spaces_without_a_formula() -> None:
    assert shared_by_chance(find_space("nasnet"), 5) is None


def test_cells_of_nasbench201_are_equal_by_function() -> None:
    # The operation behind a dead edge does not matter.
    dead = ["none", "nor_conv_3x3", "nor_conv_1x1", "none", "none", "skip_connect"]
    other = ["none", "nor_conv_3x3", "avg_pool_3x3", "none", "none", "skip_connect"]
    cells = {0: genotype_of(dead), 1: genotype_of(other), 2: genotype_of(["skip_connect"] * 6)}
    found = agreement(cells)
    assert found.equal == ((0, 1), (2,))
    assert found.by_chance == pytest.approx(6 / 5)
    assert found.shared == pytest.approx((5 + 1 + 1) / 3)


def test_plain_values() -> None:
    found = agreement({5: FIRST, 7: SECOND})
    plain = found.as_dict()
    assert plain["edges"][0] == {
        "kind": "normal", "source": 0, "target": 2, "choices": {SKIP: 2},
    }  # fmt: skip
    assert tuple(map(EdgeAgreement.from_dict, plain["edges"])) == found.edges
