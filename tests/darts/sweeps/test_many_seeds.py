"""Several searches and a choice: complete, equal to single ones, killed, failed; no test images."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import pytest
import torch
from torch import Tensor

import darts
from darts.data import sources
from darts.data.digits import open_digits
from darts.data.source import Source
from darts.errors import UserError
from darts.judging import set_aside, short_training
from darts.nasbench.cell_names import strings
from darts.run_files import RunFiles
from darts.searching.task import SearchTask
from darts.sweeps import outcome
from darts.sweeps.chosen import ChosenCell
from darts.trials.store import TrialStore
from genotypes import load_genotype, parse_genotype
from genotypes.nasbench201 import official_index
from tests.darts.processes import forkserver
from tests.darts.runs_support import assert_same_run

SMALL = {
    "dataset": "digits",
    "preset": "smoke",
    "device": "cpu",
    "threads": 1,
    "train_images": 120,
    "test_images": None,
    "batch_size": 20,
    "channels": 4,
    "nodes": 2,
    "k": 2,
    "choice_trainings": 2,
}


def search(folder: Path, **settings: Any) -> ChosenCell:
    found = darts.search(**{**SMALL, "seeds": 2, "run_dir": str(folder), **settings})
    assert isinstance(found, ChosenCell)
    return found


def result_of(folder: Path) -> dict[str, Any]:
    """The content of result.json without times and memory."""
    values = RunFiles(folder).read_result()
    for one in (values, *values["seeds"]):
        one.pop("seconds")
    del values["peak_memory"]
    return values


class Untouchable:
    """Test images that nobody may look at; they can be counted and moved."""

    def __len__(self) -> int:
        return 360

    def to(self, device: torch.device | str) -> Untouchable:
        return self

    def resized(self, size: int) -> Untouchable:
        return self

    @property
    def labels(self) -> NoReturn:
        raise AssertionError("The labels of the test images were read.")

    def fetch(self, indices: Tensor) -> NoReturn:
        raise AssertionError("A test image was read.")

    def reader(self, pin: bool = False) -> NoReturn:
        raise AssertionError("The test images were read.")

    def subset(self, indices: Tensor) -> NoReturn:
        raise AssertionError("Test images were selected.")


def untouchable_digits() -> Source:
    return replace(open_digits(), test=Untouchable())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ChosenCell]:
    """A run that could not read a test image."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with no_test_images():
        return folder, search(folder)


@contextmanager
def no_test_images() -> Iterator[None]:
    """Inside the block, whoever reads a test image of the digits fails."""
    set_aside._opened.cache_clear()
    with mock.patch.object(sources, "open_digits", untouchable_digits):
        yield
    set_aside._opened.cache_clear()


@contextmanager
def copied(finished: tuple[Path, ChosenCell], place: Path) -> Iterator[TrialStore]:
    """A copy of the run, whose trials can be changed inside the block."""
    shutil.copytree(finished[0], place)
    with TrialStore(place / "trials.sqlite") as store:
        yield store


def fail(store: TrialStore, key: str, error: str) -> None:
    """Let a trial that is done have failed instead."""
    store.start(key)
    store.fail(key, error)


def resume(folder: Path, **settings: Any) -> ChosenCell:
    """Continue a run; no step of a search is made."""
    with mock.patch.object(SearchTask, "step", side_effect=AssertionError):
        found = darts.search(resume=str(folder), **settings)
    assert isinstance(found, ChosenCell)
    return found


def test_the_run_directory_is_complete(finished: tuple[Path, ChosenCell]) -> None:
    folder, found = finished
    run, result = RunFiles(folder), result_of(folder)
    assert run.read_config()["seeds"] == 2
    chosen = load_genotype(run.genotype)
    assert chosen == found.genotype
    assert chosen.name == "run"
    assert chosen.provenance["chosen_by"] == "retrain"
    assert chosen.provenance["chosen_from_seeds"] == [2, 3]
    assert chosen.provenance["seed"] == found.choice.seed == result["seed"]
    own = load_genotype(folder / f"seeds/{found.choice.seed}/genotype.yaml")
    assert chosen.normal == own.normal
    assert {file.name for file in run.cells.iterdir()} >= {"normal.svg", "reduce.png"}
    assert [one["seed"] for one in result["seeds"]] == [2, 3]
    assert result["choice"]["sentence"] == found.choice.sentence() == result["sentences"][-1]
    assert len(result["choice"]["candidates"][0]["accuracies"]) == 2
    assert result["choice"]["candidates"][0]["images"] == 20  # Two of each class's twelve.
    assert "1 epoch, 4 channels" in found.how
    assert "on 100 training images; compared on 20 others" in found.how


