"""Recipes: those of a suite, of files, and inline; what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.comparing.recipe_options import RecipeStudyOptions, load_cells, recipe_study_overlay
from darts.comparing.recipes import read_recipes
from darts.errors import UserError
from darts.settings.parsing import options_from
from genotypes import load_genotype, save_genotype


def options(**settings: object) -> RecipeStudyOptions:
    given = {"cells": "darts_v1 darts_v2", "recipes": "bench-suite", **settings}
    return options_from(RecipeStudyOptions, given, recipe_study_overlay)


def test_the_nine_recipes_of_the_suite() -> None:
    found = read_recipes("bench-suite")
    pairs = [(one.settings["learning_rate"], one.settings["weight_decay"]) for one in found.each]
    assert pairs == [(lr, wd) for lr in (0.025, 0.1, 0.01) for wd in (1e-4, 3e-4, 1e-3)]
    assert found.varied == ("learning_rate", "weight_decay")
    study = options()
    assert (study.epochs, study.batch_size, study.optimiser) == (300, 512, "sgd")
    assert (study.drop_path, study.auxiliary, study.auxiliary_weight) == (0.3, True, 0.4)
    assert (study.cutout, study.schedule, study.dataset) == (16, "cosine", "cifar10")


def test_the_suites_networks_train_on_the_other_half() -> None:
    study = options(preset="bench-deep")
    assert (study.channels, study.layers, study.half, study.stem) == (7, 18, "second", "cifar")
    study.check()
    with pytest.raises(UserError, match="cells have 8 inner nodes and two inputs, but darts_v1"):
        options(preset="bench-single").check()


def test_flags_and_small_presets_win_over_what_recipes_share() -> None:
    study = options(preset="smoke", epochs=7)
    assert (study.epochs, study.batch_size, study.channels, study.cutout) == (7, 32, 8, 0)
    assert study.momentum == 0.9
    stages = options(cells="nb201-9930 nb201-6111", recipes="lr=0.1 lr=0.2", preset="smoke")
    assert (stages.layers, stages.optimiser, stages.drop_path) == (3, "nesterov", 0.0)


def test_recipes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my recipes.yaml"
    path.write_text(
        "common: {epochs: 3}\n"
        "recipes:\n  slow: {lr: 1e-3}\n  fast: {learning_rate: 0.1, no_such: 1}\n"
    )
    with pytest.raises(UserError, match="recipe fast: no_such is no setting of a recipe"):
        read_recipes(f"'{path}'")
    path.write_text(path.read_text().replace(", no_such: 1", ""))
    found = read_recipes(f"'{path}' wd=0,lr=5")
    assert [one.name for one in found.each] == ["slow", "fast", "wd=0, lr=5"]
    assert found.each[0].settings == {"learning_rate": 1e-3}
    assert found.common == {"epochs": 3}
    assert options(recipes=f"'{path}'").epochs == 3
    for text in ("recipes: [1]", "- 1", "recipes: {a: 1}", "recipes: {a: {lr: 1}}\nrecipe: 1"):
        path.write_text(text)
        with pytest.raises(UserError, match=r"mapping|unknown key 'recipe'"):
            read_recipes(f"'{path}'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bench-suit", "Did you mean 'bench-suite'"),
        ("lr=0.1 lr=0.1", "lr=0.1 is there twice"),
        ("lr=high", "lr: must be a number, not high"),
        ("epochs=1.5", "epochs: must be a whole number"),
        ("optimiser=adam", "optimiser: must be one of sgd, nesterov"),
        ("auxiliary=1", "auxiliary: must be true or false"),
        ("label_smoothing=2", "--label-smoothing: must be at least 0"),
        ("channels=8", "channels is no setting of a recipe"),
        ("lr=", "write NAME=VALUE"),
    ],
)
def test_wrong_recipes(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_recipes(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cells": None}, "which cells"),
        ({"recipes": "lr=0.1"}, "at least two recipes"),
        ({"recipes": None}, "at least two recipes"),
        ({"cells": "darts_v1"}, "give two cells or more, or add --baseline"),
        ({"seeds": 0}, "--seeds must be"),
        ({"population": 0}, "--population: must be"),
    ],
)
def test_options_that_make_no_study(settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        options(**settings).check()


def test_a_flag_that_the_recipes_set_is_refused() -> None:
    with pytest.raises(UserError, match=r"--learning-rate 0.5: the recipes set it"):
        options(learning_rate=0.5)


def test_cells_of_files_and_runs(tmp_path: Path) -> None:
    (tmp_path / "a run").mkdir()
    cell = load_genotype("darts_v1")
    save_genotype(cell.with_name("mine"), tmp_path / "a run" / "genotype.yaml")
    found = load_cells(f"'{tmp_path / 'a run'}' '{tmp_path / 'a run' / 'genotype.yaml'}'")
    assert [one.name for one in found] == ["mine", "mine (2)"]
    assert json.dumps(found[1].as_dict()["normal"]) == json.dumps(cell.as_dict()["normal"])
