"""Flags, recipes and presets to one typed dataclass of options.

What wins, from last to first: the dataclass's defaults, what a method, data set or preset implies
(the overlay), the file given by `--config`, the flags. Torch-free.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_type_hints

from darts.errors import UserError, closest
from darts.run_files import RunFiles
from darts.settings.completion import complete_options, completing
from darts.settings.help_page import HelpPage, asks_for_help, dashed
from darts.settings.kinds_of_runs import kind_of_run
from darts.settings.options import (
    LoopOptions,
    PlaceOptions,
    StepOptions,
    names_of,
    tagged,
)
from darts.settings.origins import Fit, Origins, implied_origins
from darts.settings.paths import with_absolute_paths
from darts.settings.ranges import check_ranges
from darts.settings.recipe_files import check_recipe_file
from darts.settings.recipes import config_path, list_configs
from darts.settings.used_files import (
    check_same_files,
    joined_names,
    read_files,
    run_file,
    use_files,
)
from darts.settings.value_words import explained

Options = TypeVar("Options", bound=PlaceOptions)
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?,?")
Overlay = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Takes the settings that are known so far and returns defaults that follow from them."""
_PLAIN_PAGE = HelpPage()


def parse_options(
    cls: type[Options],
    arguments: Sequence[str],
    *,
    prog: str,
    overlay: Overlay,
    fit: Fit[Options] | None = None,
    page: HelpPage = _PLAIN_PAGE,
) -> Options:
    """The options that a command's arguments stand for; files of `--use` are run.

    Prints and exits for `--help`, `--help-all` and `--print-config`.

    Args:
        cls: The options of the command.
        arguments: What follows the command's name.
        prog: The command, for messages.
        overlay: Defaults that follow from other settings.
        fit: Fits what the user did not set to the data. A resumed run is not fitted again.
        page: What `--help` shows.

    Raises:
        UserError: An argument is wrong, or the file of `--config` or the run of `--resume`.
    """
    if completing():
        complete_options(cls, page.values)
    if asks_for_help(arguments):
        print_help(cls, arguments, prog=prog, page=page)
    arguments = _normalised(arguments, cls)
    given = {_name(argument) for argument in arguments if argument.startswith("--")}
    if "resume" in given.intersection(names_of(cls)) and "print_config" not in given:
        return _resumed(cls, arguments, given, prog)
    named = next((a.partition("=")[2] for a in arguments if _name(a) == "use"), None)
    use_files(named)
    first = _parser(cls, prog)
    plain = [a for a in arguments if _name(a) != "print_config"]
    chosen = _given(first, plain)
    known = {**_defaults_of(cls), **chosen}
    if known.get("use") != named:
        raise UserError(
            f"--config: the recipe mentions use: {known['use']}. Code of your own runs only if you "
            f"name it: add --use {known['use']}."
        )
    implied = dict(overlay(known))
    if "print_config" in given:
        _print_config(first, arguments, implied)
    options = build(cls, _converted(first, {**implied, **chosen}))
    if fit is None:
        return options
    users = _users(cls, chosen, plain)
    return fit(
        with_absolute_paths(options), Origins(users, _implied(implied, known, users, overlay))
    )


def print_help(
    cls: type[PlaceOptions], arguments: Sequence[str], *, prog: str, page: HelpPage
) -> NoReturn:
    """Print the help page that the arguments ask for, and exit."""
    meanings = {one.dest: " ".join((one.help or "").split()) for one in _parser(cls, prog)._actions}
    print(page.text(cls, meanings, prog, everything="--help-all" in arguments))
    raise SystemExit(0)


def given_settings(
    cls: type[PlaceOptions], arguments: Sequence[str], *, prog: str
) -> dict[str, Any]:
    """Only the settings that a command's arguments name, or their `--config`, with their types.

    Files of `--use` are run, because settings may name what they register.

    >>> from darts.searching.options import SearchOptions
    >>> given_settings(SearchOptions, ["--arch-every", "2", "--no-nesterov"], prog="sweep")
    {'arch_every': 2, 'nesterov': False}

    Raises:
        UserError: An argument is wrong, or the file of `--config`.
    """
    arguments = _normalised(arguments, cls)
    use_files(next((a.partition("=")[2] for a in arguments if _name(a) == "use"), None))
    return _given(_parser(cls, prog), arguments)


