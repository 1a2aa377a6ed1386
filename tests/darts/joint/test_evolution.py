import itertools

import numpy as np
import pytest

from darts.errors import UserError
from darts.joint.costs import Limits
from darts.joint.evolution import EvolutionOptions, adaptive_rates, evolve


def goodness(genes: np.ndarray) -> np.ndarray:
    """An arbitrary score of cells, not monotonic in any gene."""
    return np.log1p((genes * [1, 2, 3, 4, 5, 6]).sum(axis=1) % 37)


@pytest.fixture(scope="module")
def everything(cells) -> np.ndarray:
    return np.array(list(itertools.product(range(5), repeat=6)), np.float64)


@pytest.mark.parametrize("ceiling", [20e6, 60e6, 120e6])
def test_the_best_under_a_ceiling_is_found(cells, everything, ceiling: float) -> None:
    limits = Limits(max_macs=ceiling)
    within = everything[limits.admit(cells.costs(everything))]
    found = evolve(cells, goodness, limits, np.random.default_rng(0))
    assert found.scores[0] == goodness(within).max()
    assert limits.admit(found.costs).all()
    assert found.evaluated < len(within)


def test_every_scored_candidate_is_within_the_limits_and_scored_once(cells) -> None:
    limits = Limits(max_macs=60e6, max_params=0.5e6)
    seen: list[bytes] = []

    def score(genes: np.ndarray) -> np.ndarray:
        assert limits.admit(cells.costs(genes)).all()
        seen.extend(row.tobytes() for row in genes)
        return goodness(genes)

    found = evolve(cells, score, limits, np.random.default_rng(0))
    assert len(seen) == len(set(seen)) == found.evaluated


def test_best_score_never_falls_and_evolution_stops_without_improvement(cells) -> None:
    options = EvolutionOptions(best=0, random=10, children=2, keep=5, patience=4)
    found = evolve(cells, goodness, Limits(), np.random.default_rng(1), options=options)
    history = found.history
    assert list(history) == sorted(history)
    assert history[-1] == history[-5]
    assert len(history) == 5 or history[-6] < history[-1]
    assert (np.diff(found.scores) <= 0).all()
    assert len(found.genes) <= 5


def test_known_candidates_are_in_the_first_generation(cells, everything) -> None:
    best = everything[[goodness(everything).argmax()]]
    options = EvolutionOptions(random=5, children=1, keep=5, generations=1)
    found = evolve(cells, goodness, Limits(), np.random.default_rng(0), known=best, options=options)
    assert (found.genes[0] == best).all()


def test_results_depend_on_the_seed_only(cells) -> None:
    options = EvolutionOptions(random=10, children=2, keep=5, generations=3)

    def run(seed: int) -> np.ndarray:
        return evolve(cells, goodness, Limits(), np.random.default_rng(seed), options=options).genes

    assert np.array_equal(run(0), run(0))
    assert not np.array_equal(run(0), run(1))


def test_adaptive_rates_by_hand() -> None:
    scores = np.array([0.0, 2.0, 4.0, 4.0])  # mean 2.5, best 4: a spread of 1.5
    crossover, mutation = adaptive_rates(scores, np.array([0.0, 3.0, 0.0, 4.0]), scores)
    assert crossover == pytest.approx([1, 1 / 1.5, 0, 0])
    assert mutation == pytest.approx([0.5, 0.5, 0, 0])
    crossover, mutation = adaptive_rates(np.ones(2), np.ones(2), np.ones(2))
    assert crossover.tolist() == [1, 1]
    assert mutation.tolist() == [0.5, 0.5]


def test_nothing_within_the_limits(cells, monkeypatch) -> None:
    monkeypatch.setattr("darts.joint.problem._MOST_DRAWS", 10_000)
    with pytest.raises(UserError, match="none of 10,000 sampled"):
        evolve(cells, goodness, Limits(max_macs=10), np.random.default_rng(0))
