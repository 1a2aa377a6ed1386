"""A whole fit on tiny images: files, sealed test images, kills, the repeated command."""

from __future__ import annotations

import json
import os
import shlex
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import darts
from darts.data import sources
from darts.errors import UserError
from darts.fitting import run
from darts.fitting.field import PRETRAINED, RANDOM, SEARCHED, ZOO
from darts.fitting.files import FitFiles, read_values
from darts.fitting.page import _steps
from darts.fitting.plan import Field, PlannedRung, PlannedSearches
from darts.fitting.run import FitInterrupted, carry_out
from darts.judging import set_aside
from darts.runs.checkpoints import load_checkpoint_file
from tests.darts.fitting.conftest import still_instruments, tiny_options


@pytest.fixture(autouse=True, scope="module")
def small_plan():
    """Three networks, two rungs, three final epochs; the time decides nothing."""
    made = run.make_plan

    def make_plan(*arguments, **named):
        plan = made(*arguments, **named)
        rungs = (
            PlannedRung(networks=3, epochs=1, trainings=1, seconds=1.0),
            PlannedRung(networks=2, epochs=2, trainings=2, seconds=1.0),
        )
        field = Field(zoo=1, random=1, regnet=1, efficientnet=0)
        return replace(plan, rungs=rungs, field=field, ceiling=200_000, batch_size=32)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "make_plan", make_plan)
        patch.setattr(run, "_MOST_EPOCHS", 3)
        yield


@pytest.fixture(autouse=True)
def fresh_images():
    """Images that another test has opened are opened again."""
    set_aside._opened.cache_clear()


def weights(files: FitFiles) -> dict[str, torch.Tensor]:
    return load_checkpoint_file(files.final, ("task",))["task"]["network"]


def same(one: FitFiles, other: FitFiles) -> bool:
    first, second = weights(one), weights(other)
    equal = all(torch.equal(first[name], second[name]) for name in first)
    files = [(one.test, other.test), (one.winner, other.winner), (one.field, other.field)]
    return equal and all(a.read_bytes() == b.read_bytes() for a, b in files)


@pytest.fixture(scope="module")
def finished(small_plan, tmp_path_factory):
    options = tiny_options(tmp_path_factory.mktemp("finished"))()
    return options, carry_out(options, still_instruments())


def test_a_fit_writes_its_outcome_and_a_second_call_reads_it(finished, instruments):
    options, outcome = finished
    files = FitFiles(options.directory)
    assert outcome.test.accuracy == pytest.approx(outcome.final["test_accuracy"])
    assert {one.kind for one in outcome.field} >= {ZOO, RANDOM}
    assert outcome.standings[0].rung == 2
    assert len(outcome.standings[0].accuracies) == 2
    assert sum(map(sum, outcome.test.confusion)) == outcome.test.images == 30
    known = json.loads(files.outcome.read_text())
    assert known["headline"] == outcome.headline()
    assert outcome.winner.name in known["headline"]
    page = files.report.read_text(encoding="utf-8")
    assert page.count("python evaluate.py") >= 2
    assert "Confusion matrix" in page
    before = files.outcome.read_bytes()
    broken = replace(instruments, measure=lambda *_: pytest.fail("measured again"))
    again = carry_out(options, broken)
    assert again.headline() == outcome.headline()
    assert files.outcome.read_bytes() == before


def test_other_options_are_refused(finished):
    options, _ = finished
    with pytest.raises(UserError, match=r"--seed 0, not 1"):
        carry_out(replace(options, seed=1))


def test_the_printed_command_repeats_the_final_training(finished, tmp_path):
    options, outcome = finished
    files = FitFiles(options.directory)
    summary = run._looked_at(options, files)
    steps = dict(_steps(outcome, options, summary, files))
    arguments = shlex.split(steps["The final training"])[2:]
    from darts.cli import main

    assert main(["evaluate", *arguments, "--run-dir", str(tmp_path / "again")]) == 0
    again = load_checkpoint_file(tmp_path / "again", ("task",))["task"]["network"]
    assert all(torch.equal(again[name], value) for name, value in weights(files).items())


class Sealed:
    """Test images that nobody may read before the final training has ended."""

    def __init__(self, images, final: Path) -> None:
        self._images, self._final = images, final
        self.labels = images.labels

    def __len__(self) -> int:
        return len(self._images)

    def __getattr__(self, name):
        lines = self._final / "metrics.jsonl"
        if not lines.is_file() or '"epoch": 1' not in lines.read_text():
            raise AssertionError(f"the test images are asked for {name}")
        return getattr(self._images, name)


def test_test_images_are_read_after_the_last_epoch_only(tiny, instruments, monkeypatch):
    options = tiny()
    summary = run.look(run.data_options(options))
    monkeypatch.setattr(run, "look", lambda _: summary)
    opened, sealed = sources._open, []

    def sealing(data):
        source = opened(data)
        sealed.append(Sealed(source.test, FitFiles(options.directory).final))
        return replace(source, test=sealed[-1])

    monkeypatch.setattr(sources, "_open", sealing)
    monkeypatch.setattr(
        "darts.data.dataset.Dataset.to",
        lambda self, device: replace(self, train=self.train.to(device)),
    )
    carry_out(options, instruments)
    assert sealed


def test_a_fit_that_is_killed_everywhere_ends_in_the_same_bytes(
    finished, instruments, tmp_path, monkeypatch
):
    whole, _ = finished
    options = replace(whole, out=str(tmp_path / "killed"))
    for place in ("rung 1", "rung 2", "final", "test", "page"):
        _kill_at(place, options, instruments, monkeypatch)
    carry_out(options, instruments)
    assert same(FitFiles(options.directory), FitFiles(whole.directory))


