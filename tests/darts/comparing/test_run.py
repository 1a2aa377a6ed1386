"""A small comparison from the command line: complete, reproducible, resumable, clear errors."""

import json
from pathlib import Path

import pytest

from darts.cli import main
from darts.trials.store import TrialStore

SMALL = [
    *("--genotype=pcdarts_cifar10", "--dataset=digits", "--channels=4", "--layers=3"),
    *("--epochs=1", "--batch-size=64", "--train-images=128", "--test-images=100", "--cutout=0"),
    *("--threads=1", "--device=cpu", "--stem-width=16"),
]


def run(directory: Path, *more: str) -> int:
    return main(["evaluate", *SMALL, "--run-dir", str(directory), *more], "evaluate.py")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("comparison") / "run"
    more = ("--baseline", "regnetx", "random-cells", "--population", "2", "--seeds", "2")
    assert run(path, *more) == 0
    return path


def test_result(directory: Path) -> None:
    found = json.loads((directory / "comparison.json").read_text())
    assert found["genotype"] == "pcdarts_cifar10"
    assert len(found["errors"]) == 2
    assert found["deviation_of"] == "seeds"
    assert [one["name"] for one in found["baselines"]] == ["regnetx", "random-cells"]
    for one in found["baselines"]:
        assert one["networks"] == 2
        assert set(one["properties"]) == {"params", "macs", "activations", "latency"}
        assert abs(one["properties"]["macs"]["population_median"]
                   / found["properties"]["macs"] - 1) <= 0.05  # fmt: skip
    assert found["setting"]["resolution"] == 8
    assert "no drop path, no auxiliary head" in found["recipe"]
    assert len(found["outcome"]) == 2


def test_all_trainings_have_one_recipe(directory: Path) -> None:
    with TrialStore(directory / "trials.sqlite", read_only=True) as store:
        rows, recipe = store.rows(), store.configuration
    assert [row.status for row in rows] == ["done"] * 6
    assert [row.key for row in rows] == [
        "pcdarts_cifar10, training 1",
        "pcdarts_cifar10, training 2",
        "regnetx-000",
        "regnetx-001",
        rows[4].key,
        rows[5].key,
    ]
    assert len({row.settings["seed"] for row in rows}) == 6
    # Nothing but the network and the seed is a trial's own.
    sizes = {"channels": 4, "layers": 3}
    assert rows[0].settings["recipe"] == rows[1].settings["recipe"] == sizes
    assert rows[2].settings["recipe"] == {"channels": None, "layers": None}
    assert rows[4].settings["recipe"]["layers"] == 3
    assert recipe["auxiliary"] is False
    assert (recipe["drop_path"], recipe["epochs"], recipe["seed"]) == (0, 1, 0)


def test_page(directory: Path) -> None:
    page = (directory / "report.html").read_text()
    found = json.loads((directory / "comparison.json").read_text())
    for words in found["outcome"]:
        assert words in page
    assert page.count("<svg") == 2
    assert "Published" not in page
    assert found["outcome"][0] in (directory / "comparison.txt").read_text()
    assert (directory / "distributions.png").is_file()


def test_again_trains_nothing_and_more_only_what_is_new(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((directory / "comparison.json").read_text())
    with TrialStore(directory / "trials.sqlite", read_only=True) as store:
        ended = {row.key: (row.attempts, row.result) for row in store.rows()}
    more = ("--baseline", "regnetx", "--population", "3", "--seeds", "2", "--latency-batch", "0")
    assert run(directory, *more) == 0
    after = json.loads((directory / "comparison.json").read_text())
    assert after["errors"] == before["errors"]
    assert after["baselines"][0]["errors"][:2] == before["baselines"][0]["errors"]
    assert "latency" not in after["properties"]
    with TrialStore(directory / "trials.sqlite", read_only=True) as store:
        rows = {row.key: (row.attempts, row.result) for row in store.rows()}
    assert {key: rows[key] for key in ended} == ended
    assert len(rows) == len(ended) + 1
    captured = capsys.readouterr()
    assert "report" in captured.out
    assert "writing the report …" in captured.err.splitlines()
    assert "latency" not in captured.err


def test_another_recipe_in_the_same_directory(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(directory, "--baseline", "regnetx", "--learning-rate", "0.1") == 2
    assert "learning_rate is 0.025 there and 0.1 now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--baseline",), "--baseline names no population"),
        (("--baseline", "regnetx", "--population", "1"), "at least 2"),
        (("--population", "2", "--cutout", "16"), "cutout 16"),
        (("--baseline", "resnet"), "neither a population"),
        (("--baseline", "regnetx", "--test-only"), "--test-only"),
    ],
)
def test_refused_before_anything_is_written(
    more: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "new", *more) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert not (tmp_path / "new").exists()
