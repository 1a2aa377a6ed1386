"""The YAML recipes that travel with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from darts.errors import UserError

# The second place serves a checkout whose file system cannot hold the link darts/configs.
_FOLDERS = (Path(__file__).parents[1] / "configs", Path(__file__).parents[2] / "configs")


def list_configs() -> tuple[str, ...]:
    """Names of the shipped recipes, sorted."""
    return tuple(sorted(path.stem for path in _shipped()))


def config_path(name_or_path: str | Path) -> Path:
    """Find a recipe: a file that exists, else a shipped one by name, with or without `.yaml`.

    Raises:
        UserError: Neither exists; the message lists the shipped names.
    """
    path = Path(name_or_path)
    if _is_file(path):
        return path
    for shipped in _shipped():
        if str(name_or_path) in (shipped.stem, shipped.name):
            return shipped
    raise UserError(
        f"No recipe {str(name_or_path)!r}: it is neither a file nor one of "
        f"{', '.join(list_configs()) or '(none)'}. Give a path or one of these names."
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # Longer than a name may be, for example.
        return False


def read_recipe(name_or_path: str | Path) -> dict[str, Any]:
    """The settings of a recipe.

    Raises:
        UserError: There is no such recipe.
    """
    return yaml.safe_load(config_path(name_or_path).read_text(encoding="utf-8"))


def shipped_methods() -> tuple[str, ...]:
    """Names of the search methods that travel with the package, sorted."""
    return tuple(sorted(path.stem for path in _shipped("methods")))


def read_method(name: str) -> dict[str, Any]:
    """The description of a shipped search method."""
    path = next(path for path in _shipped("methods") if path.stem == name)
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def shipped_suites() -> tuple[str, ...]:
    """Names of the shipped suites of recipes, sorted."""
    return tuple(sorted(path.stem for path in _shipped("suites")))


def read_suite(name: str) -> dict[str, Any]:
    """The content of a shipped suite of recipes.

    >>> read_suite("bench-suite")["supernets"]["deep"]
    {'channels': 7, 'layers': 18, 'nodes': 4}
    """
    path = next(path for path in _shipped("suites") if path.stem == name)
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _shipped(below: str = "") -> list[Path]:
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    return sorted((folder / below).glob("*.yaml")) if folder else []
