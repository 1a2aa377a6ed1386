"""Constrained iterative optimisation (FBNetV3, arXiv 2006.02049, §4 and A.3): stage 2 of a search.

Candidates are trained in rounds. After each round the predictor is fitted to the accuracies of all
rounds. The first round is quasi-random and trained to the end. It determines the early-stop epoch:
the first epoch whose accuracies rank the candidates nearly as the final ones do. Later rounds train
the candidate with the highest predicted accuracy of each cost bin, up to that epoch.

The paper leaves some points open. Here the rank correlation is Spearman's. The predictor learns the
accuracies of the early-stop epoch from all rounds, so full and stopped trainings are comparable. If
a cost bin is empty, its place goes to the highest prediction among the remaining candidates.
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

_SAME = 1e-9  # Largest difference of the genes of two equal candidates.

AccuracyCurve = tuple[float, ...]
"""Accuracy in % after each epoch; empty if the training failed."""


@dataclass(frozen=True, kw_only=True)
class TrainedCandidates:
    """Candidates of one round after their training.

    Attributes:
        genes: Genes `[m, variables]`.
        predicted: Accuracies (%) `[m]` that were predicted before; NaN in the first round.
        curves: Accuracies after each epoch, one curve per candidate.
    """

    genes: Floats
    predicted: Floats
    curves: tuple[AccuracyCurve, ...]


TrainRound = Callable[[int, Floats, Floats, int], TrainedCandidates]
"""Takes the number of the round, genes `[m, variables]`, predicted accuracies `[m]` and epochs.

