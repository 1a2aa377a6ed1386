"""Options of a sweep. Torch-free, so that `--help` is instant.

A sweep has two kinds of settings: its own, which are here, and settings of a search, of which only
those that were given are kept. What the others are depends on the method, the space and the preset
of each search.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from darts.errors import UserError
from darts.trials.options import TrialOptions

Settings = Mapping[str, Any]
"""Settings of a search or a retraining by name, only those that were given."""

CONTROL = "random cells"
"""Label of the control without training."""

_RANGE = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True, kw_only=True)
class SweepOptions(TrialOptions):
    """A sweep: every method with every combination of settings and every seed.

    Attributes:
        out: Directory of the sweep; the same command continues it.
        methods: Search methods.
        seeds: Seeds of each configuration.
        settings: Settings of a search that all searches share.
        grid: Settings of a search with several values each; every combination is searched.
        own: By method, settings of a search that only this method has.
        reference: Configuration with which the others are compared; by default the first.
        table: Table of known accuracies of NAS-Bench-201, which judges the cells.
        retrain: Number of short retrainings of each cell, which judge it.
        retraining: Settings of these retrainings.
        random_cells: Number of random cells beside the found ones, which no search has seen.

    Raises:
        UserError: A setting is missing or out of range, or two exclude each other.
    """

    out: str
    methods: Sequence[str]
    seeds: Sequence[int] = (0, 1, 2, 3, 4)
    settings: Settings = field(default_factory=dict)
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    own: Mapping[str, Settings] = field(default_factory=dict)
    reference: str | None = None
    table: str | None = None
    retrain: int = 0
    retraining: Settings = field(default_factory=dict)
    random_cells: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.out:
            raise UserError("--out is missing: give the directory of the sweep.")
        if not self.methods:
            raise UserError("--methods names no method; python -m darts methods lists them.")
        if twice := _repeated(self.methods):
            raise UserError(f"--methods: {twice} is named twice.")
        if not self.seeds:
            raise UserError("--seeds names no seed; 0..4 are five.")
        if (twice := _repeated(self.seeds)) is not None:
            raise UserError(f"--seeds: seed {twice} is given twice.")
        for name, value in (("retrain", self.retrain), ("random-cells", self.random_cells)):
            if value < 0:
                raise UserError(f"--{name}: must be 0 or more, not {value}.")
        if self.table and self.retrain:
            raise UserError(
                "--table and --retrain both judge the cells: give one. A table knows the accuracy "
                "after full trainings."
            )
        if self.retraining and not self.retrain:
            raise UserError("--retrain-with belongs to --retrain: give the number of retrainings.")
        if self.random_cells and not (self.table or self.retrain):
            raise UserError(
                "--random-cells: random cells have no supernet, so something else must judge "
                "them. Add --table FILE or --retrain N."
            )
        self._check_names()

    def _check_names(self) -> None:
        fixed = {
            "method": "give --methods",
            "seed": "give --seeds",
            "run_dir": "give --out",
            "resume": "repeat the command with the same --out",
        }
        named = [*self.settings, *self.grid, *(name for own in self.own.values() for name in own)]
        for name in named:
            if name in fixed:
                flag = name.replace("_", "-")
                raise UserError(f"--{flag} is not a setting of a sweep: {fixed[name]}.")
        for name, values in self.grid.items():
            flag = name.replace("_", "-")
            if not values:
                raise UserError(f"--set {flag}: a value is missing, as in --set {flag}=1,2.")
            if (twice := _repeated(values)) is not None:
                raise UserError(f"--set {flag}: the value {value_text(twice)} is given twice.")
            if name in self.settings:
                raise UserError(f"--{flag} and --set {flag}: give only one of them.")
        for method in self.own:
            if method not in self.methods:
                raise UserError(
                    f"--for {method}: the sweep has the methods {', '.join(self.methods)}."
                )


def _repeated(values: Sequence[Any]) -> Any:
    """The first value that is there twice; None if there is none."""
    return next((one for index, one in enumerate(values) if one in values[:index]), None)


def parse_seeds(texts: Iterable[str]) -> tuple[int, ...]:
    """Seeds as a command names them: numbers and ranges; one number alone says how many.

    >>> parse_seeds(["0..2", "7"]), parse_seeds(["1,3"]), parse_seeds(["3"])
    ((0, 1, 2, 7), (1, 3), (0, 1, 2))

    Raises:
        UserError: A text is neither.
    """
    parts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    if len(parts) == 1 and parts[0].isdecimal():
        return tuple(range(int(parts[0])))
    found: list[int] = []
    for part in parts:
        if span := _RANGE.fullmatch(part):
            found += range(int(span[1]), int(span[2]) + 1)
        elif part.isdecimal():
            found.append(int(part))
        else:
            raise UserError(f"--seeds {part}: give seeds such as 0 3 7, or a range such as 0..4.")
    return tuple(found)


def parse_assignment(text: str, flag: str) -> tuple[str, str]:
    """Name and value of `name=value`; dashes in the name become underscores.

    >>> parse_assignment("edge-normalisation=true,false", "--set")
    ('edge_normalisation', 'true,false')

    Raises:
        UserError: The text has another form.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise UserError(f"{flag} {text}: write NAME=VALUE, such as epochs=10.")
    return name.strip().removeprefix("--").replace("-", "_"), value.strip()


def parse_grid(texts: Iterable[str], typed: Callable[[str, str], Any]) -> dict[str, tuple]:
    """The values of each setting of `--set NAME=VALUE,VALUE`.

    Values are separated by commas, or by semicolons if there is one, for values with commas.

    >>> parse_grid(["k=1,2", "gradient=a:x=1,y=2;b"], lambda name, text: text)
    {'k': ('1', '2'), 'gradient': ('a:x=1,y=2', 'b')}

    Args:
        texts: What follows each `--set`.
        typed: Converts the text of a setting's value.

    Raises:
        UserError: A text has another form, or a setting is named twice.
    """
    grid: dict[str, tuple] = {}
    for text in texts:
        name, values = parse_assignment(text, "--set")
        if name in grid:
            flag = name.replace("_", "-")
            raise UserError(f"--set {flag}: named twice; give all values at once: {flag}=1,2,4.")
        parts = values.split(";" if ";" in values else ",")
        grid[name] = tuple(typed(name, part.strip()) for part in parts if part.strip())
    return grid


def value_text(value: Any) -> str:
    """A value as it is written in a command.

    >>> value_text(True), value_text(4), value_text((0.5, 0.999))
    ('true', '4', '0.5/0.999')
    """
    if isinstance(value, (list, tuple)):
        return "/".join(map(value_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
