"""The best of a population, then its final trainings, as one command that continues."""

from pathlib import Path
from unittest import mock

import pytest

from darts import api
from darts.design_space.options import PopulationOptions
from darts.design_space.stored_population import load_population
from darts.errors import UserError
from darts.models.registry import find_model
from darts.run_files import RunFiles
from darts.training.task import TrainingTask
from tests.darts.design_space.support import options


def test_the_best_is_trained_again(tmp_path: Path) -> None:
    given = options(
        tmp_path / "pop", best_of=2, epochs=1, hold_out=2, final_epochs=1, final_seeds=2
    )
    final = api.run_population(given)
    assert final is not None
    population = load_population(tmp_path / "pop")
    assert len(population) == 2
    best = population.configs[int(population.errors.argmin())]
    assert find_model(str(tmp_path / "pop/best.yaml")) == best
    config = RunFiles(tmp_path / "pop/best/seeds/0").read_config()
    # The same recipe, but all training images, and the test images.
    assert (config["learning_rate"], config["weight_decay"]) == (0.05, 5e-5)
    assert (config["hold_out"], config["epochs"], config["seed"]) == (0, 1, 0)
    assert list(final.results) == [0, 1]
    with mock.patch.object(TrainingTask, "step", side_effect=AssertionError):
        again = api.run_population(given)
    assert again is not None
    assert again.sentence() == final.sentence()


@pytest.mark.parametrize("name", ["final_epochs", "final_seeds", "best_of"])
def test_numbers_out_of_range(name: str) -> None:
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')} must be at least"):
        PopulationOptions(**{name: 0})


def test_test_images_choose_nothing() -> None:
    with pytest.raises(UserError, match="test images choose nothing: add --hold-out 5"):
        PopulationOptions(best_of=2)
