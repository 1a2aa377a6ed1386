"""A search space: variables of an architecture and of the recipe that trains it, as data.

A generation of N candidates is an array of genes [N, variables] (see `darts.joint.variables`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from darts.errors import UserError
from darts.joint.variables import Floats, Part, Variable

ValueColumns = Mapping[str, NDArray]
"""What N candidates are, by name, each [N]."""
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Constraint:
    """What some values must fulfil together.

    nondecreasing: none is smaller than the one before. multiple: the first is a multiple of the
    second.
    """

    kind: Literal["nondecreasing", "multiple"]
    names: tuple[str, ...]

    def holds(self, columns: ValueColumns) -> Bools:
        """Whether each of N candidates fulfils it."""
        values = [columns[name] for name in self.names]
        if self.kind == "multiple":
            return np.array(values[0] % values[1] == 0, np.bool_)
        return np.array((np.diff(np.stack(values), axis=0) >= 0).all(axis=0), np.bool_)


@dataclass(frozen=True)
class Rule:
    """Where `variable` has `value`, other values are multiplied (FBNetV3: SGD takes 4 times the
    learning rate). Features stay those of the values as drawn."""

    variable: str
    value: Any
    factors: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class Space:
    """Variables, and what ties them.

    Attributes:
        name: What it is called.
        network: What the architecture's values describe: a name in `darts.joint.networks`; None for
            a space of recipes, which belongs to any fixed network.
        variables: Of the architecture first, then of the recipe.
        constraints: On values.
        rules: Applied to values after they are drawn.
        about: Where its ranges come from.
    """

    name: str
    network: str | None
    variables: tuple[Variable, ...]
    constraints: tuple[Constraint, ...] = ()
    rules: tuple[Rule, ...] = ()
    about: str = ""

    def __len__(self) -> int:
        return len(self.variables)

    def targets(self, part: Part | None = None) -> tuple[str, ...]:
        """What is decided, in all or in one part."""
        return tuple(name for v in self.variables if part in (None, v.part) for name in v.sets)

    @property
    def size(self) -> float:
        """Number of choices before constraints; infinite with a variable of real numbers."""
        return math.prod(v.domain.levels or math.inf for v in self.variables)

    def part_size(self, part: Part) -> float:
        """The same of one part."""
        return math.prod(v.domain.levels or math.inf for v in self.variables if v.part == part)

    def draw(self, uniform: Floats) -> Floats:
        """Genes [N, variables] of numbers in [0, 1) [N, variables]."""
        genes = [v.draw(uniform[:, i]) for i, v in enumerate(self.variables)]
        return np.stack(genes, axis=1) if genes else np.zeros((len(uniform), 0))

    def drawn(self, genes: Floats) -> dict[str, NDArray]:
        """The values that the variables of N candidates have, by name of the variable."""
        return {v.name: v.domain.decode(genes[:, i]) for i, v in enumerate(self.variables)}

    def columns(self, genes: Floats) -> dict[str, NDArray]:
        """What N candidates are, by name of what is decided, rules applied."""
        columns = self._unruled(genes)
        drawn = dict(columns)
        for rule in self.rules:
            holds = drawn[rule.variable] == rule.value
            for name, factor in rule.factors:
                columns[name] = np.where(holds, columns[name] * factor, columns[name])
        return columns

    def _unruled(self, genes: Floats) -> dict[str, NDArray]:
        drawn = self.drawn(genes)
        return {name: drawn[v.name] for v in self.variables for name in v.sets}

    def valid(self, genes: Floats) -> Bools:
        """Whether each of N candidates keeps the constraints."""
        columns = self._unruled(genes)
        held = np.ones(len(genes), np.bool_)
        for constraint in self.constraints:
            held &= constraint.holds(columns)
        return held

    def features(self, genes: Floats, part: Part | None = None) -> Floats:
        """What a predictor sees of N candidates [N, features], of all or of one part."""
        blocks = [
            v.domain.features(genes[:, i])
            for i, v in enumerate(self.variables)
            if part in (None, v.part)
        ]
        return np.concatenate([np.zeros((len(genes), 0)), *blocks], axis=1)

    def width(self, part: Part | None = None) -> int:
        """Number of features."""
        return sum(v.domain.width for v in self.variables if part in (None, v.part))

    def nearest(self, features: Floats) -> Floats:
        """Genes of features [N, features]; the inverse of `features`."""
        if features.shape[1] != self.width():
            raise ValueError(f"{self.name} has {self.width()} features, not {features.shape[1]}.")
        ends = np.cumsum([v.domain.width for v in self.variables])
        blocks = np.split(features, ends[:-1], axis=1)
        genes = [v.domain.nearest(block) for v, block in zip(self.variables, blocks, strict=True)]
        return np.stack(genes, axis=1)

    def rows(self, genes: Floats) -> list[dict[str, Any]]:
        """The drawn values of N candidates as plain mappings, for files."""
        columns = {name: column.tolist() for name, column in self.drawn(genes).items()}
        return [{name: column[n] for name, column in columns.items()} for n in range(len(genes))]

    def genes(self, rows: Sequence[Mapping[str, Any]]) -> Floats:
        """The inverse of `rows`, exact but for the last digit of a real number's gene.

        Raises:
            UserError: A variable is missing or unknown, or a value is none of its own.
        """
        names = [v.name for v in self.variables]
        for row in rows:
            if missing := [name for name in names if name not in row]:
                raise UserError(f"{self.name}: a candidate lacks {', '.join(missing)}.")
            if unknown := [name for name in row if name not in names]:
                raise UserError(
                    f"{self.name} has no variable {', '.join(unknown)}; it has {', '.join(names)}."
                )
        genes = np.zeros((len(rows), len(names)))
        for i, v in enumerate(self.variables):
            try:
                genes[:, i] = v.domain.genes([row[v.name] for row in rows])
            except (UserError, TypeError, ValueError) as error:
                raise UserError(f"{self.name}: variable {v.name}: {error}.") from None
        return genes

    def __add__(self, other: Space) -> Space:
        """The space of all pairs.

        Raises:
            UserError: Both describe networks, or both decide the same.
        """
        if self.network and other.network:
            raise UserError(
                f"{self.name} and {other.name} both describe networks; one of two joined spaces "
                "has recipes alone."
            )
        if twice := set(self.targets()) & set(other.targets()):
            raise UserError(f"{self.name} and {other.name} both decide {', '.join(sorted(twice))}.")
        both = self.variables + other.variables
        ordered = sorted(both, key=lambda v: v.part)
        return replace(
            self,
            name=f"{self.name}+{other.name}",
            network=self.network or other.network,
            variables=tuple(ordered),
            constraints=self.constraints + other.constraints,
            rules=self.rules + other.rules,
            about=" ".join(filter(None, (self.about, other.about))),
        )
