"""Search spaces as data: the built-in ones, contradictions, and a user's own."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest
import torch

from genotypes import GenotypeError, SearchSpace, parse_genotype, random_genotype, register_space
from genotypes.search_space import DARTS, NASNET
from genotypes.spaces import SPACES
from ops.registry import find_operation
from tests.genotypes.spaces import TINY, registered

OPERATIONS = ("none", "skip_connect", "sep_conv_3x3")


@pytest.mark.parametrize("space", [DARTS, NASNET, TINY], ids=lambda space: space.name)
def test_the_zero_operation_is_the_one_that_the_registry_calls_absent(space: SearchSpace) -> None:
    assert [name for name in space.operations if find_operation(name).absent] == [space.zero]


def test_a_space_can_be_copied_and_sent_to_other_processes() -> None:
    for space in (DARTS, TINY):
        assert copy.deepcopy(space) == space
        assert pickle.loads(pickle.dumps(space)) == space
        assert hash(copy.deepcopy(space)) == hash(space)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"operations": ("none", "skip_connect", "none")}, "an operation is listed twice"),
        ({"zero": "zero"}, "the zero operation 'zero' is not one of the operations"),
        ({"inputs": 0}, "at least one input"),
        ({"nodes": 0}, "one inner node"),
        ({"kept": 3}, "the first node has only 2 edges, so it cannot keep 3"),
        ({"kept": 0}, "cannot keep 0"),
        ({"operations": ("none",)}, "every edge has no operation that a genotype can name"),
        ({"restricted": {("normal", 0, 2): ("conv",)}}, "unknown operations: conv"),
        ({"restricted": {("normal", 0, 2): ("none",)}}, "('normal', 0, 2) has no operation"),
    ],
)
def test_contradictions_are_named(changes: dict[str, Any], message: str) -> None:
    settings = {"name": "mine", "operations": OPERATIONS, **changes}
    with pytest.raises(ValueError, match=f"^Search space 'mine': .*{re.escape(message)}"):
        SearchSpace(**settings)


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="another search space with the name 'darts'"):
        register_space(SearchSpace(name="darts", operations=OPERATIONS))
    assert register_space(DARTS) is SPACES["darts"]


def plain(normal: list[Any], **changes: Any) -> dict[str, Any]:
    genotype = {"name": "x", "space": "tiny", "normal": normal, "normal_concat": [2, 3]}
    return {**genotype, "reduce": normal, "reduce_concat": [2, 3], **changes}


GOOD = [[["skip_connect", 0]], [["sep_conv_3x3", 2]]]


def test_a_users_space_validates_its_genotypes() -> None:
    with registered(TINY):
        assert parse_genotype(plain(GOOD), "x.yaml").normal == (
            (("skip_connect", 0),),
            (("sep_conv_3x3", 2),),
        )
        for normal, message in (
            (GOOD[:1], "a cell of the space 'tiny' has 2 nodes, not 1"),
            ([[["skip_connect", 0], ["skip_connect", 1]], GOOD[1]], "needs 1 inputs, not 2"),
            ([[["sep_conv_3x3", 0]], GOOD[1]], "operation 'sep_conv_3x3' (choices: skip_connect)"),
            ([[["max_pool_3x3", 0]], GOOD[1]], "unknown operation 'max_pool_3x3'"),
        ):
            with pytest.raises(GenotypeError, match=re.escape(message)):
                parse_genotype(plain(normal), "x.yaml")


def test_random_genotypes_of_a_users_space() -> None:
    generator = torch.Generator().manual_seed(0)
    with registered(TINY):
        drawn = [random_genotype(2, generator, "r", "tiny") for _ in range(40)]
    assert {len(node) for genotype in drawn for node in genotype.normal} == {1}
    on_first_edge = {
        name for genotype in drawn for name, source in genotype.normal[0] if source == 0
    }
    assert on_first_edge == {"skip_connect"}
    assert {name for genotype in drawn for name, _ in genotype.reduce[0]} == {
        "skip_connect",
        "sep_conv_3x3",
    }
