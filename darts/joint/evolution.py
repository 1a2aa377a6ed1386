"""Evolution of candidates within limits, by predicted accuracy (FBNetV3, §4, stage 3).

The sizes are those of the paper (arXiv 2006.02049): the first generation consists of the 50 best
known and 50 random candidates; each candidate has 24 children within the limits; the best 40
survive; the evolution ends when the best score stops improving.

The paper calls the algorithm adaptive but gives no rates. The rates here are those of Srinivas and
Patnaik (Adaptive probabilities of crossover and mutation in genetic algorithms, 1994): the fitter a
parent, the less it is changed. The paper does not say either whether parents may survive. Here they
compete with their children, so the best candidate is never lost.
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
"""Takes genes `[N, variables]`, returns scores `[N]`; higher is better."""

# Number of times that children outside the limits are resampled before they are dropped.
_ATTEMPTS = 20


@dataclass(frozen=True, kw_only=True)
class EvolutionOptions:
    """Sizes of an evolution.

    Attributes:
        best: Number of known good candidates in the first generation.
        random: Number of random candidates in the first generation.
        children: Number of children of each candidate.
        keep: Number of candidates that survive a generation.
        patience: Stop after this number of generations without an improvement.
        tolerance: Smallest increase of the best score that counts as an improvement. The paper
            gives no value; with continuous variables the score would improve forever.
        generations: Largest number of generations.
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
    """The last generation, the best candidate first.

    Attributes:
        genes: Genes `[keep, variables]`.
        scores: Scores `[keep]`.
        costs: Costs of the candidates.
        history: Best score after each generation.
        evaluated: Number of distinct candidates that were scored.
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
    """Search the candidates within `limits` that have the highest scores.

    >>> from darts.joint.networks.setting import NetworkSetting
    >>> from darts.joint.space_file import find_joint_space
    >>> problem = Problem(find_joint_space("nb201"), NetworkSetting(num_classes=10, resolution=32))
    >>> most_convolutions = lambda genes: (genes == 4).sum(axis=1).astype(float)
    >>> generator = np.random.default_rng(0)
    >>> evolve(problem, most_convolutions, Limits(max_macs=100e6), generator).history[-1]
    2.0

    Args:
        problem: The space and its costs.
        score: The function to maximise.
        limits: Limits on the costs.
        generator: Random stream of mates, crossover and mutation.
        known: Good candidates `[N, variables]`, the best first; those outside the limits are
            ignored.
        seed: Seed of the random candidates in the first generation.
        options: Sizes of the evolution; by default those of the paper.

    Raises:
        UserError: No candidate is within the limits.
    """
    options = options or EvolutionOptions()
    population = problem.pool(options.random, limits, seed)[0]
    if known is not None and len(known):
        within = known[limits.admit(problem.costs(known))][: options.best]
        population = np.concatenate([within, population])
    if not len(population):
        raise UserError(f"{problem.space.name}: no candidate is within the limits.")
    population = _unique(population)
    scores = score(population)
    evaluated = {row.tobytes() for row in population}
    history: list[float] = [float(scores.max())]
    for _ in range(options.generations):
        children = _children(problem, population, scores, limits, generator, options.children)
        # Each distinct candidate is scored only once.
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
    """Probabilities `[2, N]` of crossover, and of the mutation of each gene.

        p_crossover = min(1, (max - f') / (max - mean))
        p_mutation = min(1/2, 1/2 · (max - f) / (max - mean))

    f is the score of a candidate, f' the higher score of the candidate and its mate; max and mean
    are taken over the generation (Srinivas and Patnaik, 1994).

    >>> adaptive_rates(np.array([1.0, 2.0, 3.0]), np.ones(3), np.array([1.0, 2.0, 3.0]))
    array([[1. , 1. , 0. ],
           [0.5, 0.5, 0. ]])

    Args:
        scores: Scores of the candidates `[N]`.
        mates: Scores of their mates `[N]`.
        all_scores: Scores of the generation.
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
    """Distinct children of parents `[N, variables]` within the limits, at most N·each."""
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
        # Without a minimum the best candidate would never mutate: change one gene on average.
        mutates = generator.random(shape) < np.maximum(mutation, 1 / len(space))[:, None]
        genes = np.where(mutates, space.draw(generator.random(shape)), genes)
        within = limits.admit(problem.costs(genes))
        born.append(genes[within])
        waiting = waiting[~within]
        if not len(waiting):
            break
    return _unique(np.concatenate(born))


def _unique(genes: Floats) -> Floats:
    """Distinct rows, in the order of their first appearance."""
    _, first = np.unique(genes, axis=0, return_index=True)
    return genes[np.sort(first)]
