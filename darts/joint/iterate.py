"""Constrained iterative optimisation (FBNetV3, arXiv 2006.02049, §4 and A.3): stage 2 of a search.

Rounds of candidates are trained, and after each one the predictor learns from all so far. The first
round is quasi-random and trained to the end; it tells after which epoch accuracies rank as they do
at the end, and later rounds stop there. Later rounds are the best predicted of each cost bin.

What the source leaves open, and how it is here: the rank correlation is Spearman's; all accuracies
that the predictor learns are those of the early-stop epoch, so that full and stopped trainings are
comparable; a bin without candidates, and candidates of a space in which all cost the same, give
their place to the best predicted of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import rankdata

from darts.errors import UserError
from darts.joint.costs import Costs
from darts.joint.predictor import Predictor, Scorer, fit_predictor
from darts.joint.problem import Problem
from darts.joint.variables import Floats
from darts.system.randomness import stream_seed

_SAME = 1e-9

AccuracyCurve = tuple[float, ...]
"""Accuracy in % after each epoch; empty where a training failed."""


@dataclass(frozen=True, kw_only=True)
class TrainedCandidates:
    """Candidates that were trained.

    Attributes:
        genes: [m, variables].
        predicted: Accuracies (%) [m] as the predictor saw them before; NaN in the first round.
        curves: Accuracies by epoch.
    """

    genes: Floats
    predicted: Floats
    curves: tuple[AccuracyCurve, ...]


TrainRound = Callable[[int, Floats, Floats, int], TrainedCandidates]
"""Takes the round's number, candidates [m, variables], what is predicted of them [m], and epochs.

