"""A run that is stopped and resumed equals an uninterrupted one, bit for bit."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from darts.errors import DiskError, UserError
from darts.runs.checkpoints import load_checkpoint
from darts.runs.directory import RunDirectory
from darts.runs.interrupt import Interrupted
from darts.searching import task as searcher
from darts.searching.options import SearchOptions
from darts.settings.parsing import options_from
from darts.training import task as trainer
from darts.training.options import TrainingOptions
from genotypes import load_genotype
from tests.darts.processes import forkserver
from tests.darts.runs_support import assert_same_run, search_options, training_options


def run_search(options: SearchOptions) -> None:
    searcher.search_cells(options)


def run_training(options: TrainingOptions) -> None:
    trainer.train_network(options, load_genotype(options.genotype or ""))


RUNS: dict[str, tuple[Callable, Callable, type, dict[str, Any]]] = {
    "search": (search_options, run_search, searcher.SearchTask, {}),
    "second-order search": (search_options, run_search, searcher.SearchTask, {"order": 2}),
    "search with random channels": (
        search_options,
        run_search,
        searcher.SearchTask,
        {"sampling": "random"},
    ),
    "search under ceilings": (
        search_options,
        run_search,
        searcher.SearchTask,
        {"max_macs": "3M", "max_params": "250k", "cost_weight": 0.1, "target_layers": 4},
    ),
    "search in stages": (
        search_options,
        run_search,
        searcher.SearchTask,
        {"stages": "growing:added_layers=0/1/2,kept=8/4/2,skip_dropout=0/0/0", "epochs": 3},
    ),
    "search of NAS-Bench-201": (
        search_options,
        run_search,
        searcher.SearchTask,
        {"space": "nasbench201", "relaxation": "softmax", "regulariser": "entropy"},
    ),
    "retraining": (training_options, run_training, trainer.TrainingTask, {"drop_path": 0.3}),
    "retraining with every trick": (
        training_options,
        run_training,
        trainer.TrainingTask,
        {
            "optimiser": "rmsprop",
            "decay_norms": False,
            "schedule": "exponential",
            "mixup": 0.2,
            "ema": 0.9,
            "auto_augment": "randaugment",
            "label_smoothing": 0.1,
            "dropout": 0.2,
            "drop_path": 0.3,
            "drop_path_schedule": "constant",
            "teacher": "",
        },
    ),
}


def go_on(options: Any, run_dir: Path, **changes: Any) -> Any:
    return replace(options, run_dir=None, resume=str(run_dir), **changes)


@pytest.mark.parametrize("kind", RUNS)
def test_interrupted_at_any_step_and_resumed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, run, task, settings = RUNS[kind]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    if "teacher" in settings:
        settings = {**settings, "teacher": str(tmp_path / "teacher")}
        run(make(tmp_path / "teacher", epochs=1))
    run(make(whole, **settings))

    step = task.step
    for number, stop_after in enumerate((1, 5, 3)):  # Then 1, 6 and 9 steps are done.
        done = 0

        def interrupting(self: Any, stop_after: int = stop_after) -> Any:
            nonlocal done
            done += 1
            if done == stop_after:
                os.kill(os.getpid(), signal.SIGTERM if stop_after == 5 else signal.SIGINT)
            return step(self)

        monkeypatch.setattr(task, "step", interrupting)
        options = make(broken, **settings)
        with pytest.raises(Interrupted, match="--resume"):
            run(options if number == 0 else go_on(options, broken))
    monkeypatch.setattr(task, "step", step)
    run(go_on(make(broken, **settings), broken))
    assert_same_run(whole, broken)


@pytest.mark.parametrize("kind", ["search", "retraining"])
def test_killed_at_random_moments_and_resumed(kind: str, tmp_path: Path) -> None:
    """Four times; `tests.torture` has many more."""
    make, run, _, settings = RUNS[kind]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    settings = {**settings, "epochs": 6, "checkpoint_every": 2, "train_images": 100}
    context = forkserver()
    # Timed in a process like those that are killed, once the first of all has come to be.
    for target, arguments in ((os.getpid, ()), (run, (make(whole, **settings),))):
        started = time.monotonic()
        first = context.Process(target=target, args=arguments)
        first.start()
        first.join()
        duration = time.monotonic() - started
        assert first.exitcode == 0

    def present_options() -> Any:
        options = make(broken, **settings)
        if (broken / "checkpoint.pt").exists():
            return go_on(options, broken)
        if broken.exists():  # Killed before its first checkpoint: nothing to go on from.
            shutil.rmtree(broken)
        return options

    moments = random.Random(5)
    kills = 0
    while kills < 4:
        options = present_options()
        child = context.Process(target=run, args=(options,))
        child.start()
        child.join(moments.uniform(0.1, 0.6) * duration)
        if child.exitcode is None:
            child.kill()
            child.join()
            kills += 1
        else:
            assert child.exitcode == 0
            assert_same_run(whole, broken)
            broken = tmp_path / f"broken after {kills} kills"
    run(present_options())
    assert_same_run(whole, broken)


def test_a_full_disk_is_one_sentence_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, run, task, _ = RUNS["search"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = make(broken, checkpoint_every=2)
    run(make(whole, checkpoint_every=2))
    step, done = task.step, 0

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def filling(self: Any) -> Any:
        nonlocal done
        done += 1
        if done == 5:
            monkeypatch.setattr(os, "fsync", full)
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(task, "step", filling)
        with pytest.raises(DiskError, match=r"No space left.*Make room, then continue.*--resume"):
            run(options)
    monkeypatch.undo()
    assert load_checkpoint(broken)["step"] in (2, 4)  # It is written while steps go on.
    run(go_on(options, broken))
    assert_same_run(whole, broken)


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    options = training_options(tmp_path / "run")
    run_training(options)
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    run_training(go_on(options, tmp_path / "run"))
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for path in (whole, broken):
        run_search(search_options(path))
    newest = broken / "checkpoint.pt"
    newest.write_bytes(newest.read_bytes()[:-1000])
    with pytest.warns(UserWarning, match=r"checkpoint\.pt .*continuing from the previous"):
        run_search(go_on(search_options(broken), broken))
    assert_same_run(whole, broken)


def test_settings_of_a_resumed_run_come_from_its_directory(tmp_path: Path) -> None:
    run_search(search_options(tmp_path / "run", epochs=1))
    resumed = options_from(SearchOptions, {"resume": str(tmp_path / "run")}, lambda _: {})
    assert resumed.epochs == 1
    assert resumed.train_images == 200
    with pytest.raises(UserError, match=r"no .*config\.yaml"):
        options_from(SearchOptions, {"resume": str(tmp_path / "absent")}, lambda _: {})


def test_a_run_in_progress_is_not_resumed_beside_it(tmp_path: Path) -> None:
    options = training_options(tmp_path / "run", epochs=1)
    run_training(options)
    with RunDirectory(tmp_path / "run").locked():
        context = forkserver()
        child = context.Process(target=run_training, args=(go_on(options, tmp_path / "run"),))
        child.start()
        child.join()
    assert child.exitcode == 1
    run = RunDirectory(tmp_path / "run")
    with run.locked(), pytest.raises(UserError, match="Another process is working on"):
        run.locked().__enter__()


@pytest.mark.parametrize("kind", ["search", "retraining"])
def test_a_run_that_was_stopped_before_its_first_checkpoint_begins(
    kind: str, tmp_path: Path
) -> None:
    make, run, _, settings = RUNS[kind]
    settings = {**settings, "epochs": 1}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for path in (whole, broken):
        run(make(path, **settings))
    config = (broken / "config.yaml").read_bytes()
    shutil.rmtree(broken)
    broken.mkdir()
    (broken / "config.yaml").write_bytes(config)
    run(go_on(make(broken, **settings), broken))
    assert_same_run(whole, broken)
