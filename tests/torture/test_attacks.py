"""Planted attacks: nothing from outside runs, and nothing outside its place is touched."""

from __future__ import annotations

import bz2
import hashlib
import io
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from darts.cli import main
from darts.errors import UserError
from darts.runs.checkpoints import _MARK, load_checkpoint
from darts.trials.run_trial import run_of_trial
from darts.trials.store import TrialStore
from tests.torture.data_inputs import objects_array
from tests.torture.mutations import Runs, archive_of, bomb, pickled_code
from tests.torture.trying import CANARY

COMMAND = "!!python/object/apply:os.system ['touch canary']"
SEARCH = ["search", "--dataset", "digits", "--preset", "smoke", "--device", "cpu"]
EVALUATE = ["evaluate", *SEARCH[1:], "--genotype", "darts_v2"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory; planted code would create a file in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CANARY, str(tmp_path / "canary"))
    yield tmp_path
    assert not (tmp_path / "canary").exists()


def saved(value: Any, zipped: bool = True) -> bytes:
    """What torch.save writes."""
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def signed(archive: bytes) -> bytes:
    """A checkpoint with a right digest."""
    return archive + _MARK + hashlib.sha256(archive).digest()


def arrays() -> bytes:
    names = ("x_train", "y_train", "x_test", "y_test")
    return archive_of({f"{name}.npy": objects_array() for name in names})


FILES: dict[str, tuple[str, Callable[[], bytes | str], list[str]]] = {
    "weights": ("a.pth", lambda: saved({"x": Runs()}), [*EVALUATE, "--pretrained", "a.pth"]),
    "old weights": ("a.pth", lambda: saved(Runs(), False), [*EVALUATE, "--pretrained", "a.pth"]),
    "pickle as weights": ("a.pt", pickled_code, [*EVALUATE, "--pretrained", "a.pt"]),
    "checkpoint": (
        "a.pt",
        lambda: signed(saved({"darts_checkpoint": 1, "step": 1, "task": Runs()})),
        ["predict", "x.png", "--checkpoint", "a.pt"],
    ),
    "arrays": ("a.npz", arrays, [*EVALUATE, "--dataset", "array:a.npz"]),
    "table": ("t", pickled_code, ["benchmark", "nasbench201", "--table", "t"]),
    "packed table": (
        "t",
        lambda: bz2.compress(pickled_code(4)),
        ["benchmark", "nasbench201", "--table", "t"],
    ),
    "table of torch": (
        "t",
        lambda: saved({"arch2infos": Runs()}),
        ["benchmark", "nasbench201", "--table", "t"],
    ),
    "old table of torch": (
        "t",
        lambda: saved({"arch2infos": Runs()}, False),
        ["benchmark", "nasbench201", "--table", "t"],
    ),
    "recipe": ("a.yaml", lambda: f"epochs: {COMMAND}", [*SEARCH, "--config", "a.yaml"]),
    "genotype": ("a.yaml", lambda: f"name: {COMMAND}", ["genotypes", "a.yaml"]),
    "written genotype": (
        "a.py",
        lambda: "Genotype(normal=__import__('os').system('touch canary'))",
        ["genotypes", "a.py"],
    ),
    "space": ("a.yaml", lambda: f"operations: {COMMAND}", ["spaces", "a.yaml"]),
    "joint space": ("a.yaml", lambda: f"recipe: {COMMAND}", ["joint", "show", "a.yaml"]),
    "own part of a recipe": (
        "a.py",
        lambda: "open('canary', 'w')",
        [*SEARCH, "--config", "uses.yaml"],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_code_in_a_file_does_not_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file, content, arguments = FILES[name]
    made = content()
    Path(file).write_bytes(made if isinstance(made, bytes) else made.encode())
    Path("uses.yaml").write_text("use: a.py")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.rpartition("error: ")[2].count("\n") == 1
    assert not Path("canary").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [*SEARCH, "--config", "a.yaml"],
        ["genotypes", "a.yaml"],
        ["spaces", "a.yaml"],
        ["joint", "show", "a.yaml"],
        ["cost", "a.yaml"],
        [*SEARCH[:1], "--resume", "run"],
    ],
)
def test_bombs_are_refused_at_once(arguments: list[str]) -> None:
    Path("run").mkdir()
    for path in (Path("a.yaml"), Path("run/config.yaml")):
        path.write_text(bomb())
    main(["methods"])  # So that the libraries are loaded.
    started = time.monotonic()
    assert main(arguments) == 2
    assert time.monotonic() - started < 10


def test_a_checkpoint_with_code_is_not_gone_on_from(tmp_path: Path) -> None:
    state = {"darts_checkpoint": 1, "step": 1, "task": Runs()}
    (tmp_path / "checkpoint.pt").write_bytes(signed(saved(state)))
    with pytest.raises(UserError, match="cannot be read by torch"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["../../victim", "/victim", "runs/../../victim", "", ".", None, 3])
def test_a_trial_stays_in_its_study(name: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="outside of the study"):
        run_of_trial(tmp_path, {"run": name})
    assert run_of_trial(tmp_path, {"run": "runs/a"}).path == tmp_path / "runs" / "a"


def test_the_text_of_a_command_is_no_statement(tmp_path: Path) -> None:
    path = tmp_path / "population.sqlite"
    key = "a'; DROP TABLE trial; --"
    with TrialStore(path) as store:
        store.add(key, {"seed": 1})
        store.start(key)
        store.fail(key, "'); DELETE FROM trial; --")
        assert store.trial(key).error == "'); DELETE FROM trial; --"
        assert store.counts()["failed"] == 1


def test_values_of_another_kind_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    with TrialStore(path) as store:
        store.add("a", {"seed": 1})
    for value in (b"\xff", "[1]", "{", "[" * 10_000, 7, "NaN"):
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE trial SET result = ?", (value,))
        connection.close()
        with (
            TrialStore(path, read_only=True) as store,
            pytest.raises(UserError, match="is damaged"),
        ):
            store.rows()


@pytest.mark.parametrize(
    "change", [{"darts_checkpoint": torch.zeros(3)}, {"step": torch.zeros(3)}, {"step": "1"}, None]
)
def test_a_checkpoint_of_other_values_is_refused(change: Any, tmp_path: Path) -> None:
    state = None if change is None else {"darts_checkpoint": 1, "step": 1, **change}
    (tmp_path / "checkpoint.pt").write_bytes(signed(saved(state)))
    with pytest.raises(UserError, match=r"No checkpoint in .* can be used"):
        load_checkpoint(tmp_path)
