"""Advice is a function of the data and of what was measured."""

from __future__ import annotations

import json
import shlex

import pytest

from darts.advising import advice
from darts.advising.advice import AdviceOptions, advise_on
from darts.advising.machine import SearchRate, TrainingRate
from darts.advising.rules import RULES
from darts.cli import main
from darts.data.options import DataOptions
from darts.errors import UserError
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.parsing import parse_options
from tests.darts.fitting.conftest import summary


@pytest.fixture
def measured(monkeypatch):
    """A machine with a step of 0.1 s."""
    step = SearchRate(
        weight_seconds=0.05,
        step_seconds=0.1,
        steps=22,
        backend="torch",
        closing_seconds=0.5,
        memory=10**9,
        setup_seconds=2.0,
    )
    image = TrainingRate(
        family="cells", macs=10**6, image_seconds=0.001, closing_seconds=0.2, setup_seconds=1.0
    )
    monkeypatch.setattr(advice, "measure_search", lambda *_, **__: step)
    monkeypatch.setattr(advice, "measure_training", lambda *_, **__: image)


def test_the_expected_times_add_up(measured):
    found = advise_on(AdviceOptions(data=DataOptions(dataset="digits"), start_seconds=3.0))
    # 15 epochs of warm-up and 35 more, 22 steps each, 50 checkpoints; validation of 22 batches.
    search = 3 + 2 + 22 * (15 * 0.05 + 35 * 0.1) + 50 * 0.5 + 22 * 0.05 / 3
    assert found.search.seconds == pytest.approx(search)
    # 200 epochs of 15 steps of 96 images, 20 tests of 355 images at a third of the price.
    training = 3 + 1 + 0.001 * (200 * 15 * 96 + 20 * 355 / 3) + 200 * 0.2
    assert found.training.seconds == pytest.approx(training)


def test_the_command_has_the_advised_settings(measured):
    found = advise_on(AdviceOptions(data=DataOptions(dataset="digits")))
    arguments = shlex.split(found.search.command)[2:]
    options = parse_options(SearchOptions, arguments, prog="search", overlay=search_overlay)
    values = {one.name: one.value for one in found.search.settings}
    assert (str(options.k), str(options.channels)) == (values["K"], values["channels"])
    assert (str(options.epochs), str(options.batch_size)) == (values["epochs"], values["batch"])
    assert options.arch_warmup_epochs == 15
    assert {one.rule for one in found.search.settings} <= set(RULES)


def test_the_command_line(measured, capsys):
    assert main(["advise", "digits", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["search"]["settings"][0] == {
        "name": "image size",
        "value": "8",
        "rule": "image size",
        "reason": f"{RULES['image size'].says} ({RULES['image size'].source})",
    }
    assert main(["advise", "digits"]) == 0
    assert "Reasons" in capsys.readouterr().out
    assert main(["advise", "no-such-folder"]) == 2


def test_too_few_images_are_refused(measured, monkeypatch):
    monkeypatch.setattr(advice, "look", lambda _: summary(images=10, classes=2))
    with pytest.raises(UserError, match="20 training images"):
        advise_on(AdviceOptions(data=DataOptions(dataset="digits")))
