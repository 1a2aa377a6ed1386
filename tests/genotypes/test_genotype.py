"""Genotype: validity at construction, every validation message, plain form."""

from __future__ import annotations

import copy
import dataclasses
import re
import subprocess
import sys
from typing import Any

import pytest

from genotypes import SPACES, Genotype, GenotypeError, load_genotype, parse_genotype

PLAIN = load_genotype("pcdarts_cifar10").as_dict()


def broken(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(PLAIN), **changes}


def with_normal_node(number: int, node: Any, **changes: Any) -> dict[str, Any]:
    mapping = broken(**changes)
    mapping["normal"][number] = node
    return mapping


MESSAGES = [
    (None, "x.yaml: a genotype is a mapping of keys, not nothing"),
    ("text", "x.yaml: a genotype is a mapping of keys, not the text 'text'"),
    (
        {key: value for key, value in PLAIN.items() if key not in ("normal", "reduce_concat")},
        "x.yaml: missing key 'normal', 'reduce_concat'",
    ),
    (
        broken(normal_concatt=[2]),
        (
            "x.yaml: unknown key 'normal_concatt' (choices: name, "
            "normal, normal_concat, reduce, reduce_concat, space, provenance)"
        ),
    ),
    (broken(name=""), "x.yaml: name: must be a text that is not empty"),
    (broken(name=3), "x.yaml: name: must be a text that is not empty"),
    (
        broken(space="nas"),
        "x.yaml: space: unknown space 'nas' (choices: darts, nasnet, s1",
    ),
    (broken(space=["darts"]), "x.yaml: space: unknown space ['darts'] (choices: darts, nasnet, s1"),
    (broken(normal=None), "x.yaml: normal: must be a list of at least one node, not nothing"),
    (broken(reduce=[]), "x.yaml: reduce: must be a list of at least one node, not an empty one"),
    (broken(reduce="a"), "x.yaml: reduce: must be a list of at least one node, not the text 'a'"),
    (with_normal_node(3, 7), "x.yaml: normal, node 3: must be a list of inputs, not int 7"),
    (
        with_normal_node(1, [["skip_connect", 0]]),
        "x.yaml: normal, node 1: needs 2 inputs, not 1",
    ),
    (
        with_normal_node(1, [["skip_connect", source] for source in range(3)]),
        "x.yaml: normal, node 1: needs 2 inputs, not 3",
    ),
    (
        with_normal_node(0, ["skip_connect", 1]),
        "x.yaml: normal, node 0: an input is a pair [operation, source], not 'skip_connect'",
    ),
    (
        with_normal_node(0, [["skip_connect", 1], ["skip_connect"]]),
        "x.yaml: normal, node 0: an input is a pair [operation, source], not ['skip_connect']",
    ),
    (
        with_normal_node(3, [["conv_9x9", 0], ["skip_connect", 1]]),
        (
            "x.yaml: normal, node 3: unknown operation 'conv_9x9' (choices: max_pool_3x3, "
            "avg_pool_3x3, skip_connect, sep_conv_3x3, sep_conv_5x5, dil_conv_3x3, dil_conv_5x5)"
        ),
    ),
    (
        with_normal_node(3, [["sep_conv_7x7", 0], ["skip_connect", 1]]),
        "x.yaml: normal, node 3: unknown operation 'sep_conv_7x7' (choices:",
    ),
    (
        with_normal_node(3, [[["a"], 0], ["skip_connect", 1]]),
        "x.yaml: normal, node 3: unknown operation ['a'] (choices:",
    ),
    (
        with_normal_node(2, [["none", 0], ["skip_connect", 1]]),
        "x.yaml: normal, node 2: 'none' is an absent edge and cannot be part of a genotype",
    ),
    (
        with_normal_node(1, [["skip_connect", 3], ["skip_connect", 1]]),
        (
            "x.yaml: normal, node 1: source 3 does not come before the node; the states 0 to 2 do "
            "(0 and 1 are the cell's inputs, 2 is node 0)"
        ),
    ),
    (
        with_normal_node(1, [["skip_connect", -1], ["skip_connect", 1]]),
        "x.yaml: normal, node 1: source -1 does not come before the node",
    ),
    (
        with_normal_node(1, [["skip_connect", True], ["skip_connect", 1]]),
        "x.yaml: normal, node 1: a source is a state number, not True",
    ),
    (
        with_normal_node(1, [["skip_connect", "0"], ["skip_connect", 1]]),
        "x.yaml: normal, node 1: a source is a state number, not '0'",
    ),
    (
        with_normal_node(1, [["skip_connect", 2], ["sep_conv_3x3", 2]]),
        "x.yaml: normal, node 1: two inputs come from source 2; the inputs of a node in the space",
    ),
    (
        broken(normal_concat=[]),
        "x.yaml: normal_concat: must be a list of at least one state, not an empty one",
    ),
    (broken(normal_concat=4), "x.yaml: normal_concat: must be a list of at least one state, not"),
    (
        broken(reduce_concat=[2, 6]),
        "x.yaml: reduce_concat: 6 is no inner node; their states are 2 to 5",
    ),
    (broken(reduce_concat=[1, 2]), "x.yaml: reduce_concat: 1 is no inner node"),
    (broken(reduce_concat=[2, 2.0]), "x.yaml: reduce_concat: 2.0 is no inner node"),
    (
        broken(reduce_concat=[3, 2, 3]),
        "x.yaml: reduce_concat: a state is listed twice in [3, 2, 3]",
    ),
    (
        broken(reduce=PLAIN["reduce"][:3], reduce_concat=[2]),
        "x.yaml: normal and reduce need equally many nodes, not 4 and 3",
    ),
    (broken(provenance="me"), "x.yaml: provenance: must be a mapping, not the text 'me'"),
]


