from pathlib import Path

import numpy as np
import pytest
import torch

from darts.errors import UserError
from darts.joint.costs import Limits
from darts.joint.predictor import (
    Scorer,
    create_predictor,
    fit_predictor,
    load_predictor,
    predict_accuracies,
    predict_costs,
    pretrain_predictor,
    save_predictor,
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def pool(cells):
    return cells.pool(3000, Limits(), 0)


@pytest.fixture(scope="module")
def pretrained(cells, pool):
    genes, costs = pool
    predictor = create_predictor(cells.space, seeded(0))
    report = pretrain_predictor(predictor, cells.space.features(genes), costs, seeded(1), epochs=20)
    return predictor, report


def test_costs_are_learned(cells, pool, pretrained) -> None:
    predictor, report = pretrained
    genes, costs = pool
    assert report.architectures == 600
    assert min(report.correlation.values()) > 0.97
    assert min(report.rank_correlation.values()) > 0.97
    guessed = predict_costs(predictor, cells.space.features(genes))
    assert np.median(np.abs(np.log(guessed.macs / costs.macs))) < 0.15


def test_recipes_do_not_reach_the_proxy_head(space) -> None:
    predictor = create_predictor(space, seeded(0))
    assert predictor.widths == {"architecture": 6, "recipe": 6}
    assert predictor.embedding.in_features == 6
    assert predictor.embedding.out_features == 24
    assert predictor.proxy_head.in_features == 24
    assert predictor.hidden.in_features == 24 + 6


def test_the_embedding_is_frozen_at_first(cells, pool, pretrained) -> None:
    features = cells.space.features(pool[0][:20])
    accuracies, none = np.arange(20.0), np.zeros((20, 0))
    before = pretrained[0].embedding.weight.clone()
    frozen = fit_predictor(
        pretrained[0], features, none, accuracies, seeded(0), frozen_epochs=3, epochs=0
    )
    assert torch.equal(frozen.embedding.weight, before)
    assert not torch.equal(frozen.hidden.weight, pretrained[0].hidden.weight)
    free = fit_predictor(
        pretrained[0], features, none, accuracies, seeded(0), frozen_epochs=0, epochs=3
    )
    assert not torch.equal(free.embedding.weight, before)
    # The pretrained predictor is unchanged, for the next round.
    assert torch.equal(pretrained[0].embedding.weight, before)


def test_accuracies_are_predicted_in_percent(cells, pool, pretrained) -> None:
    genes, costs = pool
    accuracies = 90 + 2 * np.log(costs.macs / costs.macs.mean())
    features, none = cells.space.features(genes), np.zeros((len(genes), 0))
    learnt = fit_predictor(pretrained[0], features[:100], none[:100], accuracies[:100], seeded(0))
    guessed = predict_accuracies(learnt, features, none)
    assert np.abs(guessed - accuracies)[200:].mean() < 0.2 * accuracies.std()


def test_outliers_do_not_stretch_the_scale(cells, pool, pretrained) -> None:
    features = cells.space.features(pool[0][:11])
    accuracies = np.array([90.0, 91, 92, 93, 94, 95, 96, 97, 98, 10, 10])
    data = (features, np.zeros((11, 0)), accuracies, seeded(0))
    learnt = fit_predictor(pretrained[0], *data, frozen_epochs=0, epochs=0)
    # The median is 93; the absolute deviations are 0 1 1 2 2 3 3 4 5 83 83.
    assert learnt.accuracy_scale.tolist() == pytest.approx([93, 1.4826 * 3])


def test_equal_accuracies_are_learned(cells, pool, pretrained) -> None:
    features = cells.space.features(pool[0][:10])
    learnt = fit_predictor(pretrained[0], features, np.zeros((10, 0)), np.full(10, 42.0), seeded(0))
    assert predict_accuracies(learnt, features, np.zeros((10, 0))) == pytest.approx(
        np.full(10, 42), abs=0.5
    )


def test_results_depend_on_the_seed_only(cells, pool) -> None:
    genes, costs = pool
    features = cells.space.features(genes[:400])

    def weights(seed: int) -> torch.Tensor:
        predictor = create_predictor(cells.space, seeded(seed))
        pretrain_predictor(predictor, features, costs[:400], seeded(1), epochs=2)
        learnt = fit_predictor(
            predictor, features[:20], np.zeros((20, 0)), np.arange(20.0), seeded(2)
        )
        return learnt.hidden.weight

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_a_saved_predictor_predicts_the_same(cells, pool, pretrained, tmp_path: Path) -> None:
    path = tmp_path / "predictor.pt"
    features, none = cells.space.features(pool[0][:50]), np.zeros((50, 0))
    learnt = fit_predictor(pretrained[0], features, none, np.arange(50.0), seeded(0), epochs=1)
    save_predictor(learnt, cells.space, path)
    loaded, space = load_predictor(path)
    assert space == cells.space
    assert (
        predict_accuracies(loaded, features, none) == predict_accuracies(learnt, features, none)
    ).all()
    assert (Scorer(cells, loaded)(pool[0][:50]) == predict_accuracies(learnt, features, none)).all()


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_files_without_a_predictor(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no predictor"):
        load_predictor(tmp_path / "absent.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(UserError, match="is not a predictor"):
        load_predictor(tmp_path / "text.pt")
    torch.save({"space": {"name": "x"}, "state": {}}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="is not a predictor"):
        load_predictor(tmp_path / "other.pt")
