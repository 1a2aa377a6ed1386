"""All executors give the same results; failed trials, workers and signals lose no other trial."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from darts.errors import DiskError, UserError
from darts.trials import executors
from darts.trials.executors import TrialsInterrupted, run_trials
from darts.trials.job import Resources
from darts.trials.options import ExecutorName, TrialOptions
from darts.trials.store import TrialStore
from tests.darts.trials import work

RAY = pytest.param(
    "ray",
    marks=pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray"),
)
EXECUTORS = ["in-process", "processes", RAY]
TWO = Resources(workers=2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TrialStore]:
    with TrialStore(tmp_path / "trials.sqlite") as store:
        store.add_all({f"t{seed}": {"seed": seed} for seed in range(4)})
        yield store


@pytest.mark.parametrize("executor", EXECUTORS)
def test_results_curves_and_failures(
    executor: ExecutorName, store: TrialStore, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = run_trials(store, work.raises_at_two, executor=executor, resources=TWO)
    assert counts == {"pending": 0, "running": 0, "done": 3, "failed": 1}
    for seed, trial in enumerate(store.rows()):
        assert trial.attempts == 1
        assert trial.environment is not None
        assert trial.environment["torch"]
        if seed == 2:
            assert trial.status == "failed"
            assert trial.error is not None
            assert trial.error.splitlines()[-1] == "ArithmeticError: two is too much"
        else:
            assert trial.result == {"test_error": seed**2}
            assert [line["loss"] for line in trial.curve] == [seed / (n + 1) for n in range(3)]
    shown = capsys.readouterr().err
    assert "t2 failed: ArithmeticError: two is too much" in shown
    assert "4/4  failed 1  best test error 0.00 % (t0)  left 0:00:00" in shown


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_full_disk_ends_the_experiment_and_fails_no_trial(
    executor: ExecutorName, store: TrialStore
) -> None:
    message = r"trial/log: No space left on device\. Make room, then give the same command again\."
    with pytest.raises(DiskError, match=message):
        run_trials(store, work.disk_is_full_at_two, executor=executor, resources=TWO)
    counts = store.counts()
    assert counts["failed"] == counts["running"] == 0
    assert store.trial("t2").status == "pending"
    assert run_trials(store, work.squares)["done"] == 4


@pytest.mark.parametrize("executor", ["processes", RAY])
def test_a_killed_worker_is_replaced(
    executor: ExecutorName, store: TrialStore, tmp_path: Path
) -> None:
    store.add("mortal", {"seed": 5, "mark": str(tmp_path / "mark")})
    counts = run_trials(store, work.dies_once, executor=executor, resources=TWO)
    assert counts["done"] == 5
    assert store.trial("mortal").attempts == 2
    assert [len(trial.curve) for trial in store.rows()] == [3] * 5


def test_a_trial_that_kills_every_worker_has_failed(store: TrialStore) -> None:
    counts = run_trials(store, work.dies_always, executor="processes", resources=TWO)
    assert (counts["done"], counts["failed"]) == (3, 1)
    assert store.trial("t1").attempts == 2
    assert store.trial("t1").error == ("The worker process was ended by SIGKILL (out of memory?).")


def test_processes_share_cores_and_gpus(
    store: TrialStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meeting").mkdir()
    for number in range(2):
        meeting = {"seed": 4 + number, "meeting": str(tmp_path / "meeting")}
        store.add(f"meeting{number}", meeting)
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("darts.trials.processes.usable_cores", lambda: 6)
    resources = Resources(workers=2, gpus=("3", "5"))
    run_trials(store, work.tells_its_room, executor="processes", resources=resources)
    results = [trial.result or {} for trial in store.rows()]
    assert {result["OMP_NUM_THREADS"] for result in results} == {"3"}
    assert {result["CUDA_VISIBLE_DEVICES"] for result in results} == {"3", "5"}
    assert {result["OMP_WAIT_POLICY"] for result in results} == {"PASSIVE"}
    assert len({result["process"] for result in results}) == 2
    assert "OMP_WAIT_POLICY" not in os.environ
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("executor", ["in-process", "processes"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_in_good_order(
    executor: ExecutorName, number: signal.Signals, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    with TrialStore(tmp_path / "trials.sqlite") as store:
        store.add_all({"a": {"mark": str(mark)}, "b": {"mark": str(mark)}})

        def signal_when_running() -> None:
            while not mark.exists():
                time.sleep(0.05)
            os.kill(os.getpid(), number)

        threading.Thread(target=signal_when_running).start()
        begun = time.monotonic()
        with pytest.raises(TrialsInterrupted, match="0 of 2 trials are done and kept in"):
            run_trials(store, work.sleeps, executor=executor, resources=Resources(workers=1))
        assert time.monotonic() - begun < 30
        assert store.counts()["pending"] == 2


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
def test_workers_end_with_a_killed_driver(tmp_path: Path) -> None:
    path, mark = tmp_path / "trials.sqlite", tmp_path / "mark"
    driver = multiprocessing.get_context("spawn").Process(target=work.drive, args=(path, mark))
    driver.start()
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker = Path("/proc") / mark.read_text() / "cmdline"
    assert worker.read_bytes()
    driver.kill()
    driver.join()
    while worker.exists() and worker.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not worker.exists() or not worker.read_bytes()  # A zombie has no command line.
    with TrialStore(path) as store:
        assert store.counts()["pending"] == 1


def test_workers_that_do_not_start(store: TrialStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])  # A worker gets ours, and so finds nothing of this.
    with pytest.raises(UserError, match="Worker processes do not start"):
        run_trials(store, work.squares, executor="processes", resources=TWO)
    assert store.counts()["pending"] == 4


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="needs ray's absence")
def test_without_ray(store: TrialStore) -> None:
    with pytest.raises(UserError, match="needs Ray: pip install ray"):
        run_trials(store, work.squares, executor="ray")


def test_results_that_are_no_json_fail(store: TrialStore) -> None:
    run_trials(store, lambda settings, report: {"error": object()})
    assert store.counts()["failed"] == 4


@pytest.mark.parametrize(
    ("device", "visible", "gpus"),
    [
        ("auto", None, ("0", "1", "2", "3")),
        ("cuda:2", None, ("2",)),
        ("cuda", "5,7", ("5", "7")),
        ("cuda:1", "5,7", ("7",)),
        ("cpu", None, ()),
    ],
)
def test_gpus_by_the_names_that_workers_know(
    device: str,
    visible: str | None,
    gpus: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "darts.system.device.resolve_device",
        lambda name: torch.device("cpu" if name == "cpu" else "cuda"),
    )
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    chosen = TrialOptions(executor="processes", parallel=3)
    name, resources = executors.trial_resources(chosen, device)
    assert (name, resources.gpus, resources.workers) == ("cuda" if gpus else "cpu", gpus, 3)
