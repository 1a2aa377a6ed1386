"""Recipes are found by path and by name."""

from pathlib import Path

import pytest

from darts.errors import UserError
from darts.settings import recipes as resources
from darts.settings.recipes import config_path, list_configs


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "configs"
    folder.mkdir()
    for name in ("search_small", "evaluate_small"):
        (folder / f"{name}.yaml").write_text("seed: 1\n")
    (folder / "notes.txt").write_text("no recipe\n")
    monkeypatch.setattr(resources, "_FOLDERS", (tmp_path / "absent", folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_names_are_sorted_and_only_recipes(recipes: Path) -> None:
    assert list_configs() == ("evaluate_small", "search_small")


@pytest.mark.parametrize("name", ["search_small", "search_small.yaml"])
def test_a_name_finds_the_shipped_recipe(recipes: Path, name: str) -> None:
    assert config_path(name) == recipes / "search_small.yaml"


def test_an_existing_file_wins_over_a_name(recipes: Path) -> None:
    mine = Path("search_small.yaml")
    mine.write_text("seed: 2\n")
    assert config_path("search_small.yaml") == mine


def test_an_unknown_name_lists_the_choices(recipes: Path) -> None:
    with pytest.raises(UserError, match=r"'none\.yaml'.*evaluate_small, search_small"):
        config_path("none.yaml")


def test_the_checkout_ships_its_recipes() -> None:
    checkout = Path(__file__).parents[3] / "configs"
    assert list_configs() == tuple(sorted(path.stem for path in checkout.glob("*.yaml")))