Where the round was decided in an earlier process, it returns the candidates of then: floating-point
numbers differ between machines, and a search goes on anywhere.
"""


@dataclass(frozen=True, kw_only=True)
class IterationOptions:
    """Sizes of stage 2, those of the paper's joint search by default.

    Attributes:
        rounds: T, the first one included.
        candidates: m of each round.
        epochs: Of a full training.
        rank_correlation: What the early-stop epoch's must pass.
        strategy: predictor, or random for the baseline: all rounds quasi-random.
        seed: Of the predictor's training.
    """

    rounds: int = 5
    candidates: int = 48
    epochs: int = 150
    rank_correlation: float = 0.92
    strategy: str = "predictor"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Round(TrainedCandidates):
    """One round.

    Attributes:
        costs: Of its candidates.
        epochs: How long they were trained.
    """

    costs: Costs
    epochs: int

    def accuracies(self, epoch: int) -> Floats:
        """Accuracies (%) `[m]` at this epoch, from 1; NaN where a training ended before it."""
        return np.array([c[epoch - 1] if len(c) >= epoch else np.nan for c in self.curves])


@dataclass(frozen=True, kw_only=True)
class IterationResult:
    """Stage 2 when it is done.

    Attributes:
        rounds: In order.
        stop_epoch: Epoch, from 1, whose accuracies were learnt.
        correlations: Rank correlation of each epoch of the first round with its last.
        predictor: After all rounds.
    """

    rounds: tuple[Round, ...]
    stop_epoch: int
    correlations: tuple[float, ...]
    predictor: Predictor

    def measured(self) -> tuple[Floats, Floats]:
        """Genes [N, variables] and accuracies (%) [N] at the early-stop epoch of all that count."""
        return measured(self.rounds, self.stop_epoch)

    def best_first(self) -> Floats:
        """Genes of all that count, the most accurate first."""
        return best_first(self.rounds, self.stop_epoch)


def iterate(
    problem: Problem,
    pool: tuple[Floats, Costs],
    pretrained: Predictor,
    train: TrainRound,
    options: IterationOptions,
    on_round: Callable[[IterationResult], None] = lambda _: None,
) -> IterationResult:
    """Do all rounds.

    Everything follows from the arguments and what `train` returns, so that a search whose trainings
    are kept repeats itself exactly up to where it was cut off.

    Args:
        pool: Genes and costs to choose from; the first round is its beginning.
        train: Trains a round; what is kept of an earlier call need not be trained again.
        on_round: Called after each round.

    Raises:
        UserError: The pool has fewer different candidates than the rounds train, or too few
            trainings succeeded.
    """
    genes, costs = _distinct(*pool)
    needed = options.rounds * options.candidates
    if len(genes) < needed:
        raise UserError(
            f"A pool of {len(genes)} different candidates is too small for {needed} trials."
        )
    untried = np.ones(len(genes), np.bool_)
    chosen = np.arange(options.candidates)
    predicted = np.full(options.candidates, np.nan)
    rounds: list[Round] = []
    epochs = options.epochs
    for number in range(options.rounds):
        trained = train(number, genes[chosen], predicted, epochs)
        for row in trained.genes:  # What went through a file differs in the last bits.
            untried &= np.abs(genes - row).max(axis=1) > _SAME
        rounds.append(Round(**vars(trained), costs=problem.costs(trained.genes), epochs=epochs))
        if number == 0:
            correlations = rank_correlations(trained.curves, epochs)
            stop = stop_epoch(correlations, options.rank_correlation, options.strategy)
        epochs = stop
        generator = torch.Generator().manual_seed(stream_seed(options.seed, f"predictor {number}"))
        predictor = refit(problem, pretrained, rounds, stop, generator)
        done = IterationResult(
            rounds=tuple(rounds), stop_epoch=stop, correlations=correlations, predictor=predictor
        )
        on_round(done)
        if number + 1 == options.rounds:
            break
        scores = Scorer(problem, predictor)(genes)
        if options.strategy == "predictor":
            chosen = best_of_bins(scores, costs.macs, untried, options.candidates)
        else:
            chosen = np.arange(options.candidates) + (number + 1) * options.candidates
        predicted = scores[chosen]
    return done


def _distinct(genes: Floats, costs: Costs) -> tuple[Floats, Costs]:
    """The pool without repetitions, which a space of few values has, in its order."""
    _, first = np.unique(genes, axis=0, return_index=True)
    first.sort()
    return genes[first], costs[first]


def measured(rounds: Sequence[Round], epoch: int) -> tuple[Floats, Floats]:
    """Genes and accuracies (%) at this epoch, from 1, of all trainings that got so far."""
    pairs = [
        (genes, curve[epoch - 1])
        for done in rounds
        for genes, curve in zip(done.genes, done.curves, strict=True)
        if len(curve) >= epoch
    ]
    if len(pairs) < 2:
        raise UserError(
            f"{len(pairs)} trainings reached epoch {epoch}; at least 2 are needed to learn from. "
            "See why the others failed: their errors stand in the experiment."
        )
    genes, accuracies = zip(*pairs, strict=True)
    return np.stack(genes), np.array(accuracies)


def best_first(rounds: Sequence[Round], epoch: int) -> Floats:
    """Genes of the candidates that `measured` returns, the most accurate first."""
    genes, accuracies = measured(rounds, epoch)
    return genes[np.argsort(-accuracies, kind="stable")]


def refit(
    problem: Problem,
    pretrained: Predictor,
    rounds: Sequence[Round],
    epoch: int,
    generator: torch.Generator,
) -> Predictor:
    """The pretrained predictor after learning all accuracies at this epoch."""
    genes, accuracies = measured(rounds, epoch)
    features = (
        problem.space.features(genes, "architecture"),
        problem.space.features(genes, "recipe"),
    )
    return fit_predictor(pretrained, *features, accuracies, generator)


def rank_correlations(curves: Sequence[AccuracyCurve], epochs: int) -> tuple[float, ...]:
    """Spearman's rank correlation of each epoch's accuracies with the last one's, [epochs].

    Trainings that did not reach the last epoch are left out. An epoch in which all are equal
    correlates with nothing: 0.
    """
    whole = np.array([curve for curve in curves if len(curve) == epochs]).reshape(-1, epochs)
    if len(whole) < 2:
        raise UserError(
            f"{len(whole)} trainings of the first round succeeded; at least 2 are needed. See why "
            "the others failed: their errors stand in the experiment."
        )
    ranks = rankdata(whole, axis=0)
    centred = ranks - ranks.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    products = (centred * centred[:, -1:]).sum(axis=0)
    scale = norms * norms[-1]
    return tuple(np.divide(products, scale, out=np.zeros(epochs), where=scale > 0).tolist())


def early_stop_epoch(correlations: Sequence[float], threshold: float) -> int:
    """The first epoch, from 1, whose rank correlation passes the threshold; else the last."""
    passing = (number for number, value in enumerate(correlations, 1) if value > threshold)
    return next(passing, len(correlations))


def stop_epoch(correlations: Sequence[float], threshold: float, strategy: str) -> int:
    """Epoch, from 1, at which later rounds stop and all candidates are compared.

    The random baseline trains all to the end.
    """
    early = strategy == "predictor"
    return early_stop_epoch(correlations, threshold) if early else len(correlations)


def best_of_bins(scores: Floats, costs: Floats, untried: np.ndarray, count: int) -> np.ndarray:
    """Indices of the best untried candidate in each of `count` equal ranges of the costs [N].

    Ranges without one leave their place to the best untried ones of all.
    """
    low, high = costs.min(), costs.max()
    width = (high - low) / count if high > low else 1.0
    bins = np.minimum(((costs - low) / width).astype(np.int64), count - 1)
    order = np.argsort(-scores, kind="stable")
    order = order[untried[order]]
    _, first = np.unique(bins[order], return_index=True)
    chosen = order[first]
    others = order[~np.isin(order, chosen)]
    return np.concatenate([chosen, others[: count - len(chosen)]])
