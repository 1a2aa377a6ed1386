"""`auto` times the back ends within its budget, and leaves no trace in the run."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from darts.searching import measuring
from darts.searching.measuring import BUDGET, Measurement, measure_backends
from darts.searching.task import SearchTask
from tests.darts.runs_support import assert_same, search_options
from tests.darts.searching.settings import tiny_setting


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, float]], Callable[[], float]]:
    """A clock that an iteration of a back end advances by its cost and by nothing else.

    The cost is that of one image; the iterations themselves are not computed.
    """

    def with_costs(costs: dict[str, float]) -> Callable[[], float]:
        now = [0.0]

        def iterate(timer: measuring._Timer, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
            now[0] += costs[timer.probe.parts.supernet.backend] * len(batch[0])

        monkeypatch.setattr(measuring._Timer, "_iterate", iterate)
        return lambda: now[0]

    return with_costs


@pytest.mark.parametrize(
    ("native", "plain", "images"), [(1e-4, 4e-4, 32), (1e-2, 4e-2, 8), (0.05, 0.2, 2)]
)
def test_the_batch_grows_as_far_as_the_time_allows(
    native: float, plain: float, images: int, clock: Callable
) -> None:
    """At most half of the batch of 64 on a CPU; never more than three seconds."""
    read = clock({"native": native, "torch": plain})
    found = measure_backends(tiny_setting(batch_size=64), ["native", "torch"], clock=read)
    assert found.chosen == "native"
    assert found.images == images
    assert found.seconds == pytest.approx({"native": native * images, "torch": plain * images})
    assert 1 <= found.rounds <= 3
    assert read() <= BUDGET


def test_the_faster_back_end_is_chosen_and_a_draw_goes_to_the_first(clock: Callable) -> None:
    setting = tiny_setting()
    read = clock({"native": 0.02, "torch": 0.01})
    assert measure_backends(setting, ["native", "torch"], clock=read).chosen == "torch"
    read = clock({"native": 2**-7, "torch": 2**-7})
    assert measure_backends(setting, ["native", "torch"], clock=read).chosen == "native"


def test_a_step_of_minutes_decides_nothing(clock: Callable) -> None:
    """The first iteration passes the limit, so the other back end is not even tried."""
    read = clock({"native": 100.0, "torch": 1.0})
    found = measure_backends(tiny_setting(), ["native", "torch"], clock=read)
    assert (found.chosen, found.seconds, found.rounds) == ("native", {}, 0)
    assert read() == 200.0  # Two images.
    assert "no step could be timed" in found.line


def test_a_back_end_that_fails_is_not_chosen(
    clock: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = clock({"native": 1.0, "torch": 0.01})
    iterate = measuring._Timer._iterate

    def fails(timer: measuring._Timer, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        if timer.probe.parts.supernet.backend == "native":
            raise RuntimeError("CUDA error: no kernel image\nand more")
        iterate(timer, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(measuring._Timer, "_iterate", fails)
    found = measure_backends(tiny_setting(), ["native", "torch"], clock=read)
    assert (found.chosen, set(found.seconds)) == ("torch", {"torch"})
    assert found.missing == {"native": "RuntimeError: CUDA error: no kernel image"}


def test_on_a_cpu_and_of_huge_supernets_few_cells_are_timed() -> None:
    paper = tiny_setting(preset="paper", dataset="cifar10", nodes=4, channels=16, k=4)
    assert measuring._affordable(paper).layers == 3
    gpu = torch.device("cuda")
    assert measuring._affordable(replace(paper, device=gpu)).layers == 8
    huge = tiny_setting(
        preset="paper", dataset="cifar10", nodes=4, channels=36, k=1, layers=20, image_size=64
    )
    assert measuring._affordable(replace(huge, device=gpu)).layers == 3


def test_the_line_says_what_was_measured() -> None:
    found = Measurement("native", {"torch": 1.234, "native": 0.1}, 32, 8, 3, {})
    assert found.line == (
        "Back end native: an iteration of 32 images and 8 cells takes native 100 ms, "
        "torch 1.23 s (fastest of 3)."
    )


METHODS = {
    "first order": {},
    "random channels": {"k": 2, "sampling": "random"},
    "noise of its own": {"relaxation": "gumbel", "drop_path": 0.2},
    "perturbed weights": {"perturbation": "random"},
    "single level": {"gradient": "single-level"},
}


@pytest.mark.parametrize(
    ("method", "backend"),
    list(zip(METHODS, ("native", "torch", "native", "torch", "native"), strict=True)),
)
def test_a_measured_search_equals_one_with_the_same_back_end_by_name(
    method: str, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit: weights, alpha, statistics, momentum, random streams, torch's own generator."""
    monkeypatch.delenv("DARTS_BACKEND", raising=False)
    monkeypatch.setattr("darts.searching.settling.read_choice", lambda key: None)
    monkeypatch.setattr("darts.searching.settling.keep_choice", lambda key, found: found)
    monkeypatch.setattr("darts.searching.settling.missing_backends", lambda *_: both)
    both = {backend: None, "torch" if backend == "native" else "native": None}
    measured: list[Measurement] = []

    def measure(*arguments: object, **keywords: object) -> Measurement:
        ticks = itertools.count()  # Every iteration takes equally long: the first one wins.
        found = measure_backends(*arguments, **keywords, clock=lambda: 2**-10 * next(ticks))  # type: ignore[arg-type]
        measured.append(found)
        return found

    monkeypatch.setattr("darts.searching.settling.measure_backends", measure)
    settings = {"nodes": 2, "arch_warmup_epochs": 0, **METHODS[method]}
    states, randoms = [], []
    for name in ("auto", backend):
        torch.manual_seed(5)
        task = SearchTask(search_options(tmp_path / name, backend=name, **settings))
        assert task.supernet.backend == task.options.backend == backend
        task.begin_epoch(0)
        scalars = [dict(task.step()) for _ in range(2)]
        states.append((task.state_dict(), scalars))
        randoms.append(torch.rand(3))
    assert_same(*states)
    assert_same(*randoms)
    [found] = measured
    assert set(found.seconds) == {"native", "torch"}
