import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from darts.errors import UserError
from darts.joint.checks import check_recipe_names
from darts.joint.directory import limits_of, read_search
from darts.joint.evolution import EvolutionOptions
from darts.joint.importance import permutation_importance
from darts.joint.options import JointOptions
from darts.joint.query import best_candidate, evolve_record, scorer_of, trained_genes
from darts.joint.search import run_joint_search
from darts.joint.trial import TrainCandidate
from darts.trials.executors import run_trials
from darts.trials.store import TrialStore
from tests.darts.joint.fake import InstantTraining
from tests.darts.joint.small import DESCRIBED


@pytest.fixture
def options(tmp_path: Path, monkeypatch) -> JointOptions:
    """A small search of three rounds with fake trainings."""
    monkeypatch.setattr("darts.joint.stored_rounds.TrainCandidate", InstantTraining)
    few = partial(EvolutionOptions, children=2, generations=3)
    monkeypatch.setattr("darts.joint.evolution.EvolutionOptions", few)
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(DESCRIBED))
    return JointOptions(
        space=str(tmp_path / "space.yaml"),
        dataset="digits",
        run_dir=str(tmp_path / "run"),
        rounds=3,
        candidates=4,
        pool=60,
        epochs=4,
        max_macs=4.0,
        device="cpu",
        threads=1,
    )


def resumed(options: JointOptions) -> JointOptions:
    return replace(options, run_dir=None, resume=options.run_dir)


def outcome(directory: str | Path) -> tuple:
    """Everything that must be equal, no matter how often a search was interrupted."""
    with TrialStore(Path(directory) / "trials.sqlite", read_only=True) as store:
        trials = [(t.key, t.settings, t.status, t.curve, t.result) for t in store.rows()]
    result = json.loads((Path(directory) / "result.json").read_text())
    result.pop("seconds")
    weights = torch.load(Path(directory) / "predictor.pt", weights_only=True)["state"]
    return trials, result, {name: value.tolist() for name, value in weights.items()}


