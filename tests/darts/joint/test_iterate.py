import zlib

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from darts.errors import UserError
from darts.joint.costs import Limits
from darts.joint.iterate import (
    AccuracyCurve,
    IterationOptions,
    TrainedCandidates,
    TrainRound,
    best_of_bins,
    early_stop_epoch,
    iterate,
    rank_correlations,
)
from darts.joint.predictor import create_predictor, pretrain_predictor

OPTIONS = IterationOptions(rounds=3, candidates=8, epochs=6)


def curve_of(genes: np.ndarray, epochs: int) -> AccuracyCurve:
    """A fake curve: better with more 3x3 convolutions, noisy in the first epochs."""
    noise = np.random.default_rng(zlib.crc32(genes.tobytes()))
    final = 60 + 5 * (genes == 4).sum() + noise.random()
    return tuple(final - 20 / (epoch + 1) ** 3 * noise.random() for epoch in range(epochs))


class Trainer:
    """Returns fake curves and records the sizes of rounds; the round `dies` raises."""

    def __init__(self, dies: int | None = None) -> None:
        self.asked: list[tuple[int, int]] = []
        self.dies = dies

    def __call__(
        self, number: int, genes: np.ndarray, predicted: np.ndarray, epochs: int
    ) -> TrainedCandidates:
        if number == self.dies:
            raise KeyboardInterrupt
        self.asked.append((len(genes), epochs))
        curves = tuple(curve_of(row, epochs) for row in genes)
        return TrainedCandidates(genes=genes, predicted=predicted, curves=curves)


@pytest.fixture(scope="module")
def start(cells):
    pool = cells.pool(200, Limits(), 0)
    predictor = create_predictor(cells.space, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    pretrain_predictor(predictor, cells.space.features(pool[0]), pool[1], generator, epochs=3)
    return pool, predictor


def test_rounds(cells, start) -> None:
    (genes, costs), predictor = start
    trainer, told = Trainer(), []
    done = iterate(cells, (genes, costs), predictor, trainer, OPTIONS, told.append)
    stop = done.stop_epoch
    assert trainer.asked == [(8, 6), (8, stop), (8, stop)]
    assert [len(state.rounds) for state in told] == [1, 2, 3]
    assert (done.rounds[0].genes == genes[:8]).all()
    assert np.isnan(done.rounds[0].predicted).all()
    assert np.isfinite(done.rounds[2].predicted).all()
    everyone = np.concatenate([part.genes for part in done.rounds])
    assert len(np.unique(everyone, axis=0)) == 24  # Nothing is trained twice.
    seen, accuracies = done.measured()
    expected = [curve_of(row, 6 if n < 8 else stop)[stop - 1] for n, row in enumerate(everyone)]
    assert (seen == everyone).all()
    assert accuracies.tolist() == expected
    assert (done.best_first()[0] == seen[accuracies.argmax()]).all()


def test_an_interrupted_search_is_reproduced_exactly(cells, start) -> None:
    pool, predictor = start
    whole = iterate(cells, pool, predictor, Trainer(), OPTIONS)
    for dies in (0, 2):
        with pytest.raises(KeyboardInterrupt):
            iterate(cells, pool, predictor, Trainer(dies), OPTIONS)
        again = iterate(cells, pool, predictor, Trainer(), OPTIONS)
        for one, other in zip(whole.rounds, again.rounds, strict=True):
            assert (one.genes == other.genes).all()
        weights = (whole.predictor.state_dict(), again.predictor.state_dict())
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_random_strategy_trains_all_to_the_end(cells, start) -> None:
    (genes, costs), predictor = start
    options = IterationOptions(rounds=3, candidates=8, epochs=6, strategy="random")
    trainer = Trainer()
    done = iterate(cells, (genes, costs), predictor, trainer, options)
    assert trainer.asked == [(8, 6)] * 3
    assert done.stop_epoch == 6
    assert done.measured()[1].tolist() == [curve_of(row, 6)[-1] for row in genes[:24]]
    assert (np.concatenate([part.genes for part in done.rounds]) == genes[:24]).all()


def test_failed_trainings_are_ignored(cells, start) -> None:
    pool, predictor = start

    def without(failed: set[int]) -> TrainRound:
        def train(number, genes, predicted, epochs) -> TrainedCandidates:
            curves = (() if n in failed else curve_of(row, epochs) for n, row in enumerate(genes))
            return TrainedCandidates(genes=genes, predicted=predicted, curves=tuple(curves))

        return train

    done = iterate(cells, pool, predictor, without({1}), OPTIONS)
    assert len(done.measured()[1]) == 3 * 7
    with pytest.raises(UserError, match="0 trainings of the first round succeeded"):
        iterate(cells, pool, predictor, without(set(range(8))), OPTIONS)


def test_a_round_chosen_on_another_machine_is_kept(cells, start) -> None:
    (genes, costs), predictor = start

    def train(number, proposed, predicted, epochs) -> TrainedCandidates:
        # Another machine differs in the last bits.
        taken = genes[100:108] + 1e-15 if number == 1 else proposed
        curves = tuple(curve_of(row, epochs) for row in taken)
        return TrainedCandidates(genes=taken, predicted=predicted, curves=curves)

    done = iterate(cells, (genes, costs), predictor, train, OPTIONS)
    assert done.rounds[1].genes == pytest.approx(genes[100:108])
    assert (done.rounds[1].costs.macs == costs.macs[100:108]).all()
    later = {tuple(row) for row in done.rounds[2].genes}
    assert not later & {tuple(row) for row in genes[:8]}
    assert not later & {tuple(row) for row in genes[100:108]}


def test_a_pool_too_small(cells, start) -> None:
    (genes, costs), predictor = start
    first = np.sort(np.unique(genes, axis=0, return_index=True)[1])
    for few in (first[:23], np.repeat(first[:23], 2)):  # Repetitions count once.
        with pytest.raises(UserError, match="pool of 23 distinct candidates is too small for 24"):
            iterate(cells, (genes[few], costs[few]), predictor, Trainer(), OPTIONS)


def test_rank_correlations_are_spearmans(uniform) -> None:
    curves = np.round(uniform(12, 5), 1)  # with ties
    found = rank_correlations([tuple(row) for row in curves], 5)
    assert found == pytest.approx([spearmanr(curves[:, n], curves[:, 4])[0] for n in range(5)])
    assert found[-1] == pytest.approx(1)
    curves[:, 0] = 10.0
    assert rank_correlations([tuple(row) for row in curves], 5)[0] == 0


def test_the_early_stop_epoch() -> None:
    assert early_stop_epoch([0.3, 0.92, 0.95, 0.9, 1.0], 0.92) == 3  # 0.92 does not exceed 0.92.
    assert early_stop_epoch([0.0, 0.0], 0.92) == 2


def test_the_best_of_each_bin_by_hand() -> None:
    costs = np.array([0.0, 1, 2, 5, 6, 10])
    scores = np.array([1.0, 3, 2, 9, 8, 4])
    untried = np.array([True, True, True, True, True, True])
    # Bins of width 5: [0, 5) has the first three candidates, [5, 10] the others.
    assert best_of_bins(scores, costs, untried, 2).tolist() == [1, 3]
    untried[1] = False
    assert best_of_bins(scores, costs, untried, 2).tolist() == [2, 3]
    # Bins of width 2: each has exactly one untried candidate.
    assert sorted(best_of_bins(scores, costs, untried, 5).tolist()) == [0, 2, 3, 4, 5]
    # If all costs are equal, the best candidates of all are chosen.
    assert best_of_bins(scores, np.ones(6), np.ones(6, bool), 3).tolist() == [3, 4, 5]
