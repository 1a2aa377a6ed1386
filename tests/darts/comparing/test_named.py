"""Named networks as baselines: several seeds each, in tables and plot as single points."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from darts import api
from darts.comparing import trainings
from darts.comparing.candidates import contender
from darts.comparing.options import CompareOptions
from darts.errors import UserError
from darts.models.image_spec import ImageSpec
from darts.models.registry import find_model
from darts.report.fronts import FrontPoint, front_of

SMALL = {
    "genotype": "pcdarts_cifar10",
    "dataset": "digits",
    "preset": "smoke",
    "channels": 4,
    "device": "cpu",
    "threads": 1,
    "stem_width": 16,
    "latency_batch": 0,
}
# The first block's width tells the networks apart.
ERRORS = {"pcdarts_cifar10": [10.0, 12.0, 14.0], "regnetx_200mf": [20.0, 21.0, 22.0]}


class FakeTraining:
    """Trains nothing; the n-th training of a network ends in its n-th error."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def __call__(self, options: Any, settings: Mapping[str, Any], report: Any) -> dict[str, float]:
        model = settings["model"]
        name = model["genotype"]["name"] if "genotype" in model else "regnetx_200mf"
        if "anynet" in str(model) and settings["recipe"]["channels"] is not None:
            raise AssertionError("A named network keeps its own size.")
        number = self.seen.get(name, 0)
        self.seen[name] = number + 1
        return {"test_error": ERRORS[name][number]}


def compare(folder: Path, **settings: Any) -> Any:
    with mock.patch.object(trainings, "train_trial", FakeTraining()):
        return api.compare(**{**SMALL, "run_dir": str(folder), **settings})


def test_a_named_network_is_a_point_with_an_interval(tmp_path: Path) -> None:
    compared = compare(tmp_path / "run", baseline="regnetx_200mf", seeds=3)
    found = json.loads((tmp_path / "run/comparison.json").read_text())
    assert found["baselines"] == []
    (named,) = found["networks"]
    assert (named["name"], named["errors"], named["error"]) == (
        "regnetx_200mf",
        [20.0, 21.0, 22.0],
        21.0,
    )
    images = ImageSpec.of(8, 10, "auto")
    own = contender(CompareOptions(), "x", find_model("regnetx_200mf"), images)
    assert named["properties"] == own.properties
    # Welch: 9 ± t(d) · √(4/3 + 1/3) with d = (5/3)² / ((4/3)²/2 + (1/3)²/2) = 2.941.
    gap = named["difference"]
    assert gap["middle"] == pytest.approx(-9.0)
    assert gap["high"] == pytest.approx(-9.0 + 3.219 * (5 / 3) ** 0.5, abs=0.01)
    assert "pcdarts_cifar10 is better than regnetx_200mf" in named["outcome"]
    page = compared.path / "report.html"
    assert "pcdarts_cifar10 compared to other networks" in page.read_text()
    assert "-9.00 [" in page.read_text()
    assert page.read_text().count("<svg") == 1
    assert (compared.path / "networks.png").is_file()
    assert named["outcome"] in (compared.path / "comparison.txt").read_text()


class Killed(BaseException):
    """Stands in for SIGKILL: nothing handles it."""


def test_killed_and_continued_it_ends_in_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, left = FakeTraining(), [4]

    def dying(*arguments: Any) -> dict[str, float]:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return training(*arguments)

    settings = {**SMALL, "baseline": "regnetx_200mf", "seeds": 3}
    for place in ("killed", "whole"):
        (tmp_path / place).mkdir()
    monkeypatch.chdir(tmp_path / "killed")
    with mock.patch.object(trainings, "train_trial", dying), pytest.raises(Killed):
        api.compare(**settings, run_dir="run")
    with mock.patch.object(trainings, "train_trial", training):
        api.compare(resume="run")
    assert training.seen == {"pcdarts_cifar10": 3, "regnetx_200mf": 3}
    monkeypatch.chdir(tmp_path / "whole")
    compare(Path("run"), baseline="regnetx_200mf", seeds=3)
    for name in ("comparison.json", "comparison.txt", "networks.svg", "networks.png"):
        files = [tmp_path / place / "run" / name for place in ("killed", "whole")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_one_training_says_nothing_about_a_difference(tmp_path: Path) -> None:
    compared = compare(tmp_path / "run", baseline="regnetx_200mf")
    (sentence,) = json.loads((compared.path / "comparison.json").read_text())["networks"]
    assert sentence["difference"] is None
    assert "is not known from one training" in sentence["outcome"]


def test_an_unknown_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--baseline regnetx_201mf: neither a population.*Did you"):
        compare(tmp_path / "run", baseline="regnetx_201mf")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("smaller", [True, False])
def test_the_front(smaller: bool) -> None:
    values = [(1, 5.0), (1, 4.0), (2, 4.0), (3, 3.0), (4, 9.0)]
    points = [
        FrontPoint(label=str(i), value=v if smaller else -v, costs={"macs": c})
        for i, (c, v) in enumerate(values)
    ]
    points.append(FrontPoint(label="of unknown cost", value=0.0 if smaller else 99.0))
    assert front_of(points, "macs", smaller_is_better=smaller) == [1, 3]
