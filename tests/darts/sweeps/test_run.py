"""Sweeps that really search: killed, continued, extended, refused."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from darts import api
from darts.cli import main
from darts.errors import UserError
from darts.searching.task import SearchTask
from darts.sweeps.directory import read_sweep
from darts.sweeps.sweep_outcome import SweepOutcome, outcome_of
from tests.darts.processes import forkserver

METHODS = ["pc-darts", "darts-v1"]
SMALL = {
    "dataset": "digits",
    "preset": "smoke",
    "space": "nasbench201",
    "train_images": 80,
    "batch_size": 20,
    "channels": 4,
    "k": 2,
    "epochs": 1,
    "arch_warmup_epochs": 0,
    "device": "cpu",
    "threads": 1,
}
RETRAINED = {"retrain": 1, "retraining": {"channels": 4, "hold_out": 2}, "random_cells": 1}
MEASURED = ("seconds", "memory")


def sweep(folder: Path, **settings: Any) -> SweepOutcome:
    settings = {"methods": METHODS, "seeds": [0, 1], **SMALL, **settings}
    return api.sweep(out=str(folder / "sweep"), **settings)


def killed(folder: Path, after: int) -> None:
    """Sweep until SIGKILL comes, before the step after `after` steps of all searches."""
    count, step = 0, SearchTask.step

    def counting(self: SearchTask) -> Any:
        nonlocal count
        count += 1
        if count > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self)

    with mock.patch.object(SearchTask, "step", counting):
        sweep(folder, **RETRAINED)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SweepOutcome:
    return sweep(tmp_path_factory.mktemp("whole"), **RETRAINED)


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: timeless(part) for name, part in value.items() if name not in MEASURED}
    return [timeless(part) for part in value] if isinstance(value, list) else value


def test_every_method_with_every_seed(whole: SweepOutcome) -> None:
    assert whole.finished
    keys = [f"{method} seed {seed}" for method in METHODS for seed in (0, 1)]
    assert [one.key for one in whole.cells] == [*keys, "random cells 0"]
    assert all(len(one.retrained) == 1 and one.accuracy == one.retrained[0] for one in whole.cells)
    folder = Path(whole.record.options.out)
    names = [f"runs/{method}-seed-{seed}/genotype.yaml" for method in METHODS for seed in (0, 1)]
    assert all((folder / name).is_file() for name in names)
    trial = whole.record.trials["pc-darts seed 1"]
    assert {"epoch", "train_loss", "supernet_accuracy"} <= trial.curve[0].keys()
    # Equal seeds of retrainings make configurations differ less.
    seeds = [
        whole.record.trials[f"{method} seed 0 retraining 1"].settings["seed"] for method in METHODS
    ]
    assert seeds[0] == seeds[1]
    assert whole.record.trials[f"{keys[0]} retraining 1"].settings["recipe"]["set_aside_every"] == 2


def test_killed_and_continued_with_the_same_bytes(whole: SweepOutcome, tmp_path: Path) -> None:
    process = forkserver().Process(target=killed, args=(tmp_path, 5))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    broken = outcome_of(read_sweep(tmp_path / "sweep"))
    assert not broken.finished
    assert sum(one.genotype is not None for one in broken.cells) == 3  # Two, and the random one.
    again = sweep(tmp_path, **RETRAINED)
    folders = [Path(one.record.options.out) for one in (whole, again)]
    genotypes = sorted(path.relative_to(folders[0]) for path in folders[0].glob("runs/*/*.yaml"))
    for name in genotypes:
        if name.name == "genotype.yaml":
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    written = [json.loads((folder / "sweep.json").read_text()) for folder in folders]
    assert timeless(written[0]) == timeless(written[1])


def test_more_seeds_and_methods_extend_it(tmp_path: Path) -> None:
    first = sweep(tmp_path, methods=["gdas"], seeds=[0])
    with mock.patch.object(SearchTask, "__init__", side_effect=AssertionError):
        assert sweep(tmp_path, methods=["gdas"], seeds=[0]).finished
    more = sweep(tmp_path, methods=["gdas"], seeds=[0, 3], executor="in-process")
    assert [one.seed for one in more.cells] == [0, 3]
    assert more.cells[0] == first.cells[0]
    assert more.judge == "supernet"
    with pytest.raises(UserError, match="belongs to another experiment: epochs is 1 there and 2"):
        sweep(tmp_path, methods=["gdas"], seeds=[0], epochs=2)
    with pytest.raises(UserError, match="gdas seed 0 is there with other settings"):
        sweep(tmp_path, methods=["gdas"], seeds=[0], own={"gdas": {"momentum": 0.5}})
    # A refused command leaves no trace.
    assert list(read_sweep(tmp_path / "sweep").options.seeds) == [0, 3]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--methods", "pc-darts", "--k", "3"],
        ["--methods", "pc-darts", "--table", "none.csv"],
        ["--methods", "pc-darts", "--reference", "darts"],
        ["--methods", "pc-darts", "--retrain", "1", "--retrain-with", "hold-out=0"],
        ["--methods", "pc-darts", "--retrain", "1", "--retrain-with", "label-smoothing=2"],
    ],
)
def test_wrong_commands_write_nothing(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--dataset", "digits", "--preset", "smoke", "--out", str(tmp_path / "sweep")]
    assert main(["sweep", *arguments, *small]) == 2
    assert "error: " in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()
