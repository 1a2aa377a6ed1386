"""Does the predictor need its pretraining? Cross-validation on the trained candidates of a search.

FBNetV3 (arXiv 2006.02049, §4) pretrains the embedding on costs. Here predictors with and without it
are fitted to some of the measured accuracies and judged by the others. The trained candidates are
cut into folds; each fold is predicted from growing parts of the others. No training is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from darts.errors import UserError
from darts.joint.arms import plain_estimate
from darts.joint.directory import SearchRecord
from darts.joint.iterate import measured
from darts.joint.predictor import (
    Predictor,
    create_predictor,
    fit_predictor,
    predict_accuracies,
)
from darts.joint.search import pretrained_predictor
from darts.joint.variables import Floats
from darts.models.arrays import IntArray
from darts.report.frame import dress
from darts.report.style import CURVES
from darts.report.tables import Row
from darts.statistics.estimates import Estimate, estimate
from darts.statistics.ranks import spearman
from darts.system.randomness import stream_seed

_PARTS = (1 / 3, 2 / 3, 1.0)
_LEAST = 10  # Trained candidates; fewer say nothing.


@dataclass(frozen=True, kw_only=True)
class PredictorQuality:
    """How well predictors of one kind foresee accuracies that they have not seen.

    Attributes:
        pretrained: Whether the embedding was pretrained on costs.
        candidates: Number of candidates whose accuracies a predictor has learnt.
        correlation: Spearman's rank correlation with the measured accuracies, over the folds.
        error: Root of the mean squared error in percentage points, over the folds.
    """

    pretrained: bool
    candidates: int
    correlation: Estimate
    error: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "pretrained": self.pretrained,
            "candidates": self.candidates,
            "correlation": plain_estimate(self.correlation),
            "error": plain_estimate(self.error),
        }


@dataclass(frozen=True)
class PredictorAblation:
    """The outcome of a cross-validation.

    Attributes:
        qualities: By number of candidates, first with pretraining, then without.
        difference: Error with minus error without pretraining at the most candidates, in points,
            paired by fold and seed.
        candidates: All trained candidates.
        folds: Number of folds.
        seeds: Number of seeds of the predictors.
    """

    qualities: tuple[PredictorQuality, ...]
    difference: Estimate
    candidates: int
    folds: int
    seeds: int

    def sentence(self) -> str:
        """The outcome in words."""
        found, interval = self.difference, self.difference.interval
        assert interval is not None
        words = f"{abs(found.mean):.2f} points [{interval.low:+.2f}, {interval.high:+.2f}]"
        if not interval.excludes_zero:
            return (
                "It is not shown that pretraining on costs changes the error of the predictor: "
                f"with it minus without it {found.mean:+.2f} points "
                f"[{interval.low:+.2f}, {interval.high:+.2f}]."
            )
        verb = "lowers" if found.mean < 0 else "raises"
        return f"Pretraining on costs {verb} the error of the predictor by {words}."

    def rows(self) -> list[Row]:
        """A row of text for each kind and size; the first is the head."""
        rows: list[Row] = [("learnt from", "pretrained", "n", "rank correlation", "error, points")]
        for one in self.qualities:
            name = "yes" if one.pretrained else "no"
            n = str(one.error.n)
            rows.append((str(one.candidates), name, n, _words(one.correlation), _words(one.error)))
        return rows

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for scripts."""
        return {
            "sentence": self.sentence(),
            "candidates": self.candidates,
            "folds": self.folds,
            "seeds": self.seeds,
            "difference": plain_estimate(self.difference),
            "qualities": [one.as_dict() for one in self.qualities],
        }