def _users(
    cls: type[PlaceOptions], named: Mapping[str, Any], arguments: Sequence[str]
) -> dict[str, str]:
    """Where the user set each value that the arguments or their recipe name.

    A shipped recipe is not the user's own: it may be fitted to the data.
    """
    flags = {_name(one) for one in arguments if one.startswith("--")}
    files = [value for flag, value in pairwise(arguments) if flag == "--config"]
    shipped = bool(files) and Path(files[-1]).stem in list_configs()
    place = f"in {files[-1]}" if files else "by the caller"
    return {
        name: "on the command line" if name in flags else place
        for name in names_of(cls)
        if name in named and (name in flags or not shipped)
    }


def _implied(
    implied: Mapping[str, Any],
    known: Mapping[str, Any],
    users: Mapping[str, str],
    overlay: Overlay,
) -> dict[str, str]:
    """What set each value that the user did not set: the preset or the recipe."""
    preset = known.get("preset")
    plain = overlay({**known, "preset": "paper"}) if preset not in (None, "paper") else implied
    found = implied_origins(implied, plain, preset)
    return {name: one for name, one in found.items() if name not in users}


def options_from(
    cls: type[Options],
    settings: Mapping[str, Any],
    overlay: Overlay,
    fit: Fit[Options] | None = None,
) -> Options:
    """The same from Python: keyword settings over the overlay over the defaults.

    Raises:
        UserError: A setting does not exist or has the wrong type.
    """
    names = names_of(cls)
    settings = dict(settings)
    unknown = sorted(set(settings).difference(names))
    if unknown:
        raise UserError(
            f"Unknown setting {', '.join(unknown)}.{_hints(unknown, names)} "
            f"There are {len(names)} settings: help({cls.__module__}.{cls.__name__}) lists them."
        )
    if "use" in settings:
        settings["use"] = joined_names(settings["use"])
    if settings.get("resume"):
        return _continued(cls, settings)
    use_files(settings.get("use"))
    # Checked before the overlay looks at them, and with it afterwards.
    _checked(cls, settings, "settings")
    known = {**_defaults_of(cls), **settings}
    implied = overlay(known)
    options = _checked(cls, {**implied, **settings}, "settings")
    if fit is None:
        return options
    users = dict.fromkeys(settings, "by the caller")
    return fit(
        with_absolute_paths(options), Origins(users, _implied(implied, known, users, overlay))
    )


def _hints(unknown: Sequence[str], names: Sequence[str]) -> str:
    return "".join(closest(name, names) for name in unknown)


def build(cls: type[Options], values: Mapping[str, Any]) -> Options:
    """An instance from plain values; what is no field of it (such as `config`) is left out."""
    names = names_of(cls)
    known = {name: value for name, value in values.items() if name in names}
    check_ranges(known)
    return cls(**known)


def _given(parser: Any, arguments: Sequence[str]) -> dict[str, Any]:
    """What arguments set, with its types. Defaults need no check, which takes most of the time."""
    values: dict[str, Any] = parser.parse_args(list(arguments), defaults=False).as_dict()
    values.pop("config", None)
    return values


