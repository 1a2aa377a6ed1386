"""One recipe for all short trainings: for many seeds, sweeps and correlations."""

from __future__ import annotations

from typing import Any

import pytest

from darts.correlation.options import CorrelationOptions
from darts.correlation.retraining import truth_training
from darts.errors import UserError
from darts.judging.recipe import plain_recipe, short_recipe
from darts.judging.short_training import ShortTraining
from darts.searching.options import SearchOptions
from darts.sweeps.cell_retraining import planned_retraining
from darts.sweeps.options import SweepOptions
from darts.training.options import TrainingOptions
from genotypes import find_space

SEARCH = SearchOptions(dataset="digits", channels=8, layers=5, epochs=12, batch_size=48, threads=1)


def recipe(search: SearchOptions = SEARCH, seed: int = 0, **changes: Any) -> TrainingOptions:
    return short_recipe(search, find_space(search.space), changes, seed)


def test_size_and_length_are_those_of_the_search_and_the_rest_is_a_retrainings() -> None:
    found, usual = recipe(), TrainingOptions()
    assert (found.channels, found.layers, found.epochs, found.stem) == (8, 5, 6, "auto")
    # Half of the batch of a retraining (96), half of its learning rate.
    assert (found.batch_size, found.learning_rate) == (48, pytest.approx(0.025 / 2))
    assert (found.momentum, found.weight_decay) == (usual.momentum, usual.weight_decay)
    assert (found.auxiliary, found.drop_path, found.cutout, found.test_every) == (False, 0, 0, 0)
    assert recipe(SearchOptions(batch_size=256)).batch_size == usual.batch_size


def test_the_learning_rate_follows_the_batch_unless_it_is_given() -> None:
    assert recipe(batch_size=24).learning_rate == pytest.approx(0.025 / 4)
    assert recipe(batch_size=24, learning_rate=0.1).learning_rate == 0.1


def test_warm_up_is_at_most_a_fifth_of_the_epochs() -> None:
    imagenet = SearchOptions(dataset="imagenet", epochs=20)
    assert recipe(imagenet).lr_warmup_epochs == 2
    assert recipe(imagenet, epochs=50).lr_warmup_epochs == 5
    assert recipe(imagenet).schedule == "linear"


def test_cells_of_nasbench201_have_their_own_recipe() -> None:
    found = recipe(SearchOptions(space="nasbench201", batch_size=256))
    assert (found.optimiser, found.weight_decay) == ("nesterov", 5e-4)


def test_images_differ_exactly_where_seeds_do_and_are_no_searchs() -> None:
    seeds = [recipe(seed=seed).seed for seed in (0, 0, 1)]
    assert seeds[0] == seeds[1] != seeds[2]
    assert seeds[0] != 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": "many"}, "epochs"),
        ({"colour": 1}, "Unknown setting colour"),
        ({"label_smoothing": 2.0}, "--label-smoothing"),
    ],
)
def test_wrong_changes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        recipe(**changes)


def test_all_studies_train_alike() -> None:
    space = find_space(SEARCH.space)
    plain = plain_recipe(recipe())
    study = truth_training(CorrelationOptions(runs=("a",), threads=1), SEARCH, space)
    sweep = planned_retraining(SweepOptions(out="s", methods=["darts"], retrain=1), SEARCH)
    assert plain_recipe(study.recipe) == plain_recipe(sweep.recipe) == plain
    assert study.every == sweep.every == 5


def test_test_images_never_judge() -> None:
    with pytest.raises(UserError, match=r"hold-out 1: .* never on test images"):
        ShortTraining(recipe(), 1)