def ablate_predictor(
    record: SearchRecord, *, folds: int = 5, seeds: int = 3, seed: int = 0
) -> PredictorAblation:
    """Cross-validate predictors with and without pretraining.

    Args:
        record: A search with at least one finished round.
        folds: Number of folds.
        seeds: Number of repetitions with other initial weights and folds.
        seed: First seed.

    Raises:
        UserError: Too few candidates are trained, or the space has no architectures.
    """
    if record.stop_epoch is None:
        raise UserError(f"{record.path}: the first round of the search is not finished.")
    genes, accuracies = measured(record.rounds, record.stop_epoch)
    if len(genes) < max(_LEAST, 2 * folds):
        raise UserError(
            f"{record.path} has {len(genes)} trained candidates; {max(_LEAST, 2 * folds)} or more "
            f"are needed for {folds} folds."
        )
    if not record.problem.space.width("architecture"):
        raise UserError(
            f"{record.problem.space.name} is a space of recipes: all candidates have one network, "
            "so there are no costs to pretrain a predictor on."
        )
    pool, _ = record.problem.pool(int(record.config["pool"]), record.limits, record.config["seed"])
    found: dict[tuple[float, bool], list[tuple[int, float, float]]] = {}
    for number in range(seed, seed + seeds):
        starts = {True: _pretrained(record, pool, number), False: _fresh(record, number)}
        for learnt, held in _folds(len(genes), folds, number):
            for part, kind in product(_PARTS, starts):
                some = learnt[: max(2, round(part * len(learnt)))]
                predictor = _fitted(starts[kind], record, genes, accuracies, some, kind, number)
                predicted = predict_accuracies(predictor, *_features(record, genes[held]))
                rho = spearman(predicted, accuracies[held])
                error = float(np.sqrt(np.mean((predicted - accuracies[held]) ** 2)))
                row = (len(some), rho if np.isfinite(rho) else 0.0, error)
                found.setdefault((part, kind), []).append(row)
    qualities = tuple(
        PredictorQuality(
            pretrained=pretrained,
            candidates=round(float(np.mean([row[0] for row in rows]))),
            correlation=estimate([row[1] for row in rows]),
            error=estimate([row[2] for row in rows]),
        )
        for (_, pretrained), rows in found.items()
    )
    pairs = zip(found[1.0, True], found[1.0, False], strict=True)
    difference = estimate([with_it[2] - without[2] for with_it, without in pairs])
    return PredictorAblation(qualities, difference, len(genes), folds, seeds)


def _folds(count: int, folds: int, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
    """The numbers of the learnt and of the held-out candidates of each fold."""
    order = np.random.default_rng(stream_seed(seed, "folds")).permutation(count)
    for number in range(folds):
        held = order[number::folds]
        yield order[~np.isin(order, held)], held


def _pretrained(record: SearchRecord, pool: Floats, seed: int) -> Predictor:
    return pretrained_predictor(record.problem, pool, seed)[0]


def _fresh(record: SearchRecord, seed: int) -> Predictor:
    weights = torch.Generator().manual_seed(stream_seed(seed, "predictor weights"))
    return create_predictor(record.problem.space, weights)


def _features(record: SearchRecord, genes: Floats) -> tuple[Floats, Floats]:
    space = record.problem.space
    return space.features(genes, "architecture"), space.features(genes, "recipe")


def _fitted(
    start: Predictor,
    record: SearchRecord,
    genes: Floats,
    accuracies: Floats,
    learnt: IntArray,
    pretrained: bool,
    seed: int,
) -> Predictor:
    """A predictor that has learnt the accuracies of some candidates."""
    order = torch.Generator().manual_seed(stream_seed(seed, "predictor fitting"))
    inputs = _features(record, genes[learnt])
    if pretrained:
        return fit_predictor(start, *inputs, accuracies[learnt], order)
    # Without pretraining there is no reason to freeze the embedding: all layers learn throughout.
    free: dict[str, Any] = {"frozen_epochs": 0, "epochs": 100, "reduced_rate": 0.01}
    return fit_predictor(start, *inputs, accuracies[learnt], order, **free)


def plot_ablation(ablation: PredictorAblation) -> Figure:
    """Error over the number of learnt candidates, with 95 % intervals."""
    figure = Figure(figsize=(6.2, 3.5), layout="constrained")
    axes = figure.add_subplot()
    for pretrained, label, colour in zip(
        (True, False), ("pretrained on costs", "not pretrained"), CURVES, strict=False
    ):
        rows = [one for one in ablation.qualities if one.pretrained == pretrained]
        means = [one.error.mean for one in rows]
        lengths = [
            0.0 if one.error.interval is None else one.error.interval.high - one.error.mean
            for one in rows
        ]
        numbers: Sequence[int] = [one.candidates for one in rows]
        axes.errorbar(numbers, means, lengths, marker="o", capsize=3, label=label, color=colour)
    dress(axes)
    axes.legend(frameon=False)
    axes.set(xlabel="candidates that the predictor has learnt", ylabel="error (points)")
    axes.set_ylim(bottom=0)
    return figure


def _words(one: Estimate) -> str:
    if one.interval is None:
        return f"{one.mean:.2f}"
    return f"{one.mean:.2f} ± {one.deviation:.2f} [{one.interval.low:.2f}, {one.interval.high:.2f}]"