def _converted(parser: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values with the types of their settings; none is added."""
    known: dict[str, Any] = parser.parse_object(dict(values), defaults=False).as_dict()
    return known


def _defaults_of(cls: type[PlaceOptions]) -> dict[str, Any]:
    usual = cls()
    return {one.name: getattr(usual, one.name) for one in fields(cls)}


def _print_config(parser: Any, arguments: Sequence[str], implied: Mapping[str, Any]) -> None:
    """Print all settings, with values that follow from others, and exit."""
    before = parser.get_defaults().as_dict()
    parser.set_defaults(dict(implied))
    try:
        parser.parse_args(arguments)
    finally:
        parser.set_defaults({name: before[name] for name in implied})


def _parser(cls: type[PlaceOptions], prog: str) -> Any:
    """The parser of a command's flags."""
    parser = _created_parser(cls)  # type: ignore[arg-type]
    parser.prog = prog
    return parser


@cache
def _created_parser(cls: type[PlaceOptions]) -> Any:
    """Made once in a process, because a command parses several times and this takes longest."""
    from jsonargparse import ArgumentParser

    class Parser(ArgumentParser):
        """Its errors are short."""

        def error(self, message: str, ex: Exception | None = None) -> NoReturn:
            raise UserError(dashed(explained(message, names_of(cls))))

    parser = Parser(allow_abbrev=False)
    parser.add_argument("--config", action="config", help="Recipe: a YAML file or a shipped name.")
    # The groups of a command name types in their own modules; the parser would look in one only.
    cls.__init__.__annotations__.update(get_type_hints(cls))
    parser.add_class_arguments(cls)
    return parser


def _name(argument: str) -> str:
    return argument[2:].split("=")[0] if argument.startswith("--") else ""


def _normalised(arguments: Sequence[str], cls: type) -> list[str]:
    """Flags as the parser knows them.

    Underscores for dashes; `--config` first, so that other flags win, and its file found; a value
    for each switch that stands alone (`--test-only`) or in the negative (`--no-auxiliary`). The
    values of all `--use` become one; those of a pair of numbers (`--arch-betas 0.5 0.999`) a list.
    """
    switches = {f.name for f in fields(cls) if str(f.type).split(" ")[0] == "bool"}
    pairs = {f.name for f in fields(cls) if str(f.type).startswith("tuple[float")}
    configs: list[str] = []
    others: list[str] = []
    used: list[str] = []
    rest = list(arguments)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if not flag.startswith("--"):
            others.append(flag + equals + value)
            continue
        name = flag[2:].replace("-", "_")
        follows = rest and not rest[0].startswith("--")
        if name == "config":
            value = value if equals else (rest.pop(0) if rest else "")
            recipe = config_path(value)
            check_recipe_file(recipe, cls)
            configs += ["--config", str(recipe)]
        elif name == "use":
            used.append(value if equals else (rest.pop(0) if rest else ""))
        elif name in switches and not equals and not follows:
            others.append(f"--{name}=true")
        elif name in pairs:
            numbers = [value] if equals else []
            while rest and (not numbers or _NUMBER.fullmatch(rest[0])):
                numbers.append(rest.pop(0))
            text = ", ".join(one.strip("[(,)] ") for one in numbers)
            others.append(f"--{name}=[{text}]")
        elif not equals and rest and _NUMBER.fullmatch(rest[0]):
            others.append(f"--{name}={rest.pop(0)}")  # Also -1e-3, which looks like a flag.
        elif name.startswith("no_") and name[3:] in switches and not equals:
            others.append(f"--{name[3:]}=false")
        else:
            others.append(f"--{name}{equals}{value}")
    return configs + others + ([f"--use={','.join(used)}"] if used else [])


def _resumed(cls: type[Options], arguments: list[str], given: set[str], prog: str) -> Options:
    resumable = tagged(cls, "resumable")
    changed = sorted(given.difference(resumable))
    if changed:
        flags = ", ".join("--" + name.replace("_", "-") for name in changed)
        others = ["--" + name.replace("_", "-") for name in resumable if name != "resume"]
        raise UserError(
            f"{flags}: a resumed run keeps its own settings; beside --resume only "
            f"{', '.join(others)} may be given."
        )
    return _continued(cls, _given(_parser(cls, prog), arguments))


def _continued(cls: type[Options], settings: Mapping[str, Any]) -> Options:
    run = RunFiles(Path(settings["resume"]))
    path = run.config
    try:
        saved = run.read_config()
    except OSError:
        raise UserError(
            f"--resume {settings['resume']}: there is no {path}; give the directory that an "
            "earlier run printed."
        ) from None
    except ValueError as error:
        raise UserError(f"{path} is no YAML: {error}") from None
    if isinstance(saved, dict):
        # Version 0.1.0 also wrote settings that the command has no flag for, at their defaults.
        groups = (field for group in (LoopOptions, StepOptions) for field in fields(group))
        foreign = {one.name: one.default for one in groups if one.name not in names_of(cls)}
        saved = {
            name: value
            for name, value in saved.items()
            if name not in foreign or value != foreign[name]
        }
        _check_kind(cls, saved, settings["resume"])
    files = read_files(settings.get("use"))
    check_same_files(files, run)
    if isinstance(saved, dict) and saved.get("use") and not run.used_checksums.is_file():
        raise UserError(f"{run.used_checksums} is missing: the run used {saved['use']}.")
    for file in files:
        run_file(file)
    options = _checked(cls, saved, str(path))
    return replace(options, **settings)


def _check_kind(cls: type, saved: Mapping[str, Any], directory: Any) -> None:
    """Refuse a run of another kind, with the command that continues it."""
    kind = kind_of_run(saved)
    if kind is None or kind == kind_of_run(dict.fromkeys(names_of(cls))):
        return
    raise UserError(
        f"--resume {directory}: this is the directory of {kind.what}; continue it with "
        f"{kind.command} {directory}"
    )


def _checked(cls: type[Options], values: Any, where: str) -> Options:
    """Values with their types checked by the same rules as flags."""
    if not isinstance(values, dict):
        raise UserError(f"{where}: a mapping of settings is needed.")
    try:
        return build(cls, _converted(_parser(cls, "settings"), values))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
