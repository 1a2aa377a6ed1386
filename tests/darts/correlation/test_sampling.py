"""The cells of a study."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from darts.correlation.sampling import sample_known_cells, sample_space_cells
from darts.errors import UserError
from genotypes.nasbench201 import all_cells, function_of, is_connected, official_index
from genotypes.search_space import DARTS

EVERY = range(15625)


def known(count: int, seed: int = 0, *, once: bool = False, connected: bool = False) -> list[int]:
    sample = sample_known_cells(EVERY, count, seed, once_per_class=once, connected=connected)
    assert [official_index(one) for one in sample.genotypes] == list(sample.numbers)
    return list(sample.numbers)


def test_only_the_seed_decides_the_sample() -> None:
    assert known(40) == known(40)
    assert known(40) != known(40, seed=1)
    # A larger sample begins with the smaller one, so its finished cells stay of use.
    assert known(40)[:10] == known(10)
    assert len(set(known(500))) == 500


def test_the_sample_is_uniform() -> None:
    """One fifth of all cells has `none` on an edge; 1,500 draws: 0.2 ± 0.04 is 4 deviations."""
    cells, drawn = all_cells(), known(1500)
    for edge in range(6):
        counted = Counter(cells[number][edge] for number in drawn)
        assert all(abs(number / 1500 - 0.2) < 0.04 for number in counted.values())


def test_classes_and_connected_cells() -> None:
    cells = all_cells()
    once = known(300, once=True)
    assert len({function_of(cells[number]) for number in once}) == 300
    assert all(is_connected(cells[number]) for number in known(300, connected=True))
    # The benchmark has 4,930 functions, one of which belongs to the 341 cells without a path.
    for once_per_class, connected, number in (
        (True, False, "4,930"),
        (True, True, "4,929"),
        (False, True, "15,284"),
        (False, False, "15,625"),
    ):
        with pytest.raises(UserError, match=f"there are only {number} cells"):
            known(20000, once=once_per_class, connected=connected)


def test_only_known_cells_are_sampled() -> None:
    sample = sample_known_cells([3, 5, 8], 3, 0, once_per_class=False, connected=False)
    assert sorted(sample.numbers) == [3, 5, 8]
    assert sample.sentence == "3 of 3 cells"
    with pytest.raises(UserError, match="only 3 cells"):
        sample_known_cells([3, 5, 8], 4, 0, once_per_class=False, connected=False)


def test_other_spaces() -> None:
    sample = sample_space_cells(DARTS, 2, 12, 5)
    assert sample_space_cells(DARTS, 2, 12, 5).genotypes == sample.genotypes
    assert len({(one.normal, one.reduce) for one in sample.genotypes}) == 12
    assert [one.name for one in sample.genotypes][:2] == ["cell-0000", "cell-0001"]
    few = replace(DARTS, operations=("none", "skip_connect"))
    with pytest.raises(UserError, match="hardly more than 1 cells"):
        sample_space_cells(few, 1, 5, 5)
