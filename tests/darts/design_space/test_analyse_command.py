"""`space analyse` from the command line."""

import json
from pathlib import Path

import pytest

from darts.cli import main
from darts.design_space.stored_population import POPULATION_FILE
from darts.trials.store import TrialStore

from .populations_support import make_population


def write_population(directory: Path, count: int, failed: int = 0) -> Path:
    """A population as `space train` writes it, without the training."""
    made = make_population("regnetx", count)
    with TrialStore(directory / POPULATION_FILE) as store:
        store.configure({"space": "regnetx", "epochs": 10})
        for index, config in enumerate(made.configs):
            key = made.label(index)
            store.add(key, {"model": {"anynet": config.as_dict()}, "regnet": None, "seed": index})
            costs = {name: made.properties[name][index] for name in ("params", "macs")}
            store.start(key)
            if index < failed:
                store.fail(key, "The loss became infinite")
                continue
            result = {"test_error": made.errors[index], "activations": 1e6, **costs}
            store.finish(key, result, seconds=1.5)
    return directory


def test_two_populations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pictures take their time; test_analysis.py sees to them.
    monkeypatch.setattr("darts.design_space.report._population_plots", lambda *_: ())
    first = write_population(tmp_path / "first", 14)
    second = write_population(tmp_path / "second", 6, failed=2)
    output = tmp_path / "out"
    command = ["space", "analyse", str(first), str(second), "--names", "large", "small"]
    assert main([*command, "-o", str(output), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((output / "analysis.json").read_text())
    large, small = printed["populations"]
    assert (large["name"], large["networks"], large["missing"]) == ("large", 14, 0)
    assert (small["name"], small["networks"], small["missing"]) == ("small", 4, 2)
    assert large["best_values"]["depth"]["low"] >= 1
    assert small["best_values"] == {}
    assert any("too few for the bootstrap" in note for note in printed["notes"])
    page = (output / "analysis.html").read_text()
    assert "2 of 6 trials have no result" in page


@pytest.mark.parametrize(
    ("networks", "failed", "message"),
    [(2, 2, "no network of this population has been trained yet"), (3, 2, "needs at least 2")],
)
def test_too_little(
    networks: int, failed: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = write_population(tmp_path / "p", networks, failed)
    assert main(["space", "analyse", str(directory)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert not (directory / "analysis").exists()


def test_no_population(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["space", "analyse", str(tmp_path)]) == 2
    assert "holds no population" in capsys.readouterr().err
    (tmp_path / POPULATION_FILE).write_bytes(b"not a database" * 100)
    assert main(["space", "analyse", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err
