"""Bad settings: recipes, nothing in place of every setting, command lines of every command."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from darts.cli import main
from darts.commands.table import COMMANDS, Command
from tests.torture.mutations import NUMBERS, WORDS, wrong_text, yaml_text
from tests.torture.trying import commands

_SMALL = ["--dataset", "digits", "--preset", "smoke", "--device", "cpu", "--threads", "1"]
_COMMANDS = {
    "search": ["search", *_SMALL, "--run-dir", "run"],
    "evaluate": ["evaluate", "--genotype", "darts_v2", *_SMALL, "--run-dir", "run"],
    "joint": ["joint", "search", *_SMALL, "--run-dir", "run"],
    "compare": ["compare", "--genotype", "darts_v2", *_SMALL, "--run-dir", "run"],
    "population": ["space", "train", "--space", "regnetx", "--n", "2", "--dataset", "digits"],
}
_LINES = {
    **{
        " ".join(line[: 2 - (name in ("search", "evaluate", "compare"))]): line
        for name, line in _COMMANDS.items()
    },
    "advise": ["advise", "digits"],
    "fit": ["fit", "digits", "--quick", "--plan"],
    "detect": ["detect", "--backbone", "resnet18", "--run-dir", "run"],
    "cam": ["cam", "photo.png", "--checkpoint", "run", "-o", "cam.png"],
    "predict": ["predict", "photo.png", "--checkpoint", "run"],
    "export": [
        "export",
        "--genotype",
        "darts_v2",
        "--channels",
        "4",
        "--layers",
        "3",
        "-o",
        "x.pt2",
    ],
    "genotypes": ["genotypes", "darts_v2", "--as", "yaml"],
    "spaces": ["spaces", "darts"],
    "methods": ["methods"],
    "methods show": ["methods", "show", "gdas"],
    "methods parts": ["methods", "parts"],
    "draw": ["draw", "darts_v2", "-o", "drawn", "--formats", "svg"],
    "cost": ["cost", "darts_v2", "--channels", "4", "--layers", "3"],
    "score": ["score", "darts_v2", "--channels", "4", "--layers", "3", "--resolution", "8"],
    "scale": ["scale", "resnet50"],
    "scale grid": ["scale", "grid", "resnet50", "--out", "out"],
    "scale study": ["scale", "study", "resnet50", "--out", "out"],
    "datasets": ["datasets"],
    "space list": ["space", "list"],
    "space sample": ["space", "sample", "--space", "regnetx", "--n", "2"],
    "space show": ["space", "show", "out"],
    "space analyse": ["space", "analyse", "out"],
    "space rank": ["space", "rank", "out"],
    "space latency": ["space", "latency", "out"],
    "joint evolve": ["joint", "evolve", "run"],
    "joint ablate": ["joint", "ablate", "run"],
    "joint predict": ["joint", "predict", "run"],
    "joint show": ["joint", "show", "darts-cell"],
    "backends": ["backends", "--help"],
    "benchmark nasbench201": ["benchmark", "nasbench201", "--table", "table.csv"],
    "benchmark correlate": ["benchmark", "correlate", "run", "--table", "table.csv"],
    "sweep": ["sweep", "--methods", "gdas", "darts", "--seeds", "2", "--out", "out", *_SMALL],
    "sweep show": ["sweep", "show", "out"],
    "report": ["report", "run"],
}
"""A valid line for the commands, where the files that it names exist."""


def _every_command(command: Command, name: str = "") -> list[str]:
    below = command.subcommands.items()
    own = [name] if command.handler else []
    return own + [
        one for key, each in below for one in _every_command(each, f"{name} {key}".strip())
    ]


for _name_of_command in _every_command(Command("", subcommands=COMMANDS)):
    _LINES.setdefault(_name_of_command, _name_of_command.split())


@cache
def _settings(name: str) -> Mapping[str, Any]:
    """The settings of a command as `--print-config` prints them."""
    stream = io.StringIO()
    with redirect_stdout(stream), suppress(SystemExit):
        main([*_COMMANDS[name], "--print-config"])
    return yaml.safe_load(stream.getvalue())


@cache
def _flags(line: str) -> tuple[str, ...]:
    """The flags that the help of a command names."""
    stream = io.StringIO()
    with redirect_stdout(stream), suppress(SystemExit):
        main([*line.split(), "--help"])
    found = re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", stream.getvalue())
    return tuple(dict.fromkeys(flag for flag in found if flag not in ("--help", "-h")))


def _recipe(random: Random, folder: Path) -> list[str]:
    # The settings of a joint search are checked one by one, which takes seconds.
    name = random.choice([one for one in _COMMANDS if one != "joint" or random.random() < 0.1])
    settings = dict(_settings(name))
    if random.random() < 0.7:
        kept = random.sample(sorted(settings), random.randrange(1, 8))
        settings = {key: settings[key] for key in kept}
    (folder / "recipe.yaml").write_bytes(wrong_text(random, settings, yaml_text))
    return [*_COMMANDS[name], "--config", "recipe.yaml"]


def _null(random: Random, folder: Path) -> list[str]:
    """Nothing in place of a setting: the tries go through all settings in turn."""
    every = [(name, key) for name in _COMMANDS for key in _settings(name)]
    name, key = every[int(folder.parents[1].name.partition("-")[2]) % len(every)]
    (folder / "recipe.yaml").write_text(f"{key}: null\n")
    return [*_COMMANDS[name], "--config", "recipe.yaml"]


def _value(random: Random) -> str:
    word = str(random.choice(NUMBERS)) if random.random() < 0.4 else random.choice(WORDS)
    return word.replace("\0", "")


def _line(random: Random, folder: Path) -> list[str]:
    name = random.choice(list(_LINES))
    line = list(_LINES[name])
    for _ in range(random.choice((1, 1, 2, 3))):
        place = random.randrange(1, len(line) + 1)
        flags = _flags(name)
        match random.randrange(6):
            case 0 if place < len(line):
                line[place] = _value(random)
            case 1 if place < len(line):
                del line[place]
            case 2:
                line.insert(place, _value(random))
            case 3 if flags:
                line.append(random.choice(flags))
            case _ if flags:
                flag, value = random.choice(flags), _value(random)
                line += [f"{flag}={value}"] if random.random() < 0.3 else [flag, value]
    return line


def _name(random: Random, folder: Path) -> list[str]:
    """One odd name in the place of a file, a folder, a data set or a model."""
    long = (
        "x" * 300,
        "y/" * 2100 + "z",
        "~nosuchuser",
        "~nosuchuser/run",
        "",
        " ",
        "\udcff",
        ".",
        "/",
    )
    odd = random.choice(
        (*long, "..", "\x1b[31m", "a\nb", "/dev/null/x", "/proc/self/mem", "\u202e")
    )
    name = random.choice(list(_LINES))
    line = list(_LINES[name])
    named = [
        flag
        for flag in _flags(name)
        if re.search(
            "dir|data|config|resume|use|table|space|pretrain|genotype|checkpoint|output|cache|out$|^-o$|subset|teacher|model|onnx|annot|images",
            flag,
        )
    ]
    values = [n for n in range(1, len(line)) if not line[n].startswith("-")]
    if named and random.random() < 0.7:
        flag = random.choice(named)
        kind = random.choice(("", "", "folder:", "csv:", "array:")) if "data" in flag else ""
        kind = random.choice(("", "", ".yaml", ".py")) if "use" in flag else kind
        line += [f"{flag}={kind}{odd}"] if random.random() < 0.5 else [flag, kind + odd]
    elif values:
        line[random.choice(values)] = odd
    return line


KINDS = (
    commands("recipes", "damaged files of --config, for five commands", _recipe, 2200, 6),
    commands("nulls", "nothing in place of every setting", _null, 420, 4),
    commands("command-lines", "wrong flags and values for every command", _line, 2500, 8),
    commands(
        "names", "names that are long, empty, no UTF-8, of nobody, with escapes", _name, 600, 6
    ),
)