def test_each_search_is_that_of_its_seed_alone(
    finished: tuple[Path, ChosenCell], tmp_path: Path
) -> None:
    folder, _ = finished
    single = {name: value for name, value in SMALL.items() if not name.startswith("choice")}
    darts.search(**single, seed=3, run_dir=str(tmp_path / "3"))
    alone, among = RunFiles(tmp_path / "3"), RunFiles(folder / "seeds/3")
    assert alone.genotype.read_bytes() == among.genotype.read_bytes()
    assert_same_run(alone.path, among.path)
    assert among.report.is_file()
    assert (among.cells / "normal.svg").is_file()
    wanted = alone.read_config() | {"run_dir": str(among.path)}
    assert among.read_config() == wanted


def test_the_page(finished: tuple[Path, ChosenCell], tmp_path: Path) -> None:
    folder, found = finished
    page = RunFiles(folder).report.read_text()
    assert found.choice.sentence().replace("'", "&#39;") in page
    assert page.count("Cell A: seed 2") >= 1
    assert "Where the seeds agree" in page
    for edge in found.agreement.edges:
        if edge.operation == "skip_connect":
            assert f"skip {edge.choices['skip_connect']}/2" in page
    # The command `report` writes this page, not that of a single search.
    RunFiles(folder).report.unlink()
    assert (
        darts.api.report([folder]).read_text().partition("Written")[0]
        == (page.partition("Written")[0])
    )


def killed(folder: Path, where: str, after: int) -> None:
    """Search until SIGKILL comes, when a function is called more than `after` times."""
    owner, name = {
        "step": (SearchTask, "step"),
        "training": (short_training, "train_briefly"),
        "writing": (outcome, "save_genotype"),
    }[where]
    count, original = 0, getattr(owner, name)

    def counting(*arguments: Any, **keywords: Any) -> Any:
        nonlocal count
        count += 1
        if count > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **keywords)

    with mock.patch.object(owner, name, counting):
        if folder.exists():
            darts.search(resume=str(folder))
        else:
            search(folder)


def test_killed_and_continued_it_ends_in_the_same_bytes(
    finished: tuple[Path, ChosenCell], tmp_path: Path
) -> None:
    whole, broken = finished[0], tmp_path / "run"
    for where, after in (("step", 7), ("training", 2), ("writing", 0)):
        process = forkserver().Process(target=killed, args=(broken, where, after))
        process.start()
        process.join(300)
        assert process.exitcode == -signal.SIGKILL
        assert not RunFiles(broken).genotype.exists()
    resume(broken)
    for name in ("genotype.yaml", "cells/normal.gv"):
        assert (whole / name).read_bytes() == (broken / name).read_bytes()
    assert result_of(broken) == result_of(whole)
    assert RunFiles(broken).report.is_file()
    for seed in (2, 3):
        assert_same_run(whole / f"seeds/{seed}", broken / f"seeds/{seed}")
    with TrialStore(broken / "trials.sqlite", read_only=True) as store:
        # The search of seed 3 and the first training of its cell were cut off.
        attempts = {trial.key: trial.attempts for trial in store.rows()}
    assert [key for key, number in attempts.items() if number > 1] == [
        "seed 3",
        "seed 3, training 1",
    ]


def test_a_finished_run_is_only_read(finished: tuple[Path, ChosenCell]) -> None:
    before = RunFiles(finished[0]).result.read_bytes()
    resume(finished[0])
    assert RunFiles(finished[0]).result.read_bytes() == before


