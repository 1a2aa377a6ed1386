"""Random genotypes: reproducible, valid, uniform."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from genotypes import SPACES, random_genotype


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_generator_alone_decides() -> None:
    torch.manual_seed(1)
    first = random_genotype(4, generator(), "r")
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert random_genotype(4, generator(), "r") == first
    assert torch.equal(torch.get_rng_state(), before)
    assert random_genotype(4, generator(1), "r") != first


@pytest.mark.parametrize("nodes", [1, 3, 5])
def test_every_node_has_two_distinct_sources_and_all_nodes_are_concatenated(nodes: int) -> None:
    stream = generator()
    for _ in range(20):
        genotype = random_genotype(nodes, stream, "r")
        assert genotype.nodes == nodes
        assert genotype.normal_concat == genotype.reduce_concat == tuple(range(2, 2 + nodes))
        for first, second in genotype.normal + genotype.reduce:
            assert first[1] < second[1]


@pytest.mark.parametrize("space", ["darts", "nasnet"])
def test_operations_and_sources_are_uniform(space: str) -> None:
    stream, draws = generator(), 600
    genotypes = [random_genotype(4, stream, "r", space) for _ in range(draws)]
    operations = Counter(
        operation
        for genotype in genotypes
        for node in genotype.normal + genotype.reduce
        for operation, _ in node
    )
    choices = SPACES[space].operations[1:]
    assert set(operations) == set(choices)
    expected = draws * 16 / len(choices)
    assert all(abs(count - expected) < 5 * expected**0.5 for count in operations.values())

    pairs = Counter(tuple(source for _, source in genotype.normal[3]) for genotype in genotypes)
    assert len(pairs) == 10
    assert all(abs(count - draws / 10) < 5 * (draws / 10) ** 0.5 for count in pairs.values())
