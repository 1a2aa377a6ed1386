"""The arithmetic of the benchmarks of processes beside a run, and of what is beside the steps."""

from __future__ import annotations

import doctest
import importlib.util
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["neighbour", "beside_the_steps"])
def test_examples_run(name: str) -> None:
    done = doctest.testmod(load(name))
    assert (done.failed, done.attempted > 0) == (0, True)


def test_table_of_two_rounds_by_hand() -> None:
    module = load("neighbour")
    rounds = [
        {"passive": {"alone": 10.0, "two runs": 20.0}, "spinning": {"alone": 10.0}},
        {"passive": {"alone": 12.0, "two runs": 30.0}, "spinning": {"alone": 8.0}},
    ]
    assert list(module.table(rounds))[2:] == [
        "| passive | alone | 10.0, 12.0 | 1.25 | ≤ 1.03 |",
        "| passive | two runs | 20.0, 30.0 | 2.25 | ≤ 2.3 |",
        "| spinning | alone | 10.0, 8.0 | 1.00 |  |",
    ]


def test_forms_replace_the_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("neighbour")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert "OMP_WAIT_POLICY" not in module.environment("passive")
    assert module.environment("spinning")["GOMP_SPINCOUNT"] == "300000"


def test_parts_count_their_own_time_from_the_first_step() -> None:
    module = load("beside_the_steps")
    now = [0.0]
    clocks = module.Clocks(lambda: now[0])

    def work(name: str, seconds: float, inner: tuple[str, float] | None = None) -> None:
        with clocks.part(name):
            now[0] += seconds
            if inner is not None:
                work(*inner)

    work("checkpoints", 7.0)  # Before the first step: part of the start.
    work("steps", 5.0)
    work("drawing", 1.0, ("TensorBoard and log", 2.0))
    work("steps", 4.0)
    assert clocks.first_step == 7.0
    assert clocks.seconds == {"steps": 9.0, "drawing": 1.0, "TensorBoard and log": 2.0}


def test_every_part_names_functions_that_exist() -> None:
    module = load("beside_the_steps")
    for paths in module.PARTS.values():
        for path in paths:
            owner, name = module._owner(path, import_module)
            assert callable(getattr(owner, name))
