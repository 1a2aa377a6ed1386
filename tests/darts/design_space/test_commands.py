"""`python -m darts space …` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.cli import main
from darts.models.registry import find_model
from tests.darts.design_space.support import SMALL


def flags(out: Path) -> list[str]:
    return [
        *("space", "train", "--out", str(out)),
        *(f"--{name.replace('_', '-')}={value}" for name, value in {**SMALL, "n": 2}.items()),
    ]


def test_train_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "population"
    assert main(flags(out)) == 0
    summary = capsys.readouterr().out
    assert "0 pending, 0 running, 2 done, 0 failed" in summary
    assert main(["space", "show", str(out)]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith(summary)
    assert shown.splitlines()[1].split()[:2] == ["regnetx-0000", "done"]
    assert main(["space", "show", str(out), "--json"]) == 0
    values = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [value["name"] for value in values] == ["regnetx-0000", "regnetx-0001"]
    file = tmp_path / "network.yaml"
    assert main(["space", "show", str(out), "--trial", "regnetx-0001", "-o", str(file)]) == 0
    assert find_model(str(file)).as_dict() == values[1]["settings"]["model"]["anynet"]


def test_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["space", "sample", "--n", "3", "--macs", "360M-400M", "--max-params", "5M"]
    assert main(arguments) == 0
    table = capsys.readouterr().out.splitlines()
    assert main([*arguments, "--json", "-o", str(tmp_path)]) == 0
    values = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.split()[0] for line in table[1:]] == [value["name"] for value in values]
    for value in values:
        assert 360_000_000 <= value["macs"] <= 400_000_000
        assert value["params"] <= 5_000_000
        assert find_model(str(tmp_path / f"{value['name']}.yaml")).as_dict() == value["anynet"]


def test_ranges_from_a_file(tmp_path, capsys):
    """A file says the same as flags; flags win; names are checked."""
    file = tmp_path / "narrow.yaml"
    file.write_text("n: 2\nconstrained: true\ndepth: 12-20\nwm: 2-3\ngroup_width: 8\nmacs: 200M\n")
    flags = "--n 2 --constrained --depth 12-20 --wm 2-3 --group-width 8 --macs 200M"
    printed = []
    for words in (["--config", str(file)], flags.split(), ["--config", str(file), "--n", "1"]):
        assert main(["space", "sample", *words]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert len(printed[2].splitlines()) == len(printed[1].splitlines()) - 1
    file.write_text("dept: 12-20\n")
    assert main(["space", "sample", "--config", str(file)]) == 2
    assert "there is no setting 'dept'. Did you mean 'depth'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["space", "trian"], "there is no command 'trian'"),
        (["space", "show", "nowhere"], "nowhere holds no population"),
        (["space", "sample", "--macs", "much"], "--macs: a number such as"),
        (["space", "sample", "--like", "nobody"], "nobody"),
        (["space", "sample", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["space", "train", "--macs", "1M"], "--out is missing"),
        (["space", "train", "--genotype", "darts_v1"], "--genotype"),
        (["space", "train", "--resume", "somewhere"], "--resume"),
        (["space", "train", "--executer", "ray"], "did you mean --executor?"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_recipes_in_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("space: anynetx_a\nmacs: 3000000\nepochs: 5\n")
    arguments = ["space", "train", "--config", str(recipe), "--epochs", "6", "--print-config"]
    with pytest.raises(SystemExit):
        main(arguments)
    shown = capsys.readouterr().out
    assert "space: anynetx_a" in shown
    assert "epochs: 6" in shown
    recipe.write_text("spase: anynetx_a\n")
    assert main(arguments) == 2
    assert "spase" in capsys.readouterr().err
