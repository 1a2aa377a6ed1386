"""The store keeps its trials, and refuses foreign or damaged files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from darts.errors import UserError
from darts.trials.schema import VERSION
from darts.trials.store import TrialStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "experiment" / "trials.sqlite"


def test_a_trial_from_its_asking_to_its_end(path: Path) -> None:
    settings = {"seed": 7, "width": 0.1 + 0.2, "name": "größer"}
    with TrialStore(path) as store:
        store.add("a", settings)
        store.start("a")
        store.report("a", {"epoch": 0, "test_error": 90.0})
        store.report("a", {"epoch": 1, "test_error": float("nan")})
        store.finish("a", {"test_error": 1 / 3}, seconds=1.2345, environment={"torch": "2"})
    with TrialStore(path, read_only=True) as store:
        trial = store.trial("a")
        assert store.rows() == [trial]
        assert store.results() == {"a": trial.result}
        assert store.counts() == {"pending": 0, "running": 0, "done": 1, "failed": 0}
    assert trial.settings == settings
    assert (trial.number, trial.key, trial.status, trial.attempts) == (1, "a", "done", 1)
    assert trial.curve == ({"epoch": 0, "test_error": 90.0}, {"epoch": 1, "test_error": None})
    assert trial.result == {"test_error": 1 / 3}  # Every bit of it.
    assert trial.seconds == 1.234  # Whole milliseconds, halves to even.
    assert trial.environment == {"torch": "2"}


def test_epochs_that_arrive_together_are_one_transaction(path: Path) -> None:
    with TrialStore(path) as store:
        for key in ("a", "b"):
            store.add(key, {})
            store.start(key)
        store.report("a", {"loss": 3.0})
        store.report("b", {"loss": 9.0})
        store.report("a", {"loss": 2.0}, {"loss": 1.0})
        with pytest.raises(TypeError):  # All of them or none.
            store.report("a", {"loss": 0.5}, {"loss": object()})
        assert [epoch["loss"] for epoch in store.trial("a").curve] == [3.0, 2.0, 1.0]
        assert [epoch["loss"] for epoch in store.trial("b").curve] == [9.0]


def test_asking_again_changes_nothing_and_for_something_else_is_refused(path: Path) -> None:
    with TrialStore(path) as store:
        store.add("a", {"seed": 1, "width": 8})
        store.finish("a", {})
        store.add("a", {"width": 8, "seed": 1})
        with pytest.raises(UserError, match="trial a is there with other settings"):
            store.add_all({"b": {}, "a": {"seed": 2}})
        assert [trial.key for trial in store.rows()] == ["a"]  # All or none.
        assert store.trial("a").status == "done"


def test_what_a_driver_left_running_is_pending_for_the_next_one(path: Path) -> None:
    with TrialStore(path) as store:
        store.add_all({"a": {}, "b": {}, "c": {}})
        store.start("b")
        store.report("b", {"epoch": 0})
        store.start("a")
        store.report("a", {"epoch": 0})
        store.finish("a", {})
    with TrialStore(path, read_only=True) as store:
        assert store.trial("b").status == "running"  # A reader changes nothing.
    with TrialStore(path) as store:
        assert [trial.key for trial in store.pending()] == ["b", "c"]
        assert store.trial("b").curve == ()
        assert store.trial("b").attempts == 1
        assert len(store.trial("a").curve) == 1
        store.release("a")
        assert store.trial("a").status == "done"  # What is done stays done.
        assert len(store.trial("a").curve) == 1


def test_failed_trials_stay_failed_until_they_are_asked_for(path: Path) -> None:
    with TrialStore(path) as store:
        store.add_all({"a": {}, "b": {}})
        store.start("a")
        store.fail("a", "Traceback\nMemoryError", seconds=2)
        store.finish("b", {})
        assert store.trial("a").error == "Traceback\nMemoryError"
        assert store.pending() == []
        store.retry_failed()
        assert [trial.key for trial in store.pending()] == ["a"]
        assert store.trial("a").error is None
        assert store.trial("b").status == "done"


def test_the_configuration_is_settled_once(path: Path) -> None:
    with TrialStore(path) as store:
        assert store.configuration == {}
        store.configure({"epochs": 10, "space": "regnetx", "macs": None})
    with TrialStore(path) as store:
        store.configure({"space": "regnetx", "epochs": 10, "macs": None})
        assert store.configuration == {"epochs": 10, "space": "regnetx", "macs": None}
        with pytest.raises(UserError, match="another experiment: epochs is 10 there and 20 now; "):
            store.configure({"epochs": 20, "space": "regnety", "macs": None})
        with pytest.raises(UserError, match="macs is null there and absent now"):
            store.configure({"epochs": 10, "space": "regnetx"})


def test_one_driver_and_any_number_of_readers(path: Path) -> None:
    with TrialStore(path) as store:
        store.add("a", {})
        with pytest.raises(UserError, match="Another process is working on"):
            TrialStore(path)
        with TrialStore(path, read_only=True) as reader:
            store.start("a")
            assert reader.trial("a").status == "running"
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader.add("b", {})
    TrialStore(path).close()


def test_plain_queries_see_seed_and_results(path: Path) -> None:
    with TrialStore(path) as store:
        store.add("a", {"seed": 2**62 + 1})
        store.finish("a", {"test_error": 12.5})
    with sqlite3.connect(path) as connection:
        query = "SELECT key, seed, json_extract(result, '$.test_error') FROM trial"
        assert connection.execute(query).fetchall() == [("a", 2**62 + 1, 12.5)]


def test_files_that_are_no_experiment(path: Path) -> None:
    with pytest.raises(UserError, match="There is no experiment"):
        TrialStore(path, read_only=True)
    path.parent.mkdir()
    path.write_text("what is this?" * 100)
    with pytest.raises(UserError, match="cannot be read as an experiment"):
        TrialStore(path)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trial (key TEXT)")
    with pytest.raises(UserError, match="not an experiment of this toolkit"):
        TrialStore(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


def test_another_version_is_refused(path: Path) -> None:
    TrialStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(UserError, match=f"has version {VERSION + 1} of the format"):
        TrialStore(path)


def test_a_damaged_file_is_refused(path: Path) -> None:
    with TrialStore(path) as store:
        store.add_all({f"trial-{number}": {"text": "x" * 500} for number in range(50)})
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(UserError, match="cannot be read as an experiment"):
            TrialStore(path, read_only=read_only)


def test_an_empty_file_of_a_killed_beginning_is_begun_again(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with TrialStore(path) as store:
        assert store.rows() == []