def test_a_search(options: JointOptions) -> None:
    result = run_joint_search(options, None)
    record = read_search(result.run_dir)
    stop = result.iteration.stop_epoch
    assert [len(part.curves) for part in record.rounds] == [4, 4, 4]
    assert [part.epochs for part in record.rounds] == [4, stop, stop]
    assert record.stop_epoch == stop
    assert record.correlations == pytest.approx(result.iteration.correlations)
    for one, other in zip(record.rounds, result.iteration.rounds, strict=True):
        assert one.genes == pytest.approx(other.genes, abs=1e-12)
        assert one.curves == other.curves
        assert np.array_equal(one.predicted, other.predicted, equal_nan=True)
        assert record.limits.admit(one.costs).all()
    assert record.result is not None
    assert record.result["trials"] == 12
    assert record.limits.admit(result.evolved.costs).all()
    best = max(curve[stop - 1] for part in record.rounds for curve in part.curves)
    assert record.result["best_measured"]["validation_accuracy"] == best
    assert best_candidate(record) == record.result["best_measured"]["candidate"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_search_continues_exactly(
    options: JointOptions, tmp_path: Path, monkeypatch
) -> None:
    run_joint_search(replace(options, run_dir=str(tmp_path / "whole")), None)
    counter = tmp_path / "trainings"
    monkeypatch.setenv("FAKE_COUNTER", str(counter))
    begun = options
    for death in (1, 4, 7, 13):  # In each round, and in a trial that was started before.
        monkeypatch.setenv("FAKE_DEATH", str(death))
        if (child := os.fork()) == 0:
            try:
                run_joint_search(begun, None)
            finally:
                os._exit(1)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == 9
        begun = resumed(options)
    assert options.run_dir
    # The last attempt finishes; no finished training is repeated.
    monkeypatch.setenv("FAKE_DEATH", "0")
    run_joint_search(begun, None)
    assert counter.stat().st_size == 12 + 4
    assert outcome(options.run_dir) == outcome(tmp_path / "whole")


def test_a_resumed_search_names_the_round_that_it_trains(
    options: JointOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []

    class Killed(BaseException):
        """Stands in for SIGKILL."""

    def watching(store: TrialStore, *arguments: Any, title: str, **others: Any) -> None:
        titles.append(title)
        if len(titles) == 2:
            raise Killed
        run_trials(store, *arguments, title=title, **others)

    monkeypatch.setattr("darts.joint.stored_rounds.run_trials", watching)
    with pytest.raises(Killed):
        run_joint_search(options, None)
    run_joint_search(resumed(options), None)
    rounds = [title.partition(" of")[0] for title in titles]
    assert rounds[:3] == ["round 1", "round 2", "round 2"]


def test_resuming_a_finished_search_changes_nothing(options: JointOptions) -> None:
    run_joint_search(options, None)
    assert options.run_dir
    before = outcome(options.run_dir)
    run_joint_search(resumed(options), None)
    assert outcome(options.run_dir) == before


def test_any_ceiling_can_be_asked_afterwards(options: JointOptions) -> None:
    record = read_search(run_joint_search(options, None).run_dir)
    for ceiling in (1.0, 2.0):
        limits = limits_of(None, ceiling, None)
        evolved = evolve_record(record, limits, seed=0)
        again = evolve_record(record, limits, seed=0)
        assert limits.admit(evolved.costs).all()
        assert (evolved.genes == again.genes).all()
        known = trained_genes(record)
        within = known[limits.admit(record.problem.costs(known))]
        if len(within):
            assert evolved.scores[0] >= scorer_of(record)(within).max()


def test_a_search_whose_first_round_fails(options: JointOptions, monkeypatch) -> None:
    class Failing(InstantTraining):
        def __call__(self, settings, report):
            raise UserError("no room")

    monkeypatch.setattr("darts.joint.stored_rounds.TrainCandidate", Failing)
    with pytest.raises(UserError, match=r"All 4 trainings .* The error of the first one: no room"):
        run_joint_search(options, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rounds": 0}, "at least 1 round"),
        ({"candidates": 1}, "2 candidates"),
        ({"pool": 11}, "pool 11 is too small for 3 rounds of 4"),
        ({"hold_out": 0}, "the test images are never used"),
        ({"dataset": "array:/nowhere.npz"}, "/nowhere.npz"),
        ({"space": "nb201", "max_macs": None, "layers": 8}, "cannot be divided into 3 equal"),
        ({"space": "recipe-small", "image_size": 16}, "give --model or --genotype"),
    ],
)
def test_invalid_searches(options: JointOptions, change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run_joint_search(replace(options, **change), None)
    assert options.run_dir
    assert not Path(options.run_dir).exists()


def test_recipe_with_unknown_options(space) -> None:
    check_recipe_names(space)
    variables = tuple(
        replace(v, sets=("lerning_rate",)) if v.name == "learning_rate" else v
        for v in space.variables
    )
    with pytest.raises(UserError, match=r"cannot set lerning_rate\. Did you mean learning_rate"):
        check_recipe_names(replace(space, variables=variables))
    # A recipe must not decide on which images a candidate is scored.
    variables = tuple(replace(v, sets=("seed",)) if v.name == "schedule" else v for v in variables)
    with pytest.raises(UserError, match="cannot set lerning_rate, seed"):
        check_recipe_names(replace(space, variables=variables))


def test_images_too_small_for_a_recipe(options: JointOptions) -> None:
    described = {**DESCRIBED, "recipe": {"cutout": {"choice": [0, 8]}}, "rules": []}
    Path(options.space).write_text(yaml.safe_dump(described))
    with pytest.raises(UserError, match="small: variable cutout: cutout 8"):
        run_joint_search(options, None)
    assert options.run_dir
    assert not Path(options.run_dir).exists()


def train(options: JointOptions, described: dict, epochs: int, stop: int) -> tuple[list, dict]:
    from darts.joint.problem import Problem
    from darts.joint.search import open_setting
    from darts.joint.space_file import parse_space

    problem = Problem(parse_space(described), open_setting(options, None))
    genes, _ = problem.pool(1, limits_of(None, 1.0, None), 0)
    curve: list[float] = []
    settings = {"candidate": problem.space.rows(genes)[0], "epochs": epochs, "stop": stop}
    result = TrainCandidate(options, problem)(settings, lambda m: curve.append(m["accuracy"]))
    return curve, result


def test_a_stopped_training_is_the_beginning_of_a_full_one(tmp_path: Path) -> None:
    options = JointOptions(
        dataset="digits", train_images=128, test_images=60, cutout=0, device="cpu", threads=1
    )
    full, result = train(options, DESCRIBED, 3, 3)
    stopped, _ = train(options, DESCRIBED, 3, 2)
    assert len(full) == 3
    assert stopped == full[:2]
    assert result["accuracy"] == full[-1]
    assert result["validation_images"] == 60
    assert not list(tmp_path.iterdir())


def test_a_diverged_training_scores_at_chance_level() -> None:
    recipe = {**DESCRIBED["recipe"], "learning_rate": {"log": [1e20, 1e30]}}
    options = JointOptions(
        dataset="digits", train_images=128, test_images=60, cutout=0, grad_clip=0, device="cpu"
    )
    curve, result = train(options, {**DESCRIBED, "recipe": recipe}, 3, 3)
    assert curve == [10.0] * 3
    assert result["diverged"]


def test_importance_by_hand() -> None:
    genes = np.random.default_rng(0).random((4000, 3))
    found = permutation_importance(lambda g: 3 * g[:, 0] - g[:, 2], genes, np.random.default_rng(1))
    # The RMS difference of two independent uniform numbers is 1/sqrt(6).
    assert found == pytest.approx([3 / 6**0.5, 0, 1 / 6**0.5], rel=0.05)
