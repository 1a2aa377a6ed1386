"""A search space: the variables of an architecture and of its training recipe, as data.

N candidates are an array of genes `[N, variables]` (see `darts.joint.variables`).
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
"""The settings of N candidates: name -> values `[N]`."""
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Constraint:
    """A condition on several settings of a candidate.

    >>> constraint = Constraint("multiple", ("width", "group_width"))
    >>> constraint.holds({"width": np.array([24, 32]), "group_width": np.array([16, 16])})
    array([False,  True])

    Attributes:
        kind: "nondecreasing" (no value is smaller than the one before it), or "multiple" (the first
            value is a multiple of the second).
        names: Names of the settings, in order.
    """

    kind: Literal["nondecreasing", "multiple"]
    names: tuple[str, ...]

    def holds(self, columns: ValueColumns) -> Bools:
        """Return for each of N candidates whether it fulfils the constraint, `[N]`."""
        values = [columns[name] for name in self.names]
        if self.kind == "multiple":
            return np.array(values[0] % values[1] == 0, np.bool_)
        return np.array((np.diff(np.stack(values), axis=0) >= 0).all(axis=0), np.bool_)


@dataclass(frozen=True)
class Rule:
    """Multiplies settings of the candidates whose `variable` has a certain value.

    FBNetV3, for example, trains with 4 times the learning rate if the optimiser is SGD. A rule
    changes what is trained, but not the features, which are those of the sampled values.

    Attributes:
        variable: Name of the setting that the rule looks at.
        value: Value for which the rule applies.
        factors: Pairs of a setting's name and its factor.
    """

    variable: str
    value: Any
    factors: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class Space:
    """Variables with their constraints and rules.

    >>> from darts.joint.variables import GridDomain
    >>> domain = GridDomain(1, 4, 1)
    >>> depth = Variable(name="depth", part="architecture", domain=domain, sets=("depth",))
    >>> space = Space(name="example", network=None, variables=(depth,))
    >>> space.rows(space.draw(np.array([[0.6]])))
    [{'depth': 3}]

    Attributes:
        name: Name of the space.
        network: Kind of network that the architecture describes, a key of
            `darts.joint.problem.NETWORKS`; None for a space of recipes, which serves any network.
        variables: The variables of the architecture, then those of the recipe.
        constraints: Conditions that every candidate fulfils.
        rules: Changes to the settings after sampling.
        about: Where the ranges come from.
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
        """Names of the settings that the variables decide, of one part or of both."""
        return tuple(name for v in self.variables if part in (None, v.part) for name in v.sets)

    @property
    def size(self) -> float:
        """Number of candidates before constraints; infinite if a variable is continuous."""
        return math.prod(v.domain.levels or math.inf for v in self.variables)

    def part_size(self, part: Part) -> float:
        """Number of choices of one part; see `size`."""
        return math.prod(v.domain.levels or math.inf for v in self.variables if v.part == part)

    def draw(self, uniform: Floats) -> Floats:
        """Convert uniform numbers in [0, 1) `[N, variables]` to genes `[N, variables]`."""
        genes = [v.draw(uniform[:, i]) for i, v in enumerate(self.variables)]
        return np.stack(genes, axis=1) if genes else np.zeros((len(uniform), 0))

    def drawn(self, genes: Floats) -> dict[str, NDArray]:
        """The sampled values of N candidates: name of the variable -> `[N]`."""
        return {v.name: v.domain.decode(genes[:, i]) for i, v in enumerate(self.variables)}

    def columns(self, genes: Floats) -> dict[str, NDArray]:
        """The settings of N candidates after the rules: name of the setting -> `[N]`."""
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
        """Return for each of N candidates whether it fulfils all constraints, `[N]`."""
        columns = self._unruled(genes)
        held = np.ones(len(genes), np.bool_)
        for constraint in self.constraints:
            held &= constraint.holds(columns)
        return held

    def features(self, genes: Floats, part: Part | None = None) -> Floats:
        """Features `[N, width]` of N candidates, of one part or of both."""
        blocks = [
            v.domain.features(genes[:, i])
            for i, v in enumerate(self.variables)
            if part in (None, v.part)
        ]
        return np.concatenate([np.zeros((len(genes), 0)), *blocks], axis=1)

    def width(self, part: Part | None = None) -> int:
        """Number of features, of one part or of both."""
        return sum(v.domain.width for v in self.variables if part in (None, v.part))

    def nearest(self, features: Floats) -> Floats:
        """Convert features `[N, width]` to the nearest genes; the inverse of `features`."""
        if features.shape[1] != self.width():
            raise ValueError(f"{self.name} has {self.width()} features, not {features.shape[1]}.")
        ends = np.cumsum([v.domain.width for v in self.variables])
        blocks = np.split(features, ends[:-1], axis=1)
        genes = [v.domain.nearest(block) for v, block in zip(self.variables, blocks, strict=True)]
        return np.stack(genes, axis=1)

    def rows(self, genes: Floats) -> list[dict[str, Any]]:
        """The sampled values of N candidates as plain mappings, for files."""
        columns = {name: column.tolist() for name, column in self.drawn(genes).items()}
        return [{name: column[n] for name, column in columns.items()} for n in range(len(genes))]

    def genes(self, rows: Sequence[Mapping[str, Any]]) -> Floats:
        """The inverse of `rows`, up to rounding of the genes of continuous variables.

        Raises:
            UserError: A variable is missing or unknown, or a value does not belong to its domain.
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
        """Join two spaces: every pair of their candidates is a candidate.

        Raises:
            UserError: Both describe networks, or both decide the same setting.
        """
        if self.network and other.network:
            raise UserError(
                f"{self.name} and {other.name} both describe networks; one of two joined spaces "
                "must be a space of recipes."
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