def _kill_at(place, options, instruments, monkeypatch):
    """Run until a kill -9 at this place, in a process of its own."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"it was not killed at {place}"
        return
    try:
        _arm(place, monkeypatch)
        carry_out(options, instruments)
    finally:
        os._exit(3)


def _arm(place, monkeypatch):
    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    if place.startswith("rung"):
        trained = run.FieldTraining.__call__

        def training(self, settings, report):
            if settings["epochs"] == int(place[-1]):
                return trained(self, settings, die)
            return trained(self, settings, report)

        monkeypatch.setattr(run.FieldTraining, "__call__", training)
    elif place == "final":
        monkeypatch.setattr("darts.fitting.final.FinalTask.end_epoch", die)
    elif place == "test":
        monkeypatch.setattr(run, "judge_final", die)
    else:
        monkeypatch.setattr("darts.fitting.page.write_fit_report", die)


def test_an_interrupt_is_one_sentence(tiny, instruments, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "make_field", interrupted)
    with pytest.raises(FitInterrupted, match="The same command continues"):
        carry_out(tiny(), instruments)


def test_a_ceiling_that_nothing_meets_is_refused(tiny, instruments):
    with pytest.raises(UserError, match=r"below the ceilings, .* and 1us"):
        carry_out(tiny(max_latency="1us"), instruments)


def test_a_trained_network_joins_the_field(finished, instruments, tmp_path):
    options, _ = finished
    trained = str(FitFiles(options.directory).final)
    again = replace(options, pretrained=(trained,), out=str(tmp_path / "again"))
    outcome = carry_out(again, instruments)
    (found,) = (one for one in outcome.field if one.kind == PRETRAINED)
    assert found.macs == outcome.final["macs"] or outcome.winner != found
    reached = next(one for one in outcome.standings if one.name == found.name)
    assert reached.accuracies
    assert f"--pretrained {trained}" in FitFiles(again.directory).report.read_text()
    missing = replace(again, pretrained=("nothing",), out=str(tmp_path / "missing"))
    with pytest.raises(UserError, match="nothing"):
        carry_out(missing, instruments)


def test_a_searched_cell_competes(tiny, instruments, monkeypatch):
    made = run.make_plan
    settings = {"channels": 4, "layers": 3, "k": 2, "batch_size": 16, "backend": "torch"}
    searches = PlannedSearches(
        seeds=1, settings={**settings, "epochs": 1, "arch_warmup_epochs": 0}, seconds=1.0
    )
    monkeypatch.setattr(run, "make_plan", lambda *a: replace(made(*a), searches=searches))
    options = tiny()
    outcome = carry_out(options, instruments)
    assert outcome.field[0].kind == SEARCHED
    assert any(one.name == "searched-0" and one.accuracies for one in outcome.standings)
    assert "searched cell" in outcome.headline()
    page = FitFiles(options.directory).report.read_text(encoding="utf-8")
    (command,) = [line for line in page.splitlines() if "python search.py" in line]
    assert "--hold-out 5" in command  # It never saw the images that compare networks.
    config = (options.directory / "searches/seed-0/config.yaml").read_text()
    assert "hold_out: 5" in config


def test_a_directory_of_something_else_is_left_alone(tiny, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="holds something else"):
        carry_out(tiny(out=str(tmp_path / "mine")))


def test_the_time_cuts_rungs_and_shortens_the_end(tiny, instruments):
    """Each reading of the clock takes 12 s: the times of the plan are far too small."""
    clock = instruments.clock
    clock.tick = 12.0
    outcome = carry_out(tiny(budget=100.0), instruments)
    decisions = json.loads((tiny().directory / "decisions.json").read_text())
    assert not all(value for name, value in decisions.items() if name.startswith("start"))
    assert outcome.final["epoch"] <= decisions["final epochs"]


def test_plan_only_writes_nothing(tiny, instruments, tmp_path):
    options = tiny()
    plan, text = run.plan_only(options, instruments)
    assert plan.field.networks == 3
    assert "The plan" in text
    assert not options.directory.exists()


def test_from_python():
    with pytest.raises(UserError, match="Unknown setting nonsense"):
        darts.fit("digits", nonsense=1)


def test_several_labels_for_an_image(tiny, instruments, tmp_path):
    """Images as files with a table: each of two labels brightens its half of the image."""
    generator = np.random.default_rng(0)
    rows = ["file,labels,part"]
    for number in range(100):
        has = number % 2, number // 2 % 2
        pixels = generator.integers(0, 100, (8, 8, 3))
        for half in range(2):
            pixels[:, 4 * half : 4 * half + 4] += 120 * has[half]
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number}.png")
        words = " ".join(name for name, one in zip(("left", "right"), has, strict=True) if one)
        rows.append(f"{number}.png,{words},{'train' if number < 72 else 'test'}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    options = tiny(data=f"csv:{tmp_path / 'table.csv'}", workers=0)
    outcome = carry_out(options, instruments)
    assert outcome.test.kind == "multi-label"
    assert outcome.test.accuracy == pytest.approx(outcome.final["test_map"])
    assert "mean average precision" in outcome.headline()
    assert outcome.test.counts == (14, 14)
    files = FitFiles(options.directory)
    final = read_values(files.outcome)["final"]
    assert final["test_map"] == outcome.final["test_map"]
    assert "test_accuracy" not in final
    page = files.report.read_text(encoding="utf-8")
    assert "Confusion matrix" not in page
    assert "mAP" in page
