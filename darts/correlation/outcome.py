"""What a study found: rank correlations, baselines, and what the best one-shot cell is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darts.runs.directory import finite
from darts.statistics.estimates import Estimate, estimate
from darts.statistics.interval import Interval
from darts.statistics.ranks import REPEATS, RankCorrelation, correlate_ranks

TOP_SHARE = 10
"""The top tenth is looked at by itself."""


@dataclass(frozen=True)
class StudiedCell:
    """A cell of the study.

    Attributes:
        name: Its string or name.
        genotype: The cell as plain values.
        params: Parameters of its network.
        macs: Multiply-adds of its network.
        truth: Its true accuracy (%): in the table that on the test images, otherwise that of the
            retraining on held-out training images.
        valid: Its validation accuracy (%) in the table; None without table.
        retrained: Accuracy (%) of each retraining, whose mean is the true accuracy.
    """

    name: str
    genotype: Mapping[str, Any]
    params: int
    macs: int
    truth: float
    valid: float | None = None
    retrained: tuple[float, ...] = ()


@dataclass(frozen=True)
class OrderAgreement:
    """How far a measurement orders the cells as the true accuracy does.

    Attributes:
        all: Over all cells.
        top: Within the tenth of the cells with the highest true accuracies.
    """

    all: RankCorrelation
    top: RankCorrelation


@dataclass(frozen=True)
class OneShotChoice:
    """The cell that a measurement would choose.

    Attributes:
        cell: Its number in the study, from 0; of equal ones the first.
        truth: Its true accuracy (%).
        rank: Its rank by true accuracy among the cells of the study, 1 for the best.
        regret: Points of true accuracy that the best cell of the study has more.
        table_rank: Its rank in the whole table; None without table.
    """

    cell: int
    truth: float
    rank: int
    regret: float
    table_rank: int | None = None


@dataclass(frozen=True)
class StudiedRun:
    """A supernet of the study.

    Attributes:
        path: Its run directory, as given.
        epochs: Finished epochs of the search.
        planned: Epochs of the whole search.
        method: The search method.
        seed: The seed of the search.
        accuracies: One-shot accuracy (%) of each cell.
        agreement: With the true accuracies.
        choice: The cell with the highest one-shot accuracy.
    """

    path: str
    epochs: int
    planned: int
    method: str
    seed: int
    accuracies: tuple[float, ...]
    agreement: OrderAgreement
    choice: OneShotChoice


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """The outcome of a study.

    Attributes:
        setting: What was compared, as plain values.
        sentences: The same in words.
        cells: The cells.
        runs: The supernets.
        baselines: Agreement of parameters and of multiply-adds, by name.
        ceiling: Agreement of validation with test accuracies of the table, or of the second with
            the first retrainings; None if the cells are retrained once.
        random: Mean regret of a cell that is chosen at random.
    """

    setting: Mapping[str, Any]
    sentences: tuple[str, ...]
    cells: tuple[StudiedCell, ...]
    runs: tuple[StudiedRun, ...]
    baselines: Mapping[str, OrderAgreement]
    ceiling: OrderAgreement | None
    random: float

    @property
    def over_runs(self) -> dict[str, Estimate]:
        """Mean and deviation over the runs of what is known for all of them."""
        values = [
            {
                "kendall": run.agreement.all.kendall,
                "spearman": run.agreement.all.spearman,
                "kendall_top": run.agreement.top.kendall,
                "spearman_top": run.agreement.top.spearman,
            }
            for run in self.runs
        ]
        known = {
            name: [one[name].middle for one in values]  # type: ignore[union-attr]
            for name in values[0]
            if all(one[name] is not None for one in values)
        }
        known["regret"] = [run.choice.regret for run in self.runs]
        return {name: estimate(numbers) for name, numbers in known.items()}

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in `correlation.json`; unknown numbers are None."""
        ceiling = None if self.ceiling is None else plain_agreement(self.ceiling)
        plain = {
            "setting": dict(self.setting),
            "sentences": list(self.sentences),
            "runs": [
                {
                    "run": run.path,
                    "method": run.method,
                    "seed": run.seed,
                    "epochs": run.epochs,
                    "planned_epochs": run.planned,
                    **plain_agreement(run.agreement),
                    "choice": vars(run.choice),
                }
                for run in self.runs
            ],
            "over_runs": {name: _plain_estimate(one) for name, one in self.over_runs.items()},
            "baselines": {name: plain_agreement(one) for name, one in self.baselines.items()},
            "ceiling": ceiling,
            "random_regret": self.random,
            "cells": [
                {**vars(cell), "one_shot": [run.accuracies[index] for run in self.runs]}
                for index, cell in enumerate(self.cells)
            ],
        }
        return dict(finite(plain))


def order_agreement(
    values: Sequence[float], truth: Sequence[float], seed: int, *, repeats: int = REPEATS
) -> OrderAgreement:
    """Rank correlations of a measurement with true accuracies.

    >>> found = order_agreement(range(30), [*range(27), 29, 28, 27], seed=0)
    >>> found.top.n, found.top.kendall.middle, round(found.all.spearman.middle, 4)
    (3, -1.0, 0.9982)

    Args:
        values: The measurement of each cell.
        truth: The true accuracy of each cell.
        seed: Of the bootstrap; equal seeds resample the same cells.
        repeats: Resamples of the bootstrap.
    """
    measured, true = np.asarray(values, np.float64), np.asarray(truth, np.float64)
    top = np.argsort(-true, kind="stable")[: -(-len(true) // TOP_SHARE)]

    def correlated(chosen: NDArray[np.int64]) -> RankCorrelation:
        pair = measured[chosen].tolist(), true[chosen].tolist()
        return correlate_ranks(*pair, np.random.default_rng(seed), repeats=repeats)

    return OrderAgreement(correlated(np.arange(len(true))), correlated(top))


def choice(values: Sequence[float], truth: Sequence[float]) -> OneShotChoice:
    """What the cell with the highest measurement is truly worth.

    >>> choice([1, 3, 2], [90.0, 91.0, 93.5])
    OneShotChoice(cell=1, truth=91.0, rank=2, regret=2.5, table_rank=None)
    """
    cell = int(np.argmax(values))
    own, best = float(truth[cell]), float(max(truth))
    return OneShotChoice(cell, own, 1 + sum(one > own for one in truth), best - own)


def plain_agreement(one: OrderAgreement) -> dict[str, Any]:
    """Plain values of both correlations."""
    return {"all": _plain_correlation(one.all), "top_tenth": _plain_correlation(one.top)}


def _plain_correlation(one: RankCorrelation) -> dict[str, Any]:
    def plain(interval: Interval | None) -> dict[str, float] | None:
        return None if interval is None else interval.as_dict()

    return {"n": one.n, "kendall": plain(one.kendall), "spearman": plain(one.spearman)}


def _plain_estimate(one: Estimate) -> dict[str, Any]:
    interval = None if one.interval is None else one.interval.as_dict()
    return {"n": one.n, "mean": one.mean, "deviation": one.deviation, "interval": interval}
