"""Published spaces, and spaces of one's own as YAML files."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from genotypes import (
    SPACES,
    Genotype,
    GenotypeError,
    SearchSpace,
    find_space,
    load_genotype,
    parse_genotype,
    random_genotype,
    save_genotype,
)
from tests.genotypes.spaces import TINY

OWN = """
name: own
operations: [none, skip_connect, sep_conv_3x3]
nodes: 2
kept: 1
edges:
  normal:
    0>2: [none, skip_connect]
"""


def test_the_candidates_of_s1_to_s4(shared: Path) -> None:
    facts = json.loads((shared / "facts" / "nasbench201.json").read_text())["restricted"]
    edges = [(edge["source"], edge["node"] + 2) for edge in facts["edges"]]
    for kind in ("normal", "reduce"):
        found = [list(SPACES["s1"].candidates(kind, *edge)) for edge in edges]
        assert found == facts[f"s1_{kind}"]
        for name in ("s2", "s3", "s4"):
            found = [list(SPACES[name].candidates(kind, *edge)) for edge in edges]
            assert found == [facts[f"{name}_all_edges"]] * 14
    assert [SPACES[name].zero for name in ("s1", "s2", "s3", "s4")] == [None, None, "none", None]


def test_darts_without_pools_and_without_none() -> None:
    assert len(SPACES["darts-no-pools"].operations) == 6
    assert SPACES["darts-no-pools"].zero == "none"
    assert len(SPACES["darts-no-none"].operations) == 7
    assert SPACES["darts-no-none"].size(4) == SPACES["darts"].size(4)


def test_darts_without_skips() -> None:
    space = SPACES["darts-no-skip"]
    assert set(SPACES["darts"].operations) - set(space.operations) == {"skip_connect"}
    # Two of the k edges before each node, with six operations each, in two kinds of cell.
    assert space.size(4) == (1 * 3 * 6 * 10 * 36**4) ** 2


@pytest.mark.parametrize("name", SPACES)
def test_every_space_has_a_plain_form(name: str) -> None:
    space = SPACES[name]
    text = yaml.safe_dump(space.as_mapping())
    assert SearchSpace.from_mapping(yaml.safe_load(text)) == space
    assert json.loads(json.dumps(space.as_mapping())) == space.as_mapping()
    assert space.about


@pytest.mark.parametrize("name", SPACES)
def test_random_genotypes_of_every_space(name: str, generator: torch.Generator) -> None:
    space = SPACES[name]
    for _ in range(5):
        genotype = random_genotype(space.nodes or 3, generator, "random", name)
        assert genotype.kinds == space.kinds
        assert parse_genotype(genotype.as_dict(), "x") == genotype


def test_nodes_of_a_sparse_space_may_keep_a_single_edge(generator: torch.Generator) -> None:
    plain = random_genotype(2, generator, "random", "darts-sparse").as_dict()
    plain["normal"][0] = plain["normal"][0][:1]
    assert len(parse_genotype(plain, "x").normal[0]) == 1
    plain["normal"][0] = []
    with pytest.raises(GenotypeError, match="node 0: needs 1 to 2 inputs, not 0"):
        parse_genotype(plain, "x")
    with pytest.raises(ValueError, match="least must be between 1"):
        SearchSpace(name="none", operations=("noise",), zero=None, least=0)


def test_random_cells_of_nasbench201_have_every_operation(generator: torch.Generator) -> None:
    drawn = [random_genotype(None, generator, "random", "nasbench201") for _ in range(60)]
    names = {name for genotype in drawn for node in genotype.normal for name, _ in node}
    assert names == set(SPACES["nasbench201"].operations)
    with pytest.raises(GenotypeError, match="'darts' need a number of nodes"):
        random_genotype(None, generator, "random")


def _cells_of(space: SearchSpace, nodes: int, kind: str) -> int:
    """The number of cells, by enumeration."""
    total = 1
    for target in space.inner_states(nodes):
        edges = [
            (source, name)
            for source in range(target)
            for name in space.choices(kind, source, target)
        ]
        chosen: list[tuple[tuple[int, str], ...]] = []
        for kept in range(space.fewest_edges(target), space.kept_edges(target) + 1):
            if space.distinct_sources:
                chosen += itertools.combinations(edges, kept)
            else:
                chosen += itertools.combinations_with_replacement(edges, kept)
        total *= sum(
            not space.distinct_sources or len({source for source, _ in one}) == len(one)
            for one in chosen
        )
    return total


@pytest.mark.parametrize("space", [*SPACES.values(), TINY], ids=lambda space: space.name)
def test_sizes_equal_an_enumeration(space: SearchSpace) -> None:
    nodes = space.nodes or 2
    cells = [_cells_of(space, nodes, kind) for kind in space.kinds]
    assert space.size(nodes) == cells[0] * (cells[1] if len(cells) > 1 else 1)


def test_the_size_of_darts() -> None:
    # 7 operations on two of 2, 3, 4 and 5 edges, in both cells.
    assert SPACES["darts"].size(4) == (7**8 * 1 * 3 * 6 * 10) ** 2
    with pytest.raises(ValueError, match="any number of nodes"):
        SPACES["darts"].size()


def test_a_space_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    space = find_space(file)
    assert space == find_space(str(file))
    assert (space.zero, space.nodes, space.kept) == ("none", 2, 1)
    assert space.choices("normal", 0, 2) == ("skip_connect",)
    assert "own" not in SPACES


def test_a_genotype_contains_the_definition_of_an_own_space(
    tmp_path: Path, generator: torch.Generator
) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    space = find_space(tmp_path / "own.yaml")
    genotype = random_genotype(None, generator, "random", space)
    save_genotype(genotype, tmp_path / "genotype.yaml")
    (tmp_path / "own.yaml").unlink()
    read = load_genotype(tmp_path / "genotype.yaml")
    assert read == genotype
    assert read.rules == space
    assert parse_genotype(json.loads(json.dumps(genotype.as_dict())), "x") == genotype


def test_a_known_space_is_named(generator: torch.Generator) -> None:
    genotype = random_genotype(2, generator, "random", SPACES["s2"])
    assert (genotype.space, genotype.as_dict()["space"]) == ("s2", "s2")
    with pytest.raises(GenotypeError, match="genotype 'x': space: unknown space 'nas'"):
        Genotype("x", (), (), (), (), "nas")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"operation": ["none"]}, "unknown key 'operation' (choices: name, operations, zero,"),
        ({"operations": "none"}, "operations: a list of names, not 'none'"),
        ({"operations": [1]}, "operations: a list of names"),
        ({"kept": "two"}, "kept: a number or all, not 'two'"),
        ({"nodes": True}, "nodes: a number or null, not True"),
        ({"inputs": None}, "inputs: a number, not None"),
        ({"zero": 3}, "zero: a text, not 3"),
        ({"distinct_sources": "yes"}, "distinct_sources: true or false"),
        ({"edges": []}, "edges: a mapping of kinds of cell"),
        ({"edges": {"normal": []}}, "edges: normal: a mapping such as"),
        ({"edges": {"normal": {"0-2": ["none"]}}}, "an edge is written SOURCE>TARGET, not '0-2'"),
        ({"edges": {"normal": {"0>2": "none"}}}, "edges: normal: 0>2: a list of names"),
        ({"edges": {"normal": {"2>2": ["noise"]}}}, "there is no edge ('normal', 2, 2)"),
        ({"edges": {"other": {"0>2": ["noise"]}}}, "there is no edge ('other', 0, 2)"),
        ({"nodes": 1, "edges": {"normal": {"0>3": ["noise"]}}}, "the last node is state 2"),
        ({"edges": {"normal": {"0>2": ["noise", "noise"]}}}, "lists an operation twice"),
        ({"stack": "tree"}, "stack is one of cells, stages, not 'tree'"),
        ({"kinds": ["normal"]}, "needs normal and reduction cells"),
        ({"inputs": 3}, "with two inputs"),
        ({"stack": "stages"}, "a stack of stages needs normal cells only"),
        ({"name": "darts"}, "'darts' is a built-in space"),
        ({"name": None}, "name: a text, not None"),
    ],
)
def test_wrong_files_are_explained(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({"name": "own", "operations": ["none", "noise"], **changes}))
    with pytest.raises(GenotypeError, match=f"^{re.escape(str(file))}: .*{re.escape(message)}"):
        find_space(file)


def test_other_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(GenotypeError, match=r"no search space 'dart'. Did you mean 'darts'\?"):
        find_space("dart")
    (tmp_path / "a.yaml").write_text("name: [")
    with pytest.raises(GenotypeError, match="not valid YAML"):
        find_space(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("operations: [none, noise]")
    with pytest.raises(GenotypeError, match="missing key 'name'"):
        find_space(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("s3")
    assert find_space(tmp_path / "a.yaml") is SPACES["s3"]
