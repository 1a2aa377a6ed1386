"""Signs of collapse, and what the warnings advise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from darts.searching.collapse import CollapseWatch, cures, signs_of_collapse
from darts.searching.options import SearchOptions
from genotypes import Genotype, find_space, load_genotype

MIXED = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "max_pool_3x3", "skip_connect")


def cell_of(*names: str, kind: str = "normal") -> Genotype:
    """A cell of DARTS with the given operations, two to a node."""
    nodes = tuple(
        ((first, 0), (second, 1)) for first, second in zip(names[::2], names[1::2], strict=True)
    )
    return replace(load_genotype("darts_v2"), **{kind: nodes})


def names_of(genotype: Genotype, **measured: float) -> list[str]:
    return list(signs_of_collapse(genotype, measured, classes=10))


@pytest.mark.parametrize(
    ("names", "signs"),
    [
        (["skip_connect"] * 4 + ["sep_conv_3x3"] * 4, ["skips normal"]),
        (["skip_connect"] * 3 + ["sep_conv_3x3"] * 5, []),
        (["max_pool_3x3", "avg_pool_3x3"] * 2 + ["sep_conv_3x3"] * 4, ["pools normal"]),
        (["max_pool_3x3"] * 3 + ["sep_conv_3x3"] * 5, []),
        (["skip_connect"] * 4 + ["max_pool_3x3"] * 4, ["skips normal"]),
        (["dil_conv_5x5"] * 8, ["uniform normal"]),
        (["skip_connect"] * 8, ["skips normal"]),
    ],
    ids=str,
)
def test_signs_of_the_normal_cell(names: list[str], signs: list[str]) -> None:
    assert names_of(cell_of(*names)) == signs


def test_reduction_cells_may_pool() -> None:
    half = ["max_pool_3x3"] * 4 + ["sep_conv_3x3"] * 4
    assert names_of(cell_of(*half, kind="reduce")) == []
    assert names_of(cell_of(*["max_pool_3x3"] * 8, kind="reduce")) == ["uniform reduce"]


def test_equal_operations_are_no_sign_where_there_is_little_choice() -> None:
    space = replace(
        find_space("darts"), name="two", operations=("skip_connect", "sep_conv_3x3"), zero=None
    )
    normal = cell_of(*["sep_conv_3x3"] * 8)
    both = replace(normal, reduce=normal.normal, reduce_concat=normal.normal_concat)
    assert names_of(both) == ["uniform normal", "uniform reduce"]
    assert names_of(replace(both, space=space)) == []


def test_absent_edges_of_nasbench201_are_not_kept() -> None:
    space = find_space("nasbench201")

    def cell(*names: str) -> Genotype:
        nodes = (((names[0], 0),), tuple(zip(names[1:3], (0, 1), strict=True)),
                 tuple(zip(names[3:], (0, 1, 2), strict=True)))  # fmt: skip
        return Genotype("x", nodes, (), (3,), (), space=space)

    conv = "nor_conv_3x3"
    assert names_of(cell("skip_connect", "none", "none", "none", conv, "none")) == ["skips normal"]
    assert names_of(cell("skip_connect", conv, conv, "none", conv, "none")) == []
    assert names_of(cell(*["none"] * 6)) == ["uniform normal"]


@pytest.mark.parametrize(
    ("entropy", "accuracy", "classes", "signs"),
    [
        (0.01, 12.0, 10, ["undertrained normal"]),
        (0.01, 60.0, 10, []),
        (0.9, 12.0, 10, []),
        (0.01, 52.0, 2, ["undertrained normal"]),
        (0.01, 8.0, 1000, []),
    ],
)
def test_decided_before_anything_is_learned(
    entropy: float, accuracy: float, classes: int, signs: list[str]
) -> None:
    measured = {"normal_entropy": entropy, "supernet_accuracy": accuracy}
    genotype = load_genotype("pcdarts_cifar10")
    assert list(signs_of_collapse(genotype, measured, classes)) == signs


def test_a_warning_comes_once_and_not_too_early() -> None:
    bad, good = cell_of(*["skip_connect"] * 8), cell_of(*["sep_conv_3x3", "skip_connect"] * 1,
                                                         *["dil_conv_3x3"] * 6)  # fmt: skip
    watch, options = CollapseWatch(patience=2), SearchOptions()

    def look(genotype: Genotype, epochs: int, last: bool = False) -> list[str]:
        signs = signs_of_collapse(genotype, {}, 10)
        return [one["sign"] for one in watch.look(signs, epochs, options, last=last)]

    assert look(bad, 1) == []
    assert look(good, 2) == []
    assert look(bad, 3) == []
    other = CollapseWatch(patience=2)
    other.load_state_dict(watch.state_dict())
    watch = other
    assert look(bad, 4) == ["skips"]
    assert look(bad, 5) == []
    assert look(bad, 6, last=True) == []
    assert [one["epoch"] for one in watch.warnings] == [4]
    pools = cell_of(*["max_pool_3x3"] * 6, "skip_connect", "sep_conv_3x3")
    assert look(pools, 7, last=True) == ["pools"]


def test_a_warning_says_what_is_wrong_and_what_helps() -> None:
    signs = signs_of_collapse(cell_of(*["skip_connect"] * 5, *["sep_conv_3x3"] * 3), {}, 10)
    (warning,) = CollapseWatch(patience=1).look(signs, 7, SearchOptions())
    assert warning["text"].startswith("In the normal cell 5 of 8 edges are skip connections.")
    for flag in ("--regulariser beta-decay", "--skips auxiliary", "--stopping eigenvalue"):
        assert flag in warning["text"]


def test_advice_keeps_the_parts_that_the_search_has() -> None:
    assert "--regulariser entropy+beta-decay" in cures(
        "skips", SearchOptions(regulariser="entropy")
    )
    flags = cures("skips", SearchOptions(regulariser="beta-decay", stopping="eigenvalue"))
    assert not any("beta-decay" in flag or "--stopping" in flag for flag in flags)


def test_advice_suits_the_method() -> None:
    """A perturbation needs the relaxation softmax."""
    assert "--perturbation random" in cures("skips", SearchOptions())
    assert "--perturbation random" not in cures("skips", SearchOptions(relaxation="hard-gumbel"))


def test_advised_methods_exist() -> None:
    from darts.methods.catalogue import METHODS

    named = [flag for sign in ("skips", "pools", "uniform", "undertrained")
             for flag in cures(sign, SearchOptions()) if flag.startswith("--method")]  # fmt: skip
    assert all(flag.split()[1] in METHODS for flag in named)