@pytest.mark.parametrize("rule", ["one-shot", "validation"])
def test_no_other_rule_looks_at_a_test_image(
    rule: str, finished: tuple[Path, ChosenCell], tmp_path: Path
) -> None:
    with copied(finished, tmp_path / "run"):
        run = RunFiles(tmp_path / "run")
        run.config.write_text(run.config.read_text().replace("choose: retrain", f"choose: {rule}"))
    with no_test_images():
        found = resume(run.path)
    assert not any(one.error for one in found.outcomes)
    assert found.choice.rule == rule
    assert {one.images for one in found.choice.candidates} == {60}
    assert f"Note: {found.choice.warning}" in found.sentences()
    best = max(found.choice.candidates, key=lambda one: one.mean)
    assert found.choice.seed == best.seeds[0]
    if rule == "validation":
        values = {one.seed: one.validation_accuracy for one in found.outcomes}
        assert {one.seeds[0]: one.mean for one in found.choice.candidates} == values


def test_the_refusing_images_would_be_noticed(tmp_path: Path) -> None:
    """An evaluation, which does look at them, fails."""
    settings = {"dataset": "digits", "preset": "smoke", "test_images": None, "device": "cpu"}
    with no_test_images(), pytest.raises(AssertionError, match="test images were read"):
        darts.evaluate(
            **settings, genotype="darts_v1", train_images=60, epochs=1, channels=4,
            run_dir=str(tmp_path / "run"),
        )  # fmt: skip


def test_a_failed_search_does_not_lose_the_others(
    finished: tuple[Path, ChosenCell], tmp_path: Path
) -> None:
    with copied(finished, tmp_path / "run") as store:
        fail(store, "seed 3", "The loss became infinite.")
    found = resume(tmp_path / "run")
    assert [one.error for one in found.outcomes] == ["", "The loss became infinite."]
    assert "no other cell could be judged" in found.choice.sentence()
    assert "Seed 3: The loss became infinite." in RunFiles(tmp_path / "run").report.read_text()
    again = resume(tmp_path / "run", retry_failed=True)
    assert not any(one.error for one in again.outcomes)
    assert again.choice == finished[1].choice


def test_if_all_searches_fail_the_first_reason_is_given(
    finished: tuple[Path, ChosenCell], tmp_path: Path
) -> None:
    with copied(finished, tmp_path / "run") as store:
        fail(store, "seed 2", "No luck.")
        fail(store, "seed 3", "Neither.")
    message = r"(?s)None of the 2 searches.* Seed 2: No luck.*--resume"
    with pytest.raises(UserError, match=message):
        resume(tmp_path / "run")


def test_failed_short_trainings(finished: tuple[Path, ChosenCell], tmp_path: Path) -> None:
    with copied(finished, tmp_path / "run") as store:
        for key in ("seed 2, training 1", "seed 3, training 1", "seed 3, training 2"):
            fail(store, key, "The loss became infinite.")
    found = resume(tmp_path / "run")
    assert found.choice.seed == 2
    assert found.outcomes[0].error == "1 of 2 trials of its cell failed: The loss became infinite."
    assert len(found.outcomes[0].accuracies) == 1
    assert found.outcomes[1].accuracies == ()


def test_equal_cells_are_trained_once(finished: tuple[Path, ChosenCell], tmp_path: Path) -> None:
    with copied(finished, tmp_path / "run"):
        first, second = (tmp_path / f"run/seeds/{seed}/genotype.yaml" for seed in (2, 3))
        second.write_bytes(first.read_bytes())
    found = resume(tmp_path / "run")
    assert [one.cell for one in found.outcomes] == ["A", "A"]
    assert [one.accuracies for one in found.choice.candidates] == [()]
    assert "these searches found the same cell" in found.choice.sentence()


def graded(best: str) -> Any:
    """A short training that takes no time and prefers the cell whose name begins with `best`."""

    def train(options: Any, model: Any, dataset: Any, report: Any) -> dict[str, Any]:
        error = (10.0 if model.name.startswith(best) else 40.0) + options.seed % 100 / 100
        return {"test_error": error, "test_loss": 1.0, "params": 1, "macs": 1}

    return mock.patch.object(short_training, "train_briefly", train)