@pytest.mark.parametrize(("mapping", "message"), MESSAGES, ids=[m[8:60] for _, m in MESSAGES])
def test_each_broken_rule_is_named(mapping: Any, message: str) -> None:
    with pytest.raises(GenotypeError, match="^" + re.escape(message)):
        parse_genotype(mapping, "x.yaml")


def test_one_source_twice_is_legal_in_the_space_of_nasnet() -> None:
    node = [["skip_connect", 2], ["sep_conv_7x7", 2]]
    genotype = parse_genotype(with_normal_node(1, node, space="nasnet"), "x.yaml")
    assert genotype.normal[1] == (("skip_connect", 2), ("sep_conv_7x7", 2))


def test_a_genotype_cannot_be_constructed_invalid() -> None:
    genotype = load_genotype("darts_v2")
    with pytest.raises(GenotypeError, match=r"^genotype 'darts_v2': reduce_concat: 9 is no inner"):
        dataclasses.replace(genotype, reduce_concat=(9,))


def test_plain_form_round_trips() -> None:
    genotype = load_genotype("nasnet")
    again = parse_genotype(genotype.as_dict(), "x")
    assert again == genotype
    assert again.provenance == genotype.provenance
    assert hash(again) == hash(genotype)


def test_equality_ignores_only_the_provenance() -> None:
    genotype = load_genotype("darts_v2")
    assert dataclasses.replace(genotype, provenance={}) == genotype
    assert genotype.with_name("other") != genotype
    assert genotype.with_name("other").normal == genotype.normal


def test_cell_returns_nodes_and_concat_of_its_kind() -> None:
    genotype = load_genotype("amoebanet")
    assert genotype.nodes == 5
    assert genotype.cell("normal") == (genotype.normal, (4, 5, 6))
    assert genotype.cell("reduce") == (genotype.reduce, (3, 4, 6))
    with pytest.raises(ValueError, match="not 'both'"):
        genotype.cell("both")


def test_columns_of_alpha() -> None:
    assert SPACES["darts"].operations == (
        "none",
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    )
    extra = ("sep_conv_7x7", "conv_7x1_1x7")
    assert SPACES["nasnet"].operations == SPACES["darts"].operations + extra


def test_the_defaults_are_the_space_of_darts_and_no_provenance() -> None:
    mapping = {key: PLAIN[key] for key in PLAIN if key not in ("space", "provenance")}
    genotype = parse_genotype(mapping, "x")
    assert (genotype.space, genotype.provenance) == ("darts", {})
    assert isinstance(genotype, Genotype)


def test_importing_genotypes_does_not_import_torch() -> None:
    code = "import genotypes, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
