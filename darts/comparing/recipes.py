"""Recipes by which cells are compared: those of a shipped suite, of a file, or written inline.

Torch-free. A file has the settings that all its recipes share, and each recipe's own:

    common: {epochs: 300, batch_size: 512}
    recipes:
      slow: {learning_rate: 0.01}
      fast: {learning_rate: 0.1, weight_decay: 1e-4}
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from darts.errors import UserError, closest
from darts.files import plain_yaml, read_yaml_file
from darts.settings.options import tagged
from darts.settings.recipes import read_suite, shipped_suites
from darts.training.options import TrainingOptions, check_recipe

_SHORT = {"lr": "learning_rate", "wd": "weight_decay", "bs": "batch_size"}
# The size of a network and of its images is the same under every recipe.
_SIZES = ("channels", "layers", "image_size")
_PARTS = ("common", "recipes", "supernets", "search", "methods")


@dataclass(frozen=True)
class Recipe:
    """One way to train all networks.

    Attributes:
        name: Its name in tables.
        settings: The options of a training that it sets.
    """

    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Recipes:
    """The recipes of a study.

    Attributes:
        each: The recipes in order.
        common: Settings that they share; options of the command replace them.
    """

    each: tuple[Recipe, ...]
    common: Mapping[str, Any] = field(default_factory=dict)

    @property
    def varied(self) -> tuple[str, ...]:
        """The options that any recipe sets, in the order of first mention."""
        return tuple(dict.fromkeys(name for one in self.each for name in one.settings))


def recipe_settings() -> tuple[str, ...]:
    """The options that a recipe may set.

    >>> "learning_rate" in recipe_settings(), "channels" in recipe_settings()
    (True, False)
    """
    names = ("epochs", *tagged(TrainingOptions, "tunable"))
    return tuple(name for name in names if name not in _SIZES)


def read_recipes(text: str) -> Recipes:
    """The recipes that words name: a suite, a YAML file, or settings such as lr=0.1,wd=3e-4.

    >>> [one.name for one in read_recipes("lr=0.1 lr=0.025,weight-decay=0.001").each]
    ['lr=0.1', 'lr=0.025, wd=0.001']
    >>> len(read_recipes("bench-suite").each)
    9

    Raises:
        UserError: A word names no recipe, a setting is wrong, or two recipes are equal.
    """
    each: list[Recipe] = []
    common: dict[str, Any] = {}
    for word in shlex.split(text):
        if "=" in word and not Path(word).is_file():
            own = _checked(_inline(word), f"--recipes {word}")
            each.append(Recipe(recipe_label(own), own))
            continue
        described = _described(word)
        shared = _checked(described.get("common") or {}, f"{word}: common")
        if differing := [name for name in shared if common.get(name, shared[name]) != shared[name]]:
            raise UserError(f"--recipes: two files set {differing[0]} for all of their recipes.")
        common |= shared
        each += _of_file(word, described["recipes"])
    _check_difference(each)
    return Recipes(tuple(each), common)


def recipe_label(settings: Mapping[str, Any]) -> str:
    """Settings in short form.

    >>> recipe_label({"learning_rate": 0.025, "weight_decay": 0.0003})
    'lr=0.025, wd=0.0003'
    """
    short = {name: abbreviation for abbreviation, name in _SHORT.items()}
    return ", ".join(
        f"{short.get(name, name.replace('_', '-'))}={value:g}"
        if isinstance(value, float)
        else f"{short.get(name, name.replace('_', '-'))}={value}"
        for name, value in settings.items()
    )


def _described(word: str) -> Mapping[str, Any]:
    """The content of a suite or file."""
    if word in shipped_suites():
        return read_suite(word)
    try:
        described = read_yaml_file(Path(word))
    except OSError:
        suites = shipped_suites()
        raise UserError(
            f"--recipes {word}: there is no such file or suite.{closest(word, suites)} Give "
            f"{' or '.join(suites)}, a YAML file, or settings such as lr=0.025,wd=3e-4."
        ) from None
    except ValueError as error:
        raise UserError(f"{word} is no YAML: {error}") from None
    if not isinstance(described, Mapping) or not isinstance(described.get("recipes"), Mapping):
        raise UserError(
            f"{word}: needs a mapping `recipes` with the settings of each recipe by its name, such "
            "as {slow: {learning_rate: 0.01}, fast: {learning_rate: 0.1}}."
        )
    if unknown := [key for key in described if key not in _PARTS]:
        raise UserError(f"{word}: unknown key {unknown[0]!r} (choices: common, recipes).")
    if not isinstance(described.get("common") or {}, Mapping):
        raise UserError(f"{word}: common must be a mapping of settings.")
    return described


def _of_file(word: str, recipes: Mapping[Any, Any]) -> Iterable[Recipe]:
    for name, settings in recipes.items():
        if not isinstance(settings, Mapping) or not settings:
            raise UserError(f"{word}: recipe {name}: a mapping of settings is needed.")
        own = _checked(settings, f"{word}: recipe {name}")
        # A number says nothing to the reader of a table.
        yield Recipe(recipe_label(own) if isinstance(name, int) else str(name), own)


def _inline(word: str) -> dict[str, Any]:
    """The settings in NAME=VALUE,NAME=VALUE."""
    settings = {}
    for part in word.split(","):
        name, equals, value = part.partition("=")
        if not name or not equals or not value:
            raise UserError(f"--recipes {word}: write NAME=VALUE,NAME=VALUE, such as lr=0.1,wd=0.")
        settings[name] = plain_yaml(value)
    return settings


def _checked(settings: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Settings with full names and the right types."""
    found: dict[str, Any] = {}
    kinds = get_type_hints(TrainingOptions)
    for given, value in settings.items():
        name = _SHORT.get(str(given), str(given).replace("-", "_"))
        if name not in recipe_settings():
            raise UserError(
                f"{where}: {given} is no setting of a recipe.{closest(name, recipe_settings())} "
                f"Settings are {', '.join(recipe_settings())}."
            )
        found[name] = _typed(value, kinds[name], f"{where}: {given}")
    try:
        check_recipe(TrainingOptions(**found))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return found


def _typed(value: Any, kind: Any, where: str) -> Any:
    """The value, if it is of the kind of an option: a number, a choice, a switch, or None."""
    choices = get_args(kind)
    if get_origin(kind) is Literal:
        right, wanted = value in choices, f"one of {', '.join(map(str, choices))}"
    elif type(None) in choices:
        return None if value is None else _typed(value, choices[0], where)
    elif kind is float:
        value = _number(value)
        right, wanted = isinstance(value, float), "a number"
    else:
        right, wanted = type(value) is kind, {int: "a whole number", bool: "true or false"}[kind]
    if not right:
        raise UserError(f"{where}: must be {wanted}, not {value}.")
    return value


def _number(value: Any) -> Any:
    """A number; YAML reads 3e-4 as text."""
    try:
        return value if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return value


def _check_difference(recipes: Iterable[Recipe]) -> None:
    names: set[str] = set()
    seen: list[Mapping[str, Any]] = []
    for one in recipes:
        if one.name in names or one.settings in seen:
            raise UserError(f"--recipes: {one.name} is there twice.")
        names.add(one.name)
        seen.append(one.settings)
