"""A search as a trial: watched, killed, continued, refused."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from darts.errors import UserError
from darts.run_files import RunFiles
from darts.searching.task import SearchTask
from darts.searching.trial import place_of_trials, search_trial, settings_of_trial
from darts.trials.executors import TrialsInterrupted, run_trials
from darts.trials.job import Resources
from darts.trials.store import TrialStore
from tests.darts.processes import forkserver
from tests.darts.runs_support import assert_same_run, search_options

TIMES = ("seconds", "peak_memory")


def trial(seed: int = 0, **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a trial gets: place and settings."""
    small = {"channels": 4, "k": 2, "train_images": 120, "seed": seed, **settings}
    options = search_options(Path("unused"), **small)
    return place_of_trials(options, "cpu"), settings_of_trial(options, f"runs/{seed}")


def search(folder: Path, seed: int = 0, **settings: Any) -> tuple[dict[str, Any], list[Any]]:
    place, own = trial(seed, **settings)
    curve: list[Any] = []
    return search_trial(str(folder), place, own, curve.append), curve


def killed(folder: Path, after: int, where: str = "step") -> None:
    """Search until SIGKILL comes, before the step after `after` steps, or later."""
    count, original = 0, getattr(SearchTask, where)

    def counting(self: SearchTask, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *arguments)

    with mock.patch.object(SearchTask, where, counting):
        search(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[Any]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, *search(folder)


def assert_same_trial(undisturbed: Any, folder: Path, result: Any, curve: Any) -> None:
    whole, wanted, lines = undisturbed
    one, other = RunFiles(whole / "runs/0"), RunFiles(folder / "runs/0")
    assert one.genotype.read_bytes() == other.genotype.read_bytes()
    strip = lambda values: {k: v for k, v in values.items() if k not in TIMES}  # noqa: E731
    assert strip(result) == strip(wanted)
    assert list(map(strip, curve)) == list(map(strip, lines))
    assert_same_run(one.path, other.path)


def test_what_a_trial_reports_and_returns(undisturbed: Any, capfd: pytest.CaptureFixture) -> None:
    folder, result, curve = undisturbed
    assert [line["epoch"] for line in curve] == [0, 1]
    assert {"train_loss", "supernet_accuracy", "normal_skips"} <= curve[-1].keys()
    assert all(isinstance(value, (int, float)) for value in curve[-1].values())
    assert result == {
        **RunFiles(folder / "runs/0").read_result(),
        "validation_error": 100 - result["validation_accuracy"],
    }
    assert not list((folder / "runs/0").glob("cells/*"))
    # A finished search is read, not repeated.
    with mock.patch.object(SearchTask, "step", side_effect=AssertionError):
        again, lines = search(folder)
    assert again == result
    assert lines == curve
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("where", "after"), [("state_dict", 0), ("step", 4), ("result", 1)])
def test_a_killed_search_ends_in_the_same_bytes(
    undisturbed: Any, where: str, after: int, tmp_path: Path
) -> None:
    process = forkserver().Process(target=killed, args=(tmp_path, after, where))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert RunFiles(tmp_path / "runs/0").checkpoint.exists() == (where != "state_dict")
    assert_same_trial(undisturbed, tmp_path, *search(tmp_path))


@pytest.mark.parametrize("executor", ["in-process", "processes"])
def test_a_signal_writes_the_checkpoint_and_releases_the_trial(
    undisturbed: Any, executor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, settings = trial()
    work = partial(search_trial, str(tmp_path), place)
    report = TrialStore.report

    def signalling(self: TrialStore, *arguments: Any) -> None:
        report(self, *arguments)
        os.kill(os.getpid(), signal.SIGTERM)

    with TrialStore(tmp_path / "trials.sqlite") as store:
        store.add_all({"first": settings, "second": {**settings, "run": "runs/1", "seed": 1}})
        monkeypatch.setattr(TrialStore, "report", signalling)
        with pytest.raises(TrialsInterrupted, match="0 of 2"):
            run_trials(store, work, executor=executor, resources=Resources(workers=1))
        monkeypatch.setattr(TrialStore, "report", report)
        assert store.counts()["pending"] == 2
        assert RunFiles(tmp_path / "runs/0").checkpoint.exists()
        if executor == "in-process":
            assert not RunFiles(tmp_path / "runs/0").result.exists()
        run_trials(store, work)
        done = store.trial("first")
    assert_same_trial(undisturbed, tmp_path, done.result, done.curve)


def test_other_settings_are_refused(tmp_path: Path) -> None:
    search(tmp_path, epochs=1, arch_warmup_epochs=0)
    with pytest.raises(UserError, match="other settings: k is 2 there and 4 now"):
        search(tmp_path, epochs=1, arch_warmup_epochs=0, k=4)
    # Where and how often it writes may change.
    search(tmp_path, epochs=1, arch_warmup_epochs=0, log_every=7, workers=1)


def test_a_search_that_never_began_leaves_no_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--epochs"):
        search(tmp_path, epochs=0)
    assert not (tmp_path / "runs").exists()
