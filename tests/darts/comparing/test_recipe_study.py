"""A small study of recipes from the command line: complete, extended, resumed, refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from darts.cli import main
from darts.comparing.recipe_study import trial_key
from darts.training import trial
from darts.trials.store import TrialStore

SMALL = (
    *("--dataset=digits", "--preset=smoke", "--channels=4", "--epochs=1", "--threads=1"),
    *("--train-images=64", "--device=cpu"),
)
RECIPES = ("--recipes", "lr=0.1", "lr=0.01,wd=1e-3")


def study(directory: Path, *more: str) -> int:
    words = ("compare", "darts_v1", "pcdarts_cifar10", *RECIPES, *more)
    return main([*words, *SMALL, "--run-dir", str(directory)])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "run"
    assert study(path) == 0
    return path


def trials(directory: Path) -> dict:
    with TrialStore(directory / "trials.sqlite", read_only=True) as store:
        return {one.key: one for one in store.rows()}


def test_the_result_is_that_of_the_trials(directory: Path) -> None:
    found = json.loads((directory / "recipes.json").read_text())
    assert found["recipes"] == ["lr=0.1", "lr=0.01, wd=0.001"]
    rows = trials(directory)
    assert len(rows) == 4
    for one in found["networks"]:
        keys = [trial_key(one["name"], recipe, 0) for recipe in found["recipes"]]
        errors = [rows[key].result["test_error"] for key in keys]
        assert one["error_by_recipe"] == errors
        assert one["mean_error"] == np.mean(errors)
        assert one["best_error_of_all_recipes"] == min(errors)
        assert rows[keys[0]].settings["recipe"]["learning_rate"] == 0.1
        assert rows[keys[1]].settings["recipe"]["weight_decay"] == 1e-3
    assert len({row.settings["seed"] for row in rows.values()}) == 4
    assert found["deviation_of"] == "test images"
    assert found["setting"]["measured_on"] == "test images"


def test_page_text_and_plots(directory: Path) -> None:
    page = (directory / "report.html").read_text()
    for tag in ("section", "table", "tr", "figure", "svg", "h2"):
        assert len(re.findall(f"<{tag}[ >]", page)) == page.count(f"</{tag}>") > 0
    assert "darts_v1, pcdarts_cifar10 under 2 recipes" in page
    text = (directory / "recipes.txt").read_text()
    for words in (
        "Error by recipe (test, %",
        "smallest error, chosen on test images",
        "Agreement of",
    ):
        assert words in text
    for name in ("errors", "ranks"):
        assert ElementTree.parse(directory / f"{name}.svg").getroot().tag.endswith("svg")


def test_the_command_again_trains_only_what_is_missing(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, plain = trials(directory), (directory / "recipes.json").read_bytes()
    assert main(["compare", "--resume", str(directory)]) == 0
    assert (directory / "recipes.json").read_bytes() == plain
    assert study(directory, "--baseline", "random-cells", "--population", "1") == 0
    after = trials(directory)
    assert {key: after[key] for key in before} == before
    assert len(after) == 6
    found = json.loads((directory / "recipes.json").read_text())
    assert [one["judged"] for one in found["networks"]] == [True, True, False]
    assert "report  " in capsys.readouterr().out


def test_a_killed_study_continues_to_the_same_bytes(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands in for SIGKILL."""

    done, train = [], trial.train_briefly

    def killed(*arguments: Any) -> dict[str, Any]:
        if len(done) == 2:
            raise Killed
        done.append(arguments)
        return train(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(trial, "train_briefly", killed)
        with pytest.raises(Killed):
            study(tmp_path / "run")
    assert main(["compare", "--resume", str(tmp_path / "run")]) == 0
    whole = trials(directory)
    for key, one in trials(tmp_path / "run").items():
        assert (one.result, one.curve) == (whole[key].result, whole[key].curve), key


def test_a_recipe_under_which_a_cell_fails_is_left_out(tmp_path: Path) -> None:
    words = ("--recipes", "lr=0.1", "lr=0.01", "lr=1e30,grad_clip=0")
    arguments = [
        "compare",
        "darts_v1",
        "darts_v2",
        *words,
        *SMALL,
        "--run-dir",
        str(tmp_path / "a"),
    ]
    assert main(arguments) == 0
    found = json.loads((tmp_path / "a" / "recipes.json").read_text())
    assert found["recipes"] == ["lr=0.1", "lr=0.01"]
    assert found["notes"][0].startswith(
        "Recipe lr=1e+30, grad-clip=0 is left out of all statistics"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "darts_v1", "darts_v2"], "add --recipes bench-suite"),
        (["compare", "--recipes", "bench-suite"], "which cells?"),
        (["compare", "nowhere", "darts_v2", "--recipes", "bench-suite"], "nowhere"),
        (["compare", "darts_v1", "--recipes", "lr=0.1"], "at least two recipes"),
    ],
)
def test_refusals(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_from_python(tmp_path: Path) -> None:
    from darts.api import compare_recipes

    settings = {"dataset": "digits", "preset": "smoke", "channels": 4, "epochs": 1, "threads": 1}
    finished = compare_recipes(
        ["darts_v1", "darts_v2"],
        ["lr=0.1", "lr=0.2"],
        train_images=64,
        run_dir=str(tmp_path / "run"),
        hold_out=5,
        **settings,
    )
    assert finished.outcome.measured.networks == ("darts_v1", "darts_v2")
    assert finished.outcome.setting["measured_on"] == "held-out training images"
    assert not any("optimistic" in note for note in finished.outcome.notes)
