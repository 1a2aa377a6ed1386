"""Recipes are read strictly: what YAML allows and nobody means is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from darts.cli import main
from darts.errors import UserError
from darts.settings.recipe_files import check_recipe_file
from darts.settings.recipes import config_path, list_configs
from darts.training.options import TrainingOptions

BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epochs: null", "epochs has no value"),
        ("epochs:", "epochs has no value"),
        ("resume: RUN", "give --resume on the command line"),
        ("epochs: 3\nepochs: 4", "the key 'epochs' occurs twice"),
        ("learning-rate: 0.1", "there is no setting 'learning-rate'. Write learning_rate."),
        ("epoch: 3", "there is no setting 'epoch'. Did you mean 'epochs'?"),
        ("epochs: !!timestamp nonsense", "not YAML that can be read"),
        ("epochs: !!python/object:os.system {}", "no YAML of plain values"),
        ("- 1", "a recipe consists of lines such as"),
        ("1: 2", "a recipe consists of lines such as"),
        ("", "a recipe consists of lines such as"),
        (BOMB, "anchors and aliases"),
    ],
)
def test_one_sentence(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        check_recipe_file(path, TrainingOptions)
    assert f"--config {path}: " in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("run_dir: café", encoding=encoding)
    with pytest.raises(UserError, match="not in UTF-8"):
        check_recipe_file(path, TrainingOptions)


def test_none_where_a_setting_may_be_none(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("channels: null\nresume: null\nepochs: 3\n")
    check_recipe_file(path, TrainingOptions)


def test_shipped_recipes_of_retraining_are_read() -> None:
    for name in list_configs():
        if name.startswith("evaluate_"):
            check_recipe_file(config_path(name), TrainingOptions)


@pytest.mark.parametrize("flag", ["--config", "--resume", "--genotype", "--run-dir", "--dataset"])
def test_a_name_longer_than_any_file(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    kind = "folder:" if flag == "--dataset" else ""
    given = ["--genotype", "darts_v1"] if flag != "--genotype" else []
    more = ["--dataset", "digits"] if flag != "--dataset" and flag != "--resume" else []
    assert main(["evaluate", *given, *more, flag, kind + 5000 * "x"]) == 2
    assert "Traceback" not in capsys.readouterr().err
