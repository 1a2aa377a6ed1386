"""The command `compare`, which is also `evaluate.py --baseline`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from darts.commands.help_pages import COMPARE, RECIPES
from darts.commands.shared import FIT_TRAINING, imported_fit, print_result, without_json
from darts.comparing.options import CompareOptions, compare_overlay
from darts.errors import UserError
from darts.run_files import RunFiles
from darts.settings.parsing import parse_options
from darts.trials.schema import TRIALS_FILE


def compare_command(arguments: Sequence[str], prog: str) -> None:
    """Compare a genotype with populations of networks, print the result and write a report.

    With `--recipes`, or to resume such a study, compare several cells under several recipes.
    """
    arguments, as_json = without_json(arguments)
    joined = _joined(arguments)
    if asks_for_recipes(joined):
        _compare_recipes(joined, prog, as_json)
        return
    if joined and joined[0].startswith("--cells="):
        raise UserError(
            f"{prog}: name one cell by --genotype, or add --recipes bench-suite to compare cells "
            "under several recipes."
        )
    options = parse_options(
        CompareOptions,
        joined,
        prog=prog,
        overlay=compare_overlay,
        fit=FIT_TRAINING,
        page=COMPARE,
    )
    from darts import api

    compared = api.run_comparison(options)
    if as_json:
        print_result(compared.path, compared.path / "comparison.json")
        return
    from darts.comparing.report import comparison_text

    print(comparison_text(compared.comparison))
    print(f"report  {RunFiles(compared.path).report}")


def _compare_recipes(arguments: Sequence[str], prog: str, as_json: bool) -> None:
    from darts.comparing.recipe_options import RecipeStudyOptions, recipe_study_overlay

    options = parse_options(
        RecipeStudyOptions,
        arguments,
        prog=prog,
        overlay=recipe_study_overlay,
        fit=imported_fit("darts.comparing.fitting:fit_study"),
        page=RECIPES,
    )
    options.check()
    from darts import api

    study = api.run_recipe_study(options)
    if as_json:
        print_result(study.path, study.path / "recipes.json")
        return
    from darts.comparing.recipe_report import recipe_text

    print(recipe_text(study.outcome))
    print(f"report  {RunFiles(study.path).report}")


def asks_for_comparison(arguments: Sequence[str]) -> bool:
    """Return whether arguments of `evaluate` name populations, or a comparison to resume.

    >>> asks_for_comparison(["--genotype", "darts_v2", "--baseline", "regnetx", "anynetx_a"])
    True
    >>> asks_for_comparison(["--genotype", "darts_v2"])
    False
    """
    flags = [argument.partition("=")[0] for argument in arguments]
    if "--baseline" in flags or "--population" in flags:
        return True
    directory = _resumed(arguments)
    if directory is None or not (directory / TRIALS_FILE).is_file():
        return False
    # A training with several seeds also has trials.
    return "baseline" in _saved(directory)


def asks_for_recipes(arguments: Sequence[str]) -> bool:
    """Return whether arguments of `compare` name recipes, or a study of recipes to resume.

    >>> asks_for_recipes(["--cells=darts_v1 darts_v2", "--recipes=bench-suite"])
    True
    >>> asks_for_recipes(["--genotype", "darts_v2"])
    False
    """
    if any(argument.partition("=")[0] == "--recipes" for argument in arguments):
        return True
    directory = _resumed(arguments)
    return directory is not None and bool(_saved(directory).get("recipes"))


def _saved(directory: Path) -> Mapping[str, Any]:
    """The settings of the run in a directory, or none; the parser explains what is wrong."""
    try:
        saved = RunFiles(directory).read_config()
    except (OSError, ValueError):
        return {}
    return saved if isinstance(saved, dict) else {}


def _resumed(arguments: Sequence[str]) -> Path | None:
    """The directory of `--resume=DIRECTORY` or `--resume DIRECTORY`."""
    flags = [argument.partition("=")[0] for argument in arguments]
    if "--resume" not in flags:
        return None
    place = flags.index("--resume")
    following = [*arguments[place + 1 : place + 2], ""]
    return Path(arguments[place].partition("=")[2] or following[0])


def _joined(arguments: Sequence[str]) -> list[str]:
    """Join all words that follow `--baseline` or `--recipes`, and those before the first flag.

    >>> _joined(["--baseline", "regnetx", "anynetx_a", "--n", "20"])
    ['--baseline=regnetx anynetx_a', '--n', '20']
    >>> _joined(["darts_v1", "my cell.yaml", "--recipes", "bench-suite"])
    ["--cells=darts_v1 'my cell.yaml'", '--recipes=bench-suite']
    """
    rest = list(arguments)
    cells = _words(rest)
    joined = [f"--cells={shlex.join(cells)}"] if cells else []
    while rest:
        argument = rest.pop(0)
        if argument in ("--baseline", "--recipes", "--cells"):
            argument = f"{argument}={shlex.join(_words(rest))}"
        joined.append(argument)
    return joined


def _words(rest: list[str]) -> list[str]:
    """Take the words up to the next flag from the front of `rest`."""
    words = []
    while rest and not rest[0].startswith("-"):
        words.append(rest.pop(0))
    return words