@pytest.mark.parametrize(("best", "verdict"), [("random", "worse"), ("seed", "better")])
def test_random_cells_compete(
    best: str, verdict: str, finished: tuple[Path, ChosenCell], tmp_path: Path
) -> None:
    with copied(finished, tmp_path / "run") as store:
        run = RunFiles(tmp_path / "run")
        text = run.config.read_text()
        run.config.write_text(text.replace("random_cells: 0", "random_cells: 3"))
        for key in [row.key for row in store.rows() if "training" in row.key]:
            store.start(key)
            store.fail(key, "Forgotten.")
    with graded(best):
        found = resume(run.path, retry_failed=True)
    assert found.chance is not None
    assert found.chance.verdict == verdict
    assert found.sentences()[-2] == found.chance.sentence()
    result = result_of(run.path)
    assert [one["random"] for one in result["random_cells"]] == [1, 2, 3]
    assert all(len(one["accuracies"]) == 2 for one in result["random_cells"])
    assert result["chance"]["surpassed"] == (0 if best == "random" else 3)
    assert [row[0] for row in result["rows"]] == [
        "seed",
        "2",
        "3",
        *(f"random {n}" for n in (1, 2, 3)),
    ]
    assert found.genotype.provenance["chosen_from_random_cells"] == 3
    page = run.report.read_text()
    assert "Random cells surpassed" in page
    if best == "seed":
        assert found.choice.seed in (2, 3)
        return
    winner = result["random_cells"][found.choice.best.random - 1]
    assert found.choice.seed is None
    assert parse_genotype(winner["genotype"], "winner").normal == found.genotype.normal
    assert result["derived"]["macs"] == winner["macs"]
    assert result["validation_accuracy"] is None
    assert f"Random cell {found.choice.best.random} (chosen)" in page
    assert load_genotype(run.genotype) == found.genotype


def test_cells_of_nasbench201_in_processes_beside_known_accuracies(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = [f"{arch},{n / 400},{n / 200}" for n, arch in enumerate(strings())]
    table.write_text("\n".join(["arch,valid_acc,test_acc", *rows]))
    settings = {name: SMALL[name] for name in ("dataset", "preset", "device", "threads")}
    run = tmp_path / "run"
    found = darts.search(
        **settings, space="nasbench201", table=str(table), channels=4, train_images=120,
        batch_size=20, seeds="0,1", choose="one-shot", executor="processes", parallel=2,
        run_dir=str(run),
    )  # fmt: skip
    assert isinstance(found, ChosenCell)
    assert found.agreement.by_chance == pytest.approx(1.2)
    assert {edge.cells for edge in found.agreement.edges} == {2}
    result = RunFiles(run).read_result()
    assert result["agreement"]["kept"] == 6
    for one in found.outcomes:
        number = official_index(parse_genotype(one.genotype, "outcome"))
        assert one.known_test == number / 200
    assert result["table"]["test"] == official_index(found.genotype) / 200
    assert result["rows"][0][-2] == "table test"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": 1}, "--seeds 1: a choice needs 2 searches"),
        ({"seeds": 0, "random_cells": 2}, "--seeds 0: give 1 search or more"),
        ({"random_cells": -1}, "--random-cells: must be 0 or more"),
        ({"random_cells": 2, "choose": "validation"}, "--random-cells: random cells have no"),
        ({"seeds": "3,3"}, "seed 3 is given twice"),
        ({"seeds": "a"}, "--seeds a: give a number"),
        ({"choice_trainings": 0}, "--choice-trainings: must be 1 or more, not 0"),
        ({"choice_epochs": 0}, "--choice-epochs: must be 1 or more"),
        ({"choice_hold_out": 1}, "--choice-hold-out: must be 2 or more"),
        ({"choice_hold_out": 50}, "has 12 images; 50 are needed"),
        ({"choose": "best"}, "one of"),
        ({"layers": 2}, "--layers: must be 3 or more"),
        ({"seeds": None, "choose": "one-shot"}, "--choose belongs to several searches: add"),
        ({"seeds": None, "executor": "processes"}, "--executor belongs to several searches"),
    ],
)
def test_what_is_refused_writes_nothing(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    own = {} if settings.get("seeds", 2) else {"choice_trainings": 3}
    with pytest.raises(UserError, match=message):
        search(tmp_path / "run", **own, **settings)
    assert not (tmp_path / "run").exists()


def test_torchrun_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match=r"--seeds: torchrun .* --executor processes"):
        search(tmp_path / "run")
