"""A trained population: errors and properties of many networks of one space, as plain arrays.

Statistics of it do not depend on how and where the networks were trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig
from darts.models.arrays import FloatArray
from darts.report.formatting import percent
from darts.report.notebook import Figures, Summarised


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Population(Summarised):
    """N networks of one space that were trained with one recipe.

    Attributes:
        name: Name of the space or the experiment, for legends.
        errors: Test errors (%) after the last epoch, `[N]`.
        properties: Further properties by name, each `[N]`: params, macs, activations, depth, w0,
            wa, wm, group_width, bottleneck, seconds, latency …; NaN where unknown.
        configs: The N networks, or none if they are not AnyNets.
        labels: Names of the N networks (keys of their trials), or none.
        recipe: How they were trained, as plain values: data set, epochs, learning rate …
        missing: Number of trials without a result (failed or unfinished).

    Raises:
        UserError: The lengths differ, or an error is not a percentage.

    >>> population = Population(name="regnetx", errors=np.array([8.0, 6.0, 7.0]))
    >>> len(population), population.select([1, 2]).errors.tolist()
    (3, [6.0, 7.0])
    """

    name: str
    errors: FloatArray
    properties: Mapping[str, FloatArray] = field(default_factory=dict)
    configs: tuple[AnyNetConfig, ...] = ()
    labels: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    missing: int = 0

    def __post_init__(self) -> None:
        errors = np.asarray(self.errors, np.float64)
        object.__setattr__(self, "errors", errors)
        if errors.ndim != 1:
            raise UserError(f"Population {self.name}: errors must be one number per network.")
        # This also catches NaN, which compares as false.
        if not ((errors >= 0) & (errors <= 100)).all():
            raise UserError(f"Population {self.name}: errors must lie between 0 and 100 %.")
        values = {name: np.asarray(v, np.float64) for name, v in self.properties.items()}
        object.__setattr__(self, "properties", values)
        for what, count in (
            *((f"property {name}", value.size) for name, value in values.items()),
            ("configs", len(self.configs) or len(self)),
            ("labels", len(self.labels) or len(self)),
        ):
            if count != len(self):
                raise UserError(
                    f"Population {self.name}: {what} has {count} entries for {len(self)} networks."
                )

    def figures(self) -> Figures:
        """Number of networks, and their errors."""
        found = [("space", self.name), ("networks", str(len(self)))]
        if len(self):
            found.append(("smallest error", percent(float(self.errors.min()))))
            found.append(("mean error", percent(float(self.errors.mean()))))
        return found

    def __len__(self) -> int:
        return len(self.errors)

    def label(self, index: int) -> str:
        """Name of one network."""
        return self.labels[index] if self.labels else f"{self.name} {index}"

    def select(self, chosen: ArrayLike, name: str | None = None) -> Population:
        """The networks with the given indices, or where a mask `[N]` is true."""
        indices = np.arange(len(self))[np.asarray(chosen)]
        return replace(
            self,
            name=self.name if name is None else name,
            errors=self.errors[indices],
            properties={key: values[indices] for key, values in self.properties.items()},
            configs=tuple(self.configs[i] for i in indices) if self.configs else (),
            labels=tuple(self.labels[i] for i in indices) if self.labels else (),
        )
