"""Evolution of candidates under a ceiling, by their predicted scores (FBNetV3, §4, stage 3).

The source gives the sizes: 50 of the best candidates known and 50 random ones begin; each has 24
children within the limits; the best 40 live on; the end is when the best score no longer gains. It
calls the algorithm adaptive without giving rates; these are those of Srinivas and Patnaik (Adaptive
probabilities of crossover and mutation in genetic algorithms, 1994): the fitter a parent, the less
it is changed. Parents compete with their children, so that the best one is never lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from darts.errors import UserError
from darts.joint.costs import Costs, Limits
from darts.joint.problem import Problem
from darts.joint.variables import Floats
from darts.system.randomness import stream_seed

Score = Callable[[Floats], Floats]
"""Takes genes [N, variables], returns scores [N]; more is better."""

# How often children outside the limits are drawn anew before they are given up.
_ATTEMPTS = 20


@dataclass(frozen=True, kw_only=True)
class EvolutionOptions:
    """Sizes of an evolution.

    Attributes:
        best: Candidates known to be good that begin.
        random: Random candidates that begin.
        children: Of each candidate of a generation.
        keep: Candidates that live on.
        patience: So many generations without a gain end it.
        tolerance: A gain is more than this; in points of accuracy, where scores are predictions.
            The source gives none; real-valued variables gain ever less without end.
        generations: Most generations.
    """

    best: int = 50
    random: int = 50
    children: int = 24
    keep: int = 40
    patience: int = 5
    tolerance: float = 1e-3
    generations: int = 200


@dataclass(frozen=True, kw_only=True)
class Evolved:
    """The last generation, the best first.

    Attributes:
        genes: [keep, variables].
        scores: [keep].
        costs: Of these.
        history: Best score after each generation.
        evaluated: Number of different candidates that were scored.
    """

    genes: Floats
    scores: Floats
    costs: Costs
    history: tuple[float, ...]
    evaluated: int


def evolve(
    problem: Problem,
    score: Score,
    limits: Limits,
    generator: np.random.Generator,
    *,
    known: Floats | None = None,
    seed: int = 0,
    options: EvolutionOptions | None = None,
) -> Evolved:
    """The best candidates within `limits` by `score`.

    Args:
        generator: Of mates, crossover and mutation.
        known: Good candidates [N, variables], the best first; those outside the limits are left
            out.
        seed: Of the random candidates that begin.

    Raises:
        UserError: No candidate lies within the limits.
    """
    options = options or EvolutionOptions()
    population = problem.pool(options.random, limits, seed)[0]
    if known is not None and len(known):
        within = known[limits.admit(problem.costs(known))][: options.best]
        population = np.concatenate([within, population])
    if not len(population):
        raise UserError(f"{problem.space.name}: no candidate lies within the limits.")
    population = _unique(population)
    scores = score(population)
    evaluated = {row.tobytes() for row in population}
    history: list[float] = [float(scores.max())]
    for _ in range(options.generations):
        children = _children(problem, population, scores, limits, generator, options.children)
        # A candidate is scored once, however often it is born.
        fresh = np.array([row.tobytes() not in evaluated for row in children], np.bool_)
        children = children[fresh]
        evaluated.update(row.tobytes() for row in children)
        if len(children):
            population = np.concatenate([population, children])
            scores = np.concatenate([scores, score(children)])
        order = np.argsort(-scores, kind="stable")[: options.keep]
        population, scores = population[order], scores[order]
        history.append(float(scores[0]))
        stale = len(history) - 1 - options.patience
        if stale >= 0 and history[-1] - history[stale] <= options.tolerance:
            break
    return Evolved(
        genes=population,
        scores=scores,
        costs=problem.costs(population),
        history=tuple(history),
        evaluated=len(evaluated),
    )


def evolve_seeded(
    problem: Problem, score: Score, limits: Limits, known: Floats, seed: int
) -> Evolved:
    """`evolve` with all its random streams derived from the seed of a search."""
    generator = np.random.default_rng(stream_seed(seed, "evolution"))
    return evolve(problem, score, limits, generator, known=known, seed=seed + 1)


def adaptive_rates(scores: Floats, mates: Floats, all_scores: Floats) -> Floats:
    """Probabilities [2, N] of a crossover, and of each gene's mutation.

    A pair whose better one scores f' crosses with probability (max - f') / (max - mean), at most 1;
    a gene of a candidate that scores f mutates with half of (max - f) / (max - mean), at most 1/2.

    >>> adaptive_rates(np.array([1.0, 2.0, 3.0]), np.ones(3), np.array([1.0, 2.0, 3.0]))
    array([[1. , 1. , 0. ],
           [0.5, 0.5, 0. ]])
    """
    best, mean = all_scores.max(), all_scores.mean()
    spread = best - mean
    if spread <= 0:
        return np.stack([np.ones(len(scores)), np.full(len(scores), 0.5)])
    crossover = (best - np.maximum(scores, mates)) / spread
    mutation = 0.5 * (best - scores) / spread
    return np.stack([np.minimum(crossover, 1.0), np.minimum(mutation, 0.5)])


def _children(
    problem: Problem,
    parents: Floats,
    scores: Floats,
    limits: Limits,
    generator: np.random.Generator,
    each: int,
) -> Floats:
    """Different children of parents [N, variables] within the limits, at most N·each."""
    space = problem.space
    waiting = np.repeat(np.arange(len(parents)), each)
    born: list[Floats] = []
    for _ in range(_ATTEMPTS):
        shape = (len(waiting), len(space))
        mates = generator.integers(len(parents), size=len(waiting))
        crossover, mutation = adaptive_rates(scores[waiting], scores[mates], scores)
        crosses = generator.random(len(waiting)) < crossover
        taken = crosses[:, None] & (generator.random(shape) < 0.5)
        genes = np.where(taken, parents[mates], parents[waiting])
        # Even the best one must change somewhere, on average in one gene.
        mutates = generator.random(shape) < np.maximum(mutation, 1 / len(space))[:, None]
        genes = np.where(mutates, space.draw(generator.random(shape)), genes)
        within = limits.admit(problem.costs(genes))
        born.append(genes[within])
        waiting = waiting[~within]
        if not len(waiting):
            break
    return _unique(np.concatenate(born))


def _unique(genes: Floats) -> Floats:
    """Different rows, in the order of their first appearance."""
    _, first = np.unique(genes, axis=0, return_index=True)
    return genes[np.sort(first)]
