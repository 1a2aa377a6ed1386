"""How well scores rank cells of known accuracy, beside parameters and multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from darts.errors import UserError
from darts.nasbench.table import AccuracyTable
from darts.proxies.study import ScoredNetwork
from darts.statistics.ranks import REPEATS, RankCorrelation, correlate_ranks
from darts.system.randomness import stream_seed
from genotypes.nasbench201 import find_cell, official_index

Accuracy = Literal["valid", "test"]
ACCURACIES: tuple[Accuracy, ...] = ("valid", "test")
BASELINES = ("params", "macs")
TOP = 0.1

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreCorrelation:
    """The rank correlation of one score with one accuracy.

    Attributes:
        score: Name of the score, or of a baseline, "params" or "macs".
        accuracy: Which accuracy.
        overall: Over all scored cells with a known accuracy.
        top: Over the tenth of them with the highest accuracy.
    """

    score: str
    accuracy: Accuracy
    overall: RankCorrelation
    top: RankCorrelation

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def correlate_scores(
    networks: Sequence[ScoredNetwork],
    table: AccuracyTable,
    seed: int = 0,
    *,
    repeats: int = REPEATS,
) -> list[ScoreCorrelation]:
    """Correlate every score, and both baselines, with the accuracies of a table.

    Scores are means over the initial weights; an undefined one ranks lowest. Intervals are
    bootstraps over the cells, with the same resamples for every score.

    Args:
        networks: Scored cells of NAS-Bench-201; networks of other kinds are left out.
        table: The known accuracies.
        seed: Seed of the resamples.
        repeats: Number of resamples.

    Returns:
        Baselines first, then the scores in their order; for each the accuracies that the table has.

    Raises:
        UserError: Fewer than three of the networks are in the table.
    """
    known = [(one, _number(one)) for one in networks]
    cells = [(one, number) for one, number in known if number is not None]
    found = []
    for accuracy in ACCURACIES:
        values = table.valid if accuracy == "valid" else table.test
        pairs = [(one, float(values[number])) for one, number in cells]
        there = [(one, value) for one, value in pairs if not math.isnan(value)]
        if len(there) < 3:
            continue
        scored, accuracies = [one for one, _ in there], np.array([value for _, value in there])
        for name in (*BASELINES, *scored[0].values):
            measured = np.array([one.mean(name) for one in scored])
            overall, top = _correlate(measured, accuracies, seed, repeats)
            found.append(ScoreCorrelation(name, accuracy, overall, top))
    if not found:
        raise UserError(
            f"Correlations need three scored cells with accuracies in {table.path}: give more "
            "cells of NAS-Bench-201, such as --sample 100 --space nasbench201."
        )
    return found


def _number(network: ScoredNetwork) -> int | None:
    cell = None if network.arch is None else find_cell(network.arch)
    return None if cell is None else official_index(cell)


def _correlate(
    measured: _Floats, accuracies: _Floats, seed: int, repeats: int
) -> tuple[RankCorrelation, RankCorrelation]:
    """Over all cells, and over the tenth with the highest accuracy."""
    best = np.argsort(-accuracies, kind="stable")[: max(1, round(TOP * len(accuracies)))]

    def correlate(chosen: _Floats, known: _Floats) -> RankCorrelation:
        generator = np.random.default_rng(stream_seed(seed, "score correlation"))
        return correlate_ranks(chosen.tolist(), known.tolist(), generator, repeats=repeats)

    return correlate(measured, accuracies), correlate(measured[best], accuracies[best])
