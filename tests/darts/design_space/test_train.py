"""Each network is trained once by the recipe, however often the population is interrupted."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darts import api
from darts.design_space import train
from darts.design_space.stored_population import config_of, load_population, open_population
from darts.errors import UserError
from darts.models.anynet.cost import anynet_cost
from tests.darts.design_space.support import SMALL, options, outcomes


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A population that was trained without interruption."""
    out = tmp_path_factory.mktemp("whole")
    counts = train.train_missing(options(out))
    assert counts == {"pending": 0, "running": 0, "done": 4, "failed": 0}
    return out


def test_what_a_trial_keeps(whole: Path) -> None:
    with open_population(whole) as store:
        trials, configuration = store.rows(), store.configuration
    assert [trial.key for trial in trials] == [f"regnetx-000{index}" for index in range(4)]
    assert len({trial.settings["seed"] for trial in trials}) == 4
    for trial in trials:
        assert trial.result is not None
        assert 20_000 <= trial.result["macs"] <= 60_000
        cost = anynet_cost(config_of(trial), resolution=8, num_classes=10)
        for name in ("params", "macs", "activations"):
            assert trial.result[name] == trial.settings[name] == getattr(cost, name)
        assert [line["epoch"] for line in trial.curve] == [0, 1]
        assert trial.result["test_error"] == 100 - trial.curve[-1]["test_accuracy"]
        assert trial.result["train_loss"] == trial.curve[-1]["train_loss"]
    assert configuration["epochs"] == 2
    assert configuration["images"]["train_images"] == 64
    assert "out" not in configuration
    assert "genotype" not in configuration


def test_it_is_read_as_arrays(whole: Path) -> None:
    population = load_population(whole)
    assert (population.name, len(population), population.missing) == ("regnetx", 4, 0)
    assert population.labels[3] == "regnetx-0003"
    assert set(population.properties) == {
        *("params", "macs", "activations", "seconds"),
        *("w0", "wa", "wm"),
    }
    macs = [anynet_cost(c, resolution=8, num_classes=10).macs for c in population.configs]
    assert population.properties["macs"].tolist() == macs
    # Tests of 50 images: errors are multiples of 2 %.
    assert np.allclose(population.errors % 2, 0)


def test_the_same_call_again_trains_nothing(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "train_trial", pytest.fail)
    before = outcomes(whole)
    assert train.train_missing(options(whole))["done"] == 4
    assert outcomes(whole) == before


def test_a_larger_population_begins_with_the_smaller_one(whole: Path, tmp_path: Path) -> None:
    train.train_missing(options(tmp_path, n=2))
    assert outcomes(tmp_path) == outcomes(whole)[:2]
    population = api.train_population(**{**SMALL, "n": 3}, out=str(tmp_path))
    assert len(population) == 3
    assert outcomes(tmp_path) == outcomes(whole)[:3]
    with pytest.raises(UserError, match="holds a population of 3 networks: --n must be at least 3"):
        train.train_missing(options(tmp_path, n=2))


def test_other_settings_are_refused_and_named(whole: Path) -> None:
    with pytest.raises(UserError, match=r'epochs is 2 there and 3 now; space is .* and "regnety"'):
        train.train_missing(options(whole, epochs=3, space="regnety"))
    with pytest.raises(UserError, match=r'images is .*"test_images": 50'):
        train.train_missing(options(whole, test_images=40))


def test_processes_give_the_same_bits(whole: Path, tmp_path: Path) -> None:
    train.train_missing(options(tmp_path, executor="processes", parallel=1))
    assert outcomes(tmp_path) == outcomes(whole)


def test_a_diverging_network_does_not_end_the_population(tmp_path: Path) -> None:
    counts = train.train_missing(options(tmp_path, n=2, learning_rate=1e18))
    assert counts["failed"] == 2
    with open_population(tmp_path) as store:
        for trial in store.rows():
            assert trial.error is not None
            assert trial.error.startswith("The loss became infinite or not a number in epoch")
    with pytest.raises(UserError, match="no network of this population has been trained yet"):
        load_population(tmp_path)


def test_failed_trials_are_trained_again_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Path
) -> None:
    real = train.train_trial

    def fails_at_one(options: Any, settings: Any, report: Any) -> Any:
        if settings["index"] == 1:
            raise MemoryError("too large")
        return real(options, settings, report)

    monkeypatch.setattr(train, "train_trial", fails_at_one)
    assert train.train_missing(options(tmp_path))["failed"] == 1
    population = load_population(tmp_path)
    assert (len(population), population.missing) == (3, 1)
    monkeypatch.setattr(train, "train_trial", real)
    assert train.train_missing(options(tmp_path))["failed"] == 1
    assert train.train_missing(options(tmp_path, retry_failed=True))["done"] == 4
    assert outcomes(tmp_path) == outcomes(whole)


def test_killed_at_ten_random_moments(whole: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.darts.design_space.preload"])
    chance, pace = random.Random(0), np.mean(load_population(whole).properties["seconds"])
    for kill in range(10):
        process = context.Process(target=train.train_missing, args=(options(tmp_path),))
        process.start()
        if kill % 3:  # Else also while the file is made or opened.
            while process.is_alive() and not running(tmp_path):
                time.sleep(0.01)
        process.join(chance.uniform(0, 1.2 * pace))
        process.kill()
        process.join()
    train.train_missing(options(tmp_path))
    assert outcomes(tmp_path) == outcomes(whole)
    with open_population(tmp_path) as store:
        assert sum(trial.attempts for trial in store.rows()) > 4  # Some were cut off.


def running(out: Path) -> int:
    try:
        with open_population(out) as store:
            return store.counts()["running"]
    except (UserError, sqlite3.Error):  # Not yet there.
        return 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"macs": None}, "--macs or --like is needed: what may a network"),
        ({"like": "darts_v1"}, "Give --macs or --like, not both"),
        ({"macs": "60k-20k"}, "the upper end is below the lower end"),
        ({"macs": "much"}, "--macs: a number such as"),
        ({"space": "regnetz"}, "There is no design space 'regnetz'"),
        ({"n": 0}, "--n: must be from 1 to 10000000"),
        ({"epochs": 0}, "--epochs: must be 1 or more"),
        ({"label_smoothing": 2}, "--label-smoothing: must be at least 0 and below 1"),
        ({"dataset": "array:nowhere.npz"}, "nowhere.npz"),
        ({"genotype": "darts_v1"}, "Unknown setting genotype"),
        ({"executor": "slurm"}, "executor"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        train.train_missing(options(tmp_path / "out", **settings))
    assert not (tmp_path / "out").exists()
