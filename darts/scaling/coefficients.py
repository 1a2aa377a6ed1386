"""Compound scaling: d = alpha^phi, w = beta^phi, r = gamma^phi.

Source: EfficientNet (arXiv 1905.11946, §3.3, Eq. 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from darts.errors import UserError


@dataclass(frozen=True)
class Factors:
    """Factors that a base is multiplied by.

    Attributes:
        depth: Factor d of the number of cells or blocks.
        width: Factor w of the channels.
        resolution: Factor r of the side of the images.
    """

    depth: float
    width: float
    resolution: float


@dataclass(frozen=True)
class Coefficients:
    """The bases alpha, beta and gamma of compound scaling.

    d = alpha^phi, w = beta^phi and r = gamma^phi, so multiply-adds grow by about
    (alpha · beta² · gamma²)^phi (EfficientNet, arXiv 1905.11946, §3.3, Eq. 3). The defaults are
    the paper's, found by a small grid search on EfficientNet-B0.

    >>> seventh = Coefficients().factors(7)
    >>> round(seventh.depth, 2), round(seventh.width, 2), round(224 * seventh.resolution)
    (3.58, 1.95, 596)

    Attributes:
        alpha: Base of the depth factor; 1 keeps the depth.
        beta: Base of the width factor; 1 keeps the width.
        gamma: Base of the resolution factor; 1 keeps the resolution.

    Raises:
        UserError: A coefficient is below 1, or all are 1.
    """

    alpha: float = 1.2
    beta: float = 1.1
    gamma: float = 1.15

    def __post_init__(self) -> None:
        values = {"alpha": self.alpha, "beta": self.beta, "gamma": self.gamma}
        for name, value in values.items():
            if not 1 <= value < math.inf:
                raise UserError(f"--{name} {value}: a coefficient must be at least 1.")
        if max(values.values()) == 1:
            raise UserError("alpha, beta and gamma are all 1: nothing grows. Set one above 1.")

    @property
    def growth(self) -> float:
        """alpha · beta² · gamma²: approximate factor of the multiply-adds for phi = 1."""
        return self.alpha * self.beta**2 * self.gamma**2

    def factors(self, phi: float) -> Factors:
        """Factors for the compound coefficient phi; a negative phi scales down."""
        return Factors(self.alpha**phi, self.beta**phi, self.gamma**phi)


# For phi = 1 each strategy doubles the multiply-adds (Figs 3 and 8 of the paper compare them).
STRATEGIES: Mapping[str, Coefficients] = MappingProxyType(
    {
        "compound": Coefficients(),
        "depth": Coefficients(2.0, 1.0, 1.0),
        "width": Coefficients(1.0, math.sqrt(2), 1.0),
        "resolution": Coefficients(1.0, 1.0, math.sqrt(2)),
    }
)


def find_coefficients(strategy: str, compound: Coefficients | None = None) -> Coefficients:
    """Coefficients of a strategy; `compound` replaces those of the paper.

    Raises:
        UserError: The strategy is unknown.
    """
    if strategy not in STRATEGIES:
        raise UserError(f"There is no strategy {strategy!r}. Choose from {', '.join(STRATEGIES)}.")
    return compound if compound and strategy == "compound" else STRATEGIES[strategy]
