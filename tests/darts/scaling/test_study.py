"""Trained rungs: resumable trials, comparison of strategies, grid search for coefficients."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

import darts
from darts.cli import main
from darts.errors import UserError
from darts.models.registry import find_model
from darts.report.render import page_kind
from darts.scaling import grid, study
from darts.scaling.bases import create_base
from darts.scaling.coefficients import Coefficients, Factors
from darts.scaling.report import grid_headline, study_headline
from darts.scaling.training import Measured, rung_key
from tests.darts.scaling.test_ladder import data

__all__ = ["data"]

BASE = create_base(find_model("pcdarts_cifar10"), channels=8, layers=5, resolution=16)


def test_measured() -> None:
    measured = Measured(accuracies=(50.0, 54.0, 58.0), failed=1)
    assert measured.mean == 54
    assert measured.deviation == pytest.approx(4)
    assert Measured(accuracies=(50.0,)).deviation is None
    assert Measured(accuracies=()).as_dict()["accuracy"] is None


def test_equal_networks_share_a_key() -> None:
    one, same = BASE.rung(Factors(1, 1, 1)), BASE.rung(Factors(1.01, 1, 1))
    assert rung_key(one) == rung_key(same)
    assert rung_key(one) != rung_key(BASE.rung(Factors(1, 1.5, 1)))
    assert rung_key(one).startswith("d5-c8-r16-")


def test_study_by_hand() -> None:
    planned = study.plan_study(BASE, ["compound", "width"], [1.1e7], Coefficients())
    assert list(planned) == [
        ("compound", "base"), ("compound", "11M"), ("width", "base"), ("width", "11M"),
    ]  # fmt: skip
    keys = {name: rung_key(found.rung) for name, found in planned.items()}
    assert keys["compound", "base"] == keys["width", "base"]
    measured = {
        keys["compound", "base"]: Measured(accuracies=(40.0, 42.0)),
        keys["compound", "11M"]: Measured(accuracies=(50.0, 54.0)),
        keys["width", "11M"]: Measured(accuracies=(49.0, 51.0)),
    }
    rows = study.tabulate(planned, measured)
    assert [row["accuracy"] for row in rows] == [41, 52, 41, 50]
    assert "advantage" not in rows[1]
    assert rows[3]["advantage"] == 2
    # Variances 8 and 2, two seeds each: sqrt(8 / 2 + 2 / 2).
    assert rows[3]["error"] == pytest.approx(math.sqrt(5))
    assert rows[3]["macs"] == pytest.approx(1.1e7, rel=0.05)


def test_grid_holds_the_papers_point() -> None:
    found = grid.triples(0.05, 0.1)
    assert Coefficients(1.2, 1.1, 1.15) in found
    assert all(abs(each.growth - 2) <= 0.1 + 1e-9 for each in found)
    coarse = grid.triples(0.5, 0.01)
    # Of all triples of 1, 1.5 and 2 only (2, 1, 1) has the product 2; 1.5² is 2.25.
    assert coarse == (Coefficients(2.0, 1.0, 1.0),)


@pytest.mark.parametrize(
    ("step", "tolerance", "message"),
    [(0, 0.1, "--step 0"), (0.1, 0, "--tolerance 0"), (0.7, 1e-6, "No alpha"), (1e-3, 1, "fine")],
)
def test_impossible_grids(step: float, tolerance: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        grid.triples(step, tolerance)


def test_verdict_by_hand() -> None:
    candidates = (Coefficients(2, 1, 1), Coefficients(1, 1.4, 1), Coefficients(1, 1, 1.4))
    fits = grid.plan_grid(BASE, candidates)
    keys = [rung_key(found.rung) for found in fits]
    assert len(set(keys)) == 3
    measured = {
        keys[0]: Measured(accuracies=(60.0, 62.0)),
        keys[1]: Measured(accuracies=(63.0, 67.0)),
        keys[2]: Measured(accuracies=(), failed=2),
    }
    verdict = grid.judge(candidates, fits, measured)
    assert [row["coefficients"] for row in verdict.rows] == [[[1, 1.4, 1]], [[2, 1, 1]]]
    # Variances 8 and 2, two seeds each: sqrt((8 + 2) / 2).
    assert verdict.noise == pytest.approx(math.sqrt(5))
    assert verdict.error == pytest.approx(math.sqrt(5))
    assert verdict.gap == 4
    assert verdict.equals == 2
    nothing = {key: Measured(accuracies=(), failed=1) for key in keys}
    with pytest.raises(UserError, match="No training"):
        grid.judge(candidates, fits, nothing)


TINY = [
    "--channels", "4", "--layers", "3", "--epochs", "1", "--batch-size", "16", "--no-auxiliary",
    "--threads", "1", "--device", "cpu", "--cutout", "0",
]  # fmt: skip


def test_commands(tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = ["--dataset", data, *TINY]
    out = tmp_path / "study"
    arguments = ["scale", "study", "pcdarts_cifar10", "--budgets", "200k", "-o", str(out)]
    arguments += ["--strategies", "compound", "width", *recipe]
    assert main([*arguments, "--plan"]) == 0
    assert not out.exists()
    assert main([*arguments, "--seeds", "2", "--json"]) == 0
    captured = capsys.readouterr()
    rows = json.loads(captured.out.splitlines()[-1])
    assert [row["seeds"] for row in rows] == [2] * 4
    assert rows[0]["accuracies"] == rows[2]["accuracies"]
    assert (out / "study.svg").is_file()
    assert (out / "study.png").is_file()
    page = (out / "report.html").read_text()
    assert page_kind(out / "report.html") == "scaling.html"
    assert "python -m darts scale study pcdarts_cifar10" in page
    # All trials stand in the store: nothing is trained again, and nothing comes out otherwise.
    assert main([*arguments, "--seeds", "2", "--json"]) == 0
    again = capsys.readouterr()
    assert json.loads(again.out.splitlines()[-1]) == rows
    assert "study" not in again.err
    # The function asks the same of the same trials.
    sizes = {"channels": 4, "layers": 3, "epochs": 1, "batch_size": 16, "cutout": 0}
    place = {"auxiliary": False, "threads": 1, "device": "cpu", "dataset": data}
    settings: dict[str, Any] = {**sizes, **place}
    strategies = ("compound", "width")
    found = darts.compare_scalings(
        "pcdarts_cifar10", ["200k"], out, strategies=strategies, seeds=2, **settings
    )
    assert json.loads(json.dumps(found.rows)) == rows
    assert (found.failures, found.page) == ((), out / "report.html")
    # Another recipe is another experiment.
    assert main([*arguments, "--learning-rate", "0.1"]) == 2
    assert "learning_rate" in capsys.readouterr().err

    out = tmp_path / "grid"
    arguments = ["scale", "grid", "pcdarts_cifar10", "-o", str(out), "--step", "0.5", *recipe]
    assert main([*arguments, "--tolerance", "0.3"]) == 0
    shown = capsys.readouterr().out
    assert "winner  --alpha" in shown
    assert "unknown with one seed" in shown
    saved = json.loads((out / "grid.json").read_text())
    assert saved["rows"][0]["seeds"] == 1
    assert (out / "grid.png").is_file()
    again = darts.search_scaling("pcdarts_cifar10", out, step=0.5, tolerance=0.3, **settings)
    assert json.loads(json.dumps(again.verdict.as_dict())) == saved
    page_file = out / "report.html"
    before = page_file.read_text()
    page_file.unlink()
    assert main(["report", str(out)]) == 0
    # But for the time when it was written, it is the same page.
    assert without_time(page_file.read_text()) == without_time(before)


class Killed(BaseException):
    """Stands in for SIGKILL: nothing handles it."""


@pytest.mark.parametrize("kind", ["study", "grid"])
def test_killed_and_continued_it_ends_in_the_same_bytes(
    kind: str, tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trainings take no time: the error follows from network and seed."""
    began: list[str] = []
    deaths = {2, 5}

    def instant(options: Any, settings: Any, report: Any) -> dict[str, Any]:
        began.append("")
        if len(began) in deaths:
            raise Killed
        channels = settings["recipe"]["channels"]
        return {"test_error": 60.0 - channels + settings["seed"], "params": 1, "macs": 1}

    monkeypatch.setattr("darts.scaling.training.train_trial", instant)
    more = {"study": ["--budgets", "200k"], "grid": ["--step", "0.5", "--tolerance", "0.3"]}[kind]
    recipe = [*more, "--seeds", "2", "--dataset", data, *TINY]

    def scaled(folder: Path) -> int:
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        return main(["scale", kind, "pcdarts_cifar10", "-o", "out", *recipe])

    for _ in deaths:
        with pytest.raises(Killed):
            scaled(tmp_path / "killed")
    assert scaled(tmp_path / "killed") == 0
    trained = len(began) - len(deaths)
    assert scaled(tmp_path / "whole") == 0
    assert len(began) == 2 * trained + len(deaths)  # No finished training is repeated.
    for name in (f"{kind}.json", f"{kind}.svg", f"{kind}.png", "scaling.yaml"):
        files = [tmp_path / place / "out" / name for place in ("killed", "whole")]
        assert files[0].read_bytes() == files[1].read_bytes()


