"""A trained population: the errors of many networks of one space and what they have in common.

Plain arrays, so that statistics know nothing of how and where the networks were trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig, FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    """N networks of one space, trained by one recipe; only those whose training ended.

    Attributes:
        name: Of the space or of the experiment, for legends.
        errors: Test errors (%) after the last epoch, [N].
        properties: Whatever else is known of each network, by name, each [N]: params, macs,
            activations, depth, w0, wa, wm, group_width, bottleneck, seconds, latency …; NaN where
            it is not known.
        configs: The networks themselves, N of them, or none where they are no AnyNets.
        labels: What the networks are called (keys of trials), N of them, or none.
        recipe: How they were trained, as plain values: data set, epochs, learning rate …
        missing: Trials without a result (failed, or not yet finished).

    Raises:
        UserError: The numbers do not fit together, or an error is no percentage.
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
            raise UserError(f"Population {self.name}: errors are one number a network.")
        # A comparison with NaN is false: that is caught as well.
        if not ((errors >= 0) & (errors <= 100)).all():
            raise UserError(f"Population {self.name}: errors lie between 0 and 100 %.")
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

    def __len__(self) -> int:
        return len(self.errors)

    def label(self, index: int) -> str:
        """What to call one network."""
        return self.labels[index] if self.labels else f"{self.name} {index}"

    def select(self, chosen: ArrayLike, name: str | None = None) -> Population:
        """Those of the networks whose indices, or whose places in a mask, are given."""
        indices = np.arange(len(self))[np.asarray(chosen)]
        return replace(
            self,
            name=self.name if name is None else name,
            errors=self.errors[indices],
            properties={key: values[indices] for key, values in self.properties.items()},
            configs=tuple(self.configs[i] for i in indices) if self.configs else (),
            labels=tuple(self.labels[i] for i in indices) if self.labels else (),
        )
