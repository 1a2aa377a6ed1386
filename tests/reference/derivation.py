"""Literal derivation of a genotype from architecture parameters, edge by edge (PC-DARTS, §3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.reference.supernet import OPERATIONS


def softmax(values: Sequence[float]) -> list[float]:
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def normalise_edges(beta: Sequence[float]) -> list[float]:
    """Softmax over the incoming edges of each node: rows 0-1, 2-4, 5-8, 9-13, …"""
    normalised: list[float] = []
    row, incoming = 0, 2
    while row < len(beta):
        normalised += softmax(beta[row : row + incoming])
        row, incoming = row + incoming, incoming + 1
    return normalised


def derive(
    alpha: Sequence[Sequence[float]], beta: Sequence[float] | None
) -> list[list[tuple[str, int]]]:
    """The (operation, source) pairs of each node, strongest first.

        W[e, o] = softmax(alpha[e])[o] · softmax(beta)[e]

    Without beta the second factor is 1. The strength of an edge is its largest weight, excluding
    `none`. A node keeps its two strongest edges, each with the operation of that weight. Ties go to
    the lower index.
    """
    strengths = normalise_edges(beta) if beta is not None else [1.0] * len(alpha)
    genotype = []
    row, incoming = 0, 2
    while row < len(alpha):
        candidates = []
        for source in range(incoming):
            shares = softmax(alpha[row + source])
            weights = [share * strengths[row + source] for share in shares]
            best = max(range(1, len(OPERATIONS)), key=lambda o: weights[o])
            candidates.append((weights[best], OPERATIONS[best], source))
        candidates.sort(key=lambda candidate: -candidate[0])
        genotype.append([(operation, source) for _, operation, source in candidates[:2]])
        row, incoming = row + incoming, incoming + 1
    return genotype
