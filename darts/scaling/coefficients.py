"""How depth, width and resolution grow together: d = alpha^phi, w = beta^phi, r = gamma^phi."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from darts.errors import UserError


@dataclass(frozen=True)
class Factors:
    """What a base is multiplied by: its depth, its width (channels) and its resolution."""

    depth: float
    width: float
    resolution: float


@dataclass(frozen=True)
class Coefficients:
    """alpha, beta and gamma; 1 leaves a dimension as it is.

    Multiply-adds grow by about (alpha · beta² · gamma²)^phi (§3.3). The defaults are the paper's,
    found by a small grid search on EfficientNet-B0.

    Raises:
        UserError: One is below 1 or none above.
    """

    alpha: float = 1.2
    beta: float = 1.1
    gamma: float = 1.15

    def __post_init__(self) -> None:
        values = {"alpha": self.alpha, "beta": self.beta, "gamma": self.gamma}
        for name, value in values.items():
            if not 1 <= value < math.inf:
                raise UserError(f"--{name} {value}: a coefficient is at least 1.")
        if max(values.values()) == 1:
            raise UserError("With alpha, beta and gamma all 1 nothing grows; one must be above 1.")

    @property
    def growth(self) -> float:
        """alpha · beta² · gamma²: the factor of multiply-adds for phi = 1, about."""
        return self.alpha * self.beta**2 * self.gamma**2

    def factors(self, phi: float) -> Factors:
        """What to multiply by for the compound coefficient phi; below 0 to scale down."""
        return Factors(self.alpha**phi, self.beta**phi, self.gamma**phi)


# Each doubles the multiply-adds for phi = 1; Fig. 3 and 8 of the paper compare them.
STRATEGIES: Mapping[str, Coefficients] = MappingProxyType(
    {
        "compound": Coefficients(),
        "depth": Coefficients(2.0, 1.0, 1.0),
        "width": Coefficients(1.0, math.sqrt(2), 1.0),
        "resolution": Coefficients(1.0, 1.0, math.sqrt(2)),
    }
)


def find_coefficients(strategy: str, compound: Coefficients | None = None) -> Coefficients:
    """The coefficients of a strategy; `compound` replaces the paper's.

    Raises:
        UserError: There is no such strategy.
    """
    if strategy not in STRATEGIES:
        raise UserError(f"There is no strategy {strategy!r}; there are {', '.join(STRATEGIES)}.")
    return compound if compound and strategy == "compound" else STRATEGIES[strategy]
