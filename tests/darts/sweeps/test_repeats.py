"""A training with several seeds: each equals its single run; killed, continued, failed."""

from __future__ import annotations

import re
import shutil
import statistics
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import darts
from darts.cli import main
from darts.errors import UserError
from darts.run_files import RunFiles
from darts.sweeps.repeat_options import ManyTrainingOptions
from darts.sweeps.repeats import RepeatedTraining
from darts.training.task import TrainingTask
from darts.trials.store import TrialStore
from tests.darts.runs_support import assert_same_run

SMALL = {
    "genotype": "pcdarts_cifar10",
    "dataset": "digits",
    "preset": "smoke",
    "device": "cpu",
    "threads": 1,
    "train_images": 40,
    "test_images": 40,
    "batch_size": 20,
    "channels": 4,
    "checkpoint_every": 1,
}


def train(folder: Path, **settings: Any) -> RepeatedTraining:
    found = darts.evaluate(**{**SMALL, "seeds": "3,1", "run_dir": str(folder), **settings})
    assert isinstance(found, RepeatedTraining)
    return found


def result_of(folder: Path) -> dict[str, Any]:
    """The content of result.json without times and memory."""
    values = RunFiles(folder).read_result()
    for one in (values, *values["repeats"]["runs"]):
        one.pop("seconds")
    del values["peak_memory"]
    return values


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RepeatedTraining]:
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, train(folder)


def test_each_training_is_that_of_its_seed_alone(
    finished: tuple[Path, RepeatedTraining], tmp_path: Path
) -> None:
    darts.evaluate(**SMALL, seed=1, run_dir=str(tmp_path / "1"))
    alone, among = RunFiles(tmp_path / "1"), RunFiles(finished[0] / "seeds/1")
    assert_same_run(alone.path, among.path)
    assert alone.genotype.read_bytes() == among.genotype.read_bytes()
    assert among.read_config() == alone.read_config() | {"run_dir": str(among.path)}
    own, other = alone.read_result(), among.read_result()
    for one in (own, other):
        del one["seconds"], one["peak_memory"]
    assert own == other
    files = [sorted(one.name for one in run.path.iterdir()) for run in (alone, among)]
    assert files[0] == files[1]


def test_mean_and_deviation(finished: tuple[Path, RepeatedTraining]) -> None:
    folder, found = finished
    result = result_of(folder)
    accuracies = [
        RunFiles(folder / f"seeds/{seed}").read_result()["test_accuracy"] for seed in (3, 1)
    ]
    measured = result["repeats"]["measures"]["test_accuracy"]
    assert result["test_accuracy"] == measured["mean"] == statistics.mean(accuracies)
    assert measured["deviation"] == pytest.approx(statistics.stdev(accuracies))
    assert measured["n"] == 2
    # Student's quantile of one degree of freedom is 12.706.
    half = 12.7062 * statistics.stdev(accuracies) / 2**0.5
    assert measured["interval"]["high"] - measured["mean"] == pytest.approx(half, rel=1e-4)
    assert [one["seed"] for one in result["repeats"]["runs"]] == [3, 1]
    mean, deviation = statistics.mean(accuracies), statistics.stdev(accuracies)
    assert f"{mean:.2f} % test accuracy ± {deviation:.2f} points" in found.sentence()
    page = RunFiles(folder).report.read_text()
    assert found.sentence() in page
    assert f"{accuracies[0]:.2f} %" in page
    RunFiles(folder).report.unlink()
    again = darts.api.report([folder]).read_text()
    assert again.partition("Written")[0] == page.partition("Written")[0]


def test_networks_of_several_runs_are_timed_together(
    finished: tuple[Path, RepeatedTraining], tmp_path: Path
) -> None:
    folder, both = finished[0], tmp_path / "both.html"
    page = darts.api.report([folder, folder / "seeds/3"], both, latency=True, threads=1).read_text()
    assert "Latency" in page
    assert len(re.findall(r"<td>[\d.]+ ms</td>", page)) == 2
    assert "<td>2 of 2</td>" in page
    assert "<td>0 of 2</td>" not in page
    for runs, words in (([folder], "give several runs"), ([folder, folder], "--batch 0")):
        with pytest.raises(UserError, match=words):
            darts.api.report(runs, latency=True, batch=0)


class Died(BaseException):
    """Stands for a process that dies: nothing handles it."""


def test_stopped_at_once_and_continued_it_ends_in_the_same_bytes(
    finished: tuple[Path, RepeatedTraining], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, original, done = tmp_path / "run", TrainingTask.step, iter(range(7))

    def dying(task: TrainingTask) -> Any:
        """Die in the last of the eight steps, that of the second training."""
        if next(done, None) is None:
            raise Died
        return original(task)

    with mock.patch.object(TrainingTask, "step", dying), pytest.raises(Died):
        train(broken)
    assert not RunFiles(broken).result.exists()
    steps = mock.Mock(side_effect=TrainingTask.step, autospec=True)
    with mock.patch.object(TrainingTask, "step", lambda task: steps(task)):
        assert main(["evaluate", "--resume", str(broken)]) == 0
    assert steps.call_count == 1
    assert result_of(broken) == result_of(finished[0])
    for seed in (3, 1):
        assert_same_run(finished[0] / f"seeds/{seed}", broken / f"seeds/{seed}")
    assert finished[1].sentence() in capsys.readouterr().out


def test_a_failed_training_does_not_lose_the_others(
    finished: tuple[Path, RepeatedTraining], tmp_path: Path
) -> None:
    shutil.copytree(finished[0], tmp_path / "run")
    with TrialStore(tmp_path / "run/trials.sqlite") as store:
        store.start("seed 1")
        store.fail("seed 1", "The loss became infinite.")
    with mock.patch.object(TrainingTask, "step", side_effect=AssertionError):
        found = darts.evaluate(resume=str(tmp_path / "run"))
        assert found.errors == {1: "The loss became infinite."}
        assert (found.accuracy.n, found.accuracy.deviation) == (1, None)
        assert "the deviation is not known" in found.sentence()
        assert "Seed 1 failed" in RunFiles(tmp_path / "run").report.read_text()
        again = darts.evaluate(resume=str(tmp_path / "run"), retry_failed=True)
    assert again.sentence() == finished[1].sentence()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": 1}, "mean and deviation need 2 trainings"),
        ({"seeds": "1,1"}, "seed 1 is given twice"),
        ({"seeds": "a"}, "give a number of trainings"),
        ({"parallel": 2}, "--parallel belongs to several trainings"),
        ({"seeds": 2, "test_only": True}, "--test-only tests one checkpoint"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ManyTrainingOptions(**settings).check_repeats()


def test_an_error_in_the_data_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="test-images 9000"):
        train(tmp_path / "run", test_images=9000)
    assert not (tmp_path / "run").exists()
