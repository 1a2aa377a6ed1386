"""What `make torture` tries: kinds of faults and of bad input, and how a kind is counted.

A module of this package that tries something has a tuple `KINDS` and a line in `_MODULES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

# Those with long kinds first, so that two at a time end together.
_MODULES: tuple[str, ...] = (
    "numerics",
    "faults",
    "happenings",
    "damage",
    "genotype_inputs",
    "setting_inputs",
    "data_inputs",
    "run_inputs",
    "file_inputs",
)


@dataclass(frozen=True)
class Effort:
    """How often a kind is tried, and where.

    Attributes:
        cases: Number of tries.
        place: An empty folder for the files of the tries.
        seed: Seed of all random numbers: the same seed gives the same tries.
        first: Number of the first try.
    """

    cases: int
    place: Path
    seed: int = 0
    first: int = 0


@dataclass
class Tally:
    """How the tries of a kind ended.

    Attributes:
        done: Tries that ended as if nothing were wrong, or that went on as promised.
        refused: Tries that ended with one sentence and exit code 2.
        faults: What was wrong with each other try; a line begins with the number of the try.
        seconds: Seconds of the processor, where a kind measures them.
    """

    done: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def tries(self) -> int:
        return self.done + self.refused + len(self.faults)


@dataclass(frozen=True)
class Kind:
    """A kind of fault or of bad input.

    Attributes:
        name: Its name on the command line, such as "genotype-files".
        about: What is tried, for the table in docs/reliability.md.
        run: Tries it.
        cases: Number of tries of `make torture`.
        few: Number of tries of `make test`; 0 leaves it out there.
        grows: Whether `make torture CASES=…` changes the number of tries.
    """

    name: str
    about: str
    run: Callable[[Effort], Tally]
    cases: int
    few: int = 0
    grows: bool = True


def all_kinds() -> dict[str, Kind]:
    """All kinds by name."""
    found = [kind for name in _MODULES for kind in import_module(f"tests.torture.{name}").KINDS]
    return {kind.name: kind for kind in found}


def shares(kinds: list[Kind], cases: int) -> dict[str, int]:
    """Numbers of tries that make at least `cases` in all, in proportion to the usual ones."""
    fixed = sum(kind.cases for kind in kinds if not kind.grows)
    usual = sum(kind.cases for kind in kinds if kind.grows)
    scale = max(cases - fixed, 0) / max(usual, 1)
    return {
        kind.name: max(1, -int(-kind.cases * scale // 1)) if kind.grows else kind.cases
        for kind in kinds
    }
