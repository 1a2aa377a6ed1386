"""The options of a sweep and what they mean."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from darts.commands.sweep import parse_sweep
from darts.errors import UserError
from darts.sweeps.options import SweepOptions, parse_seeds
from darts.sweeps.plan import configurations, planned_searches
from darts.sweeps.repeating import sweep_command

SMALL = ("--dataset", "digits", "--preset", "smoke", "--out", "s")


def parsed(*arguments: str) -> SweepOptions:
    return parse_sweep([*arguments, *SMALL], "darts sweep")[0]


def test_flags_of_a_sweep_and_of_its_searches() -> None:
    flags = (
        "--epochs 3 --methods pc-darts darts-v1 --no-nesterov --seeds 0..2 7 --set k=1,2 "
        "edge-normalisation=true,false --json --for pc-darts arch-warmup-epochs=0 "
        "--learning_rate=0.2 --out s --dataset digits"
    )
    options, as_json = parse_sweep(flags.split(), "darts sweep")
    assert as_json
    assert options.methods == ["pc-darts", "darts-v1"]
    assert options.seeds == (0, 1, 2, 7)
    assert options.settings == {
        "epochs": 3,
        "nesterov": False,
        "learning_rate": 0.2,
        "dataset": "digits",
    }
    assert options.grid == {"k": (1, 2), "edge_normalisation": (True, False)}
    assert options.own == {"pc-darts": {"arch_warmup_epochs": 0}}


@pytest.mark.parametrize(
    "line",
    [
        "--methods pc-darts darts-v1 --no-nesterov --seeds 0..2 7 --set k=1,2 nesterov=true,false "
        "--for pc-darts arch-warmup-epochs=0 --learning-rate 0.2 --dataset digits --out s",
        "--methods gdas --seeds 3..3 --set gradient=single-level;first-order --out s",
        "--methods random --arch-betas 0.5 0.999 --retrain 2 --retrain-with epochs=3 --out s "
        "--random-cells 4 --dataset 'folder:my photos' --seeds 2",
        "--methods drnas gdas --space nasbench201 --table 'a b.csv' --reference gdas --out s",
    ],
)
def test_the_command_of_a_sweep_makes_the_same_sweep(line: str) -> None:
    line = line.replace("--no-nesterov ", "") if "nesterov=" in line else line
    options = parse_sweep(shlex.split(line), "darts sweep")[0]
    command = sweep_command(options, "s")
    program, again = shlex.split(command)[:4], shlex.split(command)[4:]
    assert program == ["python", "-m", "darts", "sweep"]
    assert parse_sweep(again, "darts sweep")[0] == options


@pytest.mark.parametrize(
    ("texts", "seeds"),
    [
        (["5"], (0, 1, 2, 3, 4)),
        (["0..4"], (0, 1, 2, 3, 4)),
        (["3", "1"], (3, 1)),
        (["3,1", "7..8"], (3, 1, 7, 8)),
    ],
)
def test_seeds(texts: list[str], seeds: tuple[int, ...]) -> None:
    assert parse_seeds(texts) == seeds


def test_the_whole_grid_for_every_method() -> None:
    options = parsed("--methods", "darts-v1", "gdas", "--set", "k=1,2", "layers=3,4")
    labels = [one.label for one in configurations(options)]
    assert labels == [
        f"{method} k={k} layers={layers}"
        for method in ("darts-v1", "gdas")
        for k in (1, 2)
        for layers in (3, 4)
    ]
    runs = [one.run(1) for one in configurations(options)]
    assert runs[0] == "runs/darts-v1-k=1-layers=3-seed-1"
    assert len(set(runs)) == len(runs)


def test_which_setting_wins() -> None:
    # The presets of pc-darts imply K = 4; common settings, then those of a method, then the grid.
    options = parsed(
        *("--methods", "pc-darts", "darts-v1", "--channels", "16", "--epochs", "4"),
        *("--for", "pc-darts", "epochs=6", "channels=8"),
        *("--set", "arch-warmup-epochs=1,2"),
    )
    found = {one.label: search for one, search in planned_searches(options).items()}
    first, other = (found[f"{name} arch-warmup-epochs=2"] for name in ("pc-darts", "darts-v1"))
    assert (first.epochs, first.channels, first.k, first.arch_warmup_epochs) == (6, 8, 4, 2)
    assert (other.epochs, other.channels, other.k, other.arch_warmup_epochs) == (4, 16, 1, 2)
    assert first.method == "pc-darts"
    assert {search.preset for search in found.values()} == {"smoke"}


def test_values_with_commas() -> None:
    options = parsed("--methods", "darts", "--set", "arch-betas=[0.5,0.999];[0.0,0.9]")
    assert options.grid == {"arch_betas": ((0.5, 0.999), (0.0, 0.9))}
    assert [one.label for one in configurations(options)] == [
        "darts arch-betas=0.5/0.999",
        "darts arch-betas=0.0/0.9",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "--methods names no method"),
        ("--methods darts darts", "--methods: darts is named twice"),
        ("--methods dartz", "dartz: .*darts"),
        ("--methods darts --seeds one", "--seeds one: give seeds such as"),
        ("--methods darts --seeds 1 1", "--seeds: seed 1 is given twice"),
        ("--methods darts --seeds 0", "--seeds names no seed"),
        ("--methods darts --seed 1", "--seed is not a setting of a sweep: give --seeds"),
        ("--methods darts --method gdas", "--method is not a setting of a sweep: give --methods"),
        ("--methods darts --run-dir x", "--run-dir is not a setting of a sweep: give --out"),
        ("--methods darts --epohcs 2", "did you mean --epochs"),
        ("--methods darts --set k", "--set k: write NAME=VALUE"),
        ("--methods darts --set kk=1", "did you mean --k"),
        ("--methods darts --set k=one", "--set: --k: expected a whole number"),
        ("--methods darts --set k=1,1", "--set k: the value 1 is given twice"),
        ("--methods darts --set k=1 --k 2", "--k and --set k: give only one"),
        ("--methods darts --set k=1 --set k=2", "--set k: named twice"),
        ("--methods darts --set seed=1,2", "--seed is not a setting of a sweep"),
        ("--methods darts --set threads=1,2", "threads cannot change the result"),
        ("--methods darts --for gdas k=1", "--for gdas: the sweep has the methods darts"),
        ("--methods darts --for darts", "--for darts: NAME=VALUE is missing"),
        ("--methods darts --set k=3", "darts k=3: --k"),
        ("--methods darts --random-cells 3", "random cells have no supernet"),
        ("--methods darts --retrain-with epochs=3", "--retrain-with belongs to --retrain"),
        ("--methods darts --retrain 1 --table t.csv", "both judge the cells"),
        ("--methods darts --retrain -1", "--retrain: must be 0 or more"),
        ("--methods darts --parallel -1", "--parallel: must be from 0 to 1024, not -1"),
        ("--methods darts --executor threads", "invalid choice"),
    ],
)
def test_errors_for_people(arguments: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        planned_searches(parsed(*arguments.split()))


def test_the_directory_is_needed() -> None:
    with pytest.raises(UserError, match="--out is missing"):
        parse_sweep(["--methods", "darts"], "darts sweep")


def test_numbers_may_be_negative() -> None:
    settings: dict[str, Any] = dict(parsed("--methods", "darts", "--arch-init-mean", "-1").settings)
    assert settings["arch_init_mean"] == -1.0