def without_time(page: str) -> str:
    return page.partition("<footer>")[0]


def test_functions_refuse(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UserError, match="the test set must not choose"):
        darts.search_scaling("resnet18", out, hold_out=0, dataset="digits")
    with pytest.raises(UserError, match="--seeds 0"):
        darts.compare_scalings("resnet18", ["1M"], out, seeds=0, dataset="digits")
    with pytest.raises(UserError, match="budgets: a number"):
        darts.compare_scalings("resnet18", ["some"], out, dataset="digits")
    for budgets in ([], "20M"):
        with pytest.raises(UserError, match="budgets: give one or more"):
            darts.compare_scalings("resnet18", budgets, out, dataset="digits")
    with pytest.raises(UserError, match="Unknown setting epoch"):
        darts.compare_scalings("resnet18", ["1M"], out, dataset="digits", epoch=3)
    assert not out.exists()


def test_headlines_say_what_is_known() -> None:
    rows = [
        {"strategy": "compound", "name": "1M", "accuracy": 91.0, "seeds": 3},
        {"strategy": "width", "name": "1M", "accuracy": 90.0, "seeds": 3, "advantage": 1.0,
         "error": 0.3},
        {"strategy": "depth", "name": "1M", "accuracy": None, "seeds": 0},
    ]  # fmt: skip
    assert study_headline(rows) == (
        "Compound is the best at 1M. 1 of 1 differences from compound scaling exceed two standard "
        "errors."
    )
    assert study_headline(rows[2:]) == "No training has ended well."
    best = {"coefficients": [[1.2, 1.1, 1.15]], "accuracy": 90.0}
    verdict = {"rows": [best, best], "error": 0.5, "equals": 2}
    assert grid_headline(verdict).endswith("2 networks, this one included, are within two standard "
                                           "errors of it.")  # fmt: skip
    assert "noise is not known" in grid_headline({**verdict, "error": None})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "--epochs", "5", "darts_v1"], "the model comes first"),
        (["study", "darts_v1", "--budgets", "1M"], "required: -o"),
        (["study", "darts_v1", "-o", "x", "--budgets", "x"], "--budgets: a number"),
        (["study", "darts_v1", "-o", "x", "--budgets", "1M", "--seeds", "0"], "--seeds 0"),
        (["study", "darts_v1", "-o", "x", "--budgets", "1M", "--colour", "5"], "colour"),
        (["grid", "darts_v1", "-o", "x", "--hold-out", "0"], "the test set must not choose"),
        (["grid", "darts_v1", "-o", "x", "--step", "3"], "--step 3"),
    ],
)
def test_commands_refuse(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["scale", *arguments, "--dataset", "digits"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