If an earlier process already chose the candidates of this round, it returns those candidates:
floating-point results differ between machines, and a search may continue on another machine.
"""


@dataclass(frozen=True, kw_only=True)
class IterationOptions:
    """Sizes of stage 2; by default those of the paper's joint search.

    Attributes:
        rounds: Number of rounds T, including the first.
        candidates: Number of candidates m in each round.
        epochs: Epochs of a full training.
        rank_correlation: Threshold that defines the early-stop epoch.
        strategy: "predictor", or "random" for the baseline, in which all rounds are quasi-random.
        seed: Seed of the training of the predictor.
    """

    rounds: int = 5
    candidates: int = 48
    epochs: int = 150
    rank_correlation: float = 0.92
    strategy: str = "predictor"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Round(TrainedCandidates):
    """One round of a search.

    Attributes:
        costs: Costs of the candidates.
        epochs: Epochs for which they were trained.
    """

    costs: Costs
    epochs: int

    def accuracies(self, epoch: int) -> Floats:
        """Accuracies (%) `[m]` at this epoch, from 1; NaN where a training ended before it."""
        return np.array([c[epoch - 1] if len(c) >= epoch else np.nan for c in self.curves])


@dataclass(frozen=True, kw_only=True)
class IterationResult:
    """State of stage 2 after some or all rounds.

    Attributes:
        rounds: The rounds, in order.
        stop_epoch: Epoch, from 1, whose accuracies the predictor learns.
        correlations: Rank correlation of each epoch of the first round with its last epoch.
        predictor: The predictor after the last of the rounds.
    """

    rounds: tuple[Round, ...]
    stop_epoch: int
    correlations: tuple[float, ...]
    predictor: Predictor

    def measured(self) -> tuple[Floats, Floats]:
        """See `measured`, for all rounds and the early-stop epoch."""
        return measured(self.rounds, self.stop_epoch)

    def best_first(self) -> Floats:
        """See `best_first`, for all rounds and the early-stop epoch."""
        return best_first(self.rounds, self.stop_epoch)


def iterate(
    problem: Problem,
    pool: tuple[Floats, Costs],
    pretrained: Predictor,
    train: TrainRound,
    options: IterationOptions,
    on_round: Callable[[IterationResult], None] = lambda _: None,
) -> IterationResult:
    """Run all rounds.

    The result depends only on the arguments and on what `train` returns. A search whose trainings
    are stored therefore repeats itself exactly up to the point where it was interrupted.

    Args:
        problem: The space and its costs.
        pool: Genes and costs of the candidates to choose from; the first round takes the first
            ones.
        pretrained: The predictor before the first round.
        train: Trains a round; it may return stored results of an earlier call.
        options: Sizes of the rounds.
        on_round: Called with the state after each round.

    Raises:
        UserError: The pool has too few distinct candidates, or too few trainings succeeded.
    """
    genes, costs = _distinct(*pool)
    needed = options.rounds * options.candidates
    if len(genes) < needed:
        raise UserError(
            f"A pool of {len(genes)} distinct candidates is too small for {needed} trials. Raise "
            "--pool, or lower --rounds or --candidates."
        )
    untried = np.ones(len(genes), np.bool_)
    chosen = np.arange(options.candidates)
    predicted = np.full(options.candidates, np.nan)
    rounds: list[Round] = []
    epochs = options.epochs
    for number in range(options.rounds):
        trained = train(number, genes[chosen], predicted, epochs)
        for row in trained.genes:  # Genes read from a file differ in the last bits.
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
    """The pool without the repetitions that a small space causes, in the same order."""
    _, first = np.unique(genes, axis=0, return_index=True)
    first.sort()
    return genes[first], costs[first]


def measured(rounds: Sequence[Round], epoch: int) -> tuple[Floats, Floats]:
    """Genes `[N, variables]` and accuracies (%) `[N]` of all trainings that reached an epoch.

    Args:
        rounds: The rounds.
        epoch: The epoch, from 1.

    Raises:
        UserError: Fewer than two trainings reached the epoch.
    """
    pairs = [
        (genes, curve[epoch - 1])
        for done in rounds
        for genes, curve in zip(done.genes, done.curves, strict=True)
        if len(curve) >= epoch
    ]
    if len(pairs) < 2:
        raise UserError(
            f"{len(pairs)} trainings reached epoch {epoch}, but the predictor needs at least 2. "
            "The report and trials.sqlite in the run directory say why the others failed."
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
    """Fit the pretrained predictor to all accuracies at an epoch, from 1."""
    genes, accuracies = measured(rounds, epoch)
    features = (
        problem.space.features(genes, "architecture"),
        problem.space.features(genes, "recipe"),
    )
    return fit_predictor(pretrained, *features, accuracies, generator)


def rank_correlations(curves: Sequence[AccuracyCurve], epochs: int) -> tuple[float, ...]:
    """Spearman's rank correlation of the accuracies of each epoch with those of the last.

        ρ_t = Pearson(rank(a_t), rank(a_T)),    a_t: accuracies after epoch t, T: last epoch

    Trainings that did not reach the last epoch are ignored. The correlation is 0 for an epoch in
    which all accuracies are equal.

    >>> [round(r, 3) for r in rank_correlations([(10, 50), (20, 40), (30, 60)], epochs=2)]
    [0.5, 1.0]

    Args:
        curves: Accuracies of each training.
        epochs: T.

    Returns:
        One correlation per epoch.

    Raises:
        UserError: Fewer than two trainings reached the last epoch.
    """
    whole = np.array([curve for curve in curves if len(curve) == epochs]).reshape(-1, epochs)
    if len(whole) < 2:
        raise UserError(
            f"{len(whole)} trainings of the first round succeeded, but at least 2 are needed. The "
            "report and trials.sqlite in the run directory say why the others failed."
        )
    ranks = rankdata(whole, axis=0)
    centred = ranks - ranks.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    products = (centred * centred[:, -1:]).sum(axis=0)
    scale = norms * norms[-1]
    return tuple(np.divide(products, scale, out=np.zeros(epochs), where=scale > 0).tolist())


def early_stop_epoch(correlations: Sequence[float], threshold: float) -> int:
    """The first epoch, from 1, whose rank correlation exceeds the threshold, or else the last.

    >>> early_stop_epoch([0.3, 0.92, 0.95, 1.0], threshold=0.92)
    3
    """
    passing = (number for number, value in enumerate(correlations, 1) if value > threshold)
    return next(passing, len(correlations))


def stop_epoch(correlations: Sequence[float], threshold: float, strategy: str) -> int:
    """Epoch, from 1, at which later rounds stop and all candidates are compared.

    It is the last epoch for the strategy "random", which trains all candidates to the end.
    """
    early = strategy == "predictor"
    return early_stop_epoch(correlations, threshold) if early else len(correlations)


def best_of_bins(scores: Floats, costs: Floats, untried: np.ndarray, count: int) -> np.ndarray:
    """Choose the best untried candidate of each of `count` equal ranges of the costs.

    If a range has no untried candidate, the best remaining candidate of all takes its place.

    >>> scores, costs = np.array([1.0, 3.0, 2.0, 4.0]), np.array([0.0, 1.0, 6.0, 10.0])
    >>> best_of_bins(scores, costs, np.ones(4, bool), count=2)
    array([1, 3])

    Args:
        scores: Predicted accuracies `[N]`.
        costs: Costs `[N]`.
        untried: Whether each candidate may be chosen `[N]`.
        count: Number of ranges.

    Returns:
        Indices of the chosen candidates.
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
