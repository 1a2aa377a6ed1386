"""How far numbers of one form may be from those of another form that should compute the same.

Two forms round differently, and how much that matters depends on the network, the images and the
precision. So the plain engine itself says what to expect: R are its numbers in a higher precision,
P those in the precision of the run, once for the batch as it is and once for the images in another
order. A tensor X is right if

    ||X - R||  <=  FACTOR · max(n, m · ||R||)  +  floor · (||R|| + r)

Here n is the largest ||P - R|| of this tensor, and m the median of n / ||R|| over all tensors of
its kind, because a single tensor may be lucky. r is the root mean square of ||R|| over all tensors
of its kind: small tensors are sums of large terms that cancel.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

Quantities = Mapping[str, Mapping[str, Tensor]]
"""By kind, such as "gradient of the weights", and name: tensors that should be equal."""

FACTOR = 4.0
"""How many times as far from the truth as the plain engine a form may be."""

FLOORS = {"fp64": 1e-10, "fp32": 3e-6, "bf16": 4e-3}
"""By precision: the part of a tensor's norm that may always differ."""


@dataclass(frozen=True)
class Deviation:
    """The tensor of a kind that is furthest from where it should be.

    Attributes:
        kind: What it is, such as "gradient of the weights".
        name: Which of them.
        found: Its distance from the truth, relative to its norm.
        allowed: The largest distance that rounding explains, in the same unit.
    """

    kind: str
    name: str
    found: float
    allowed: float

    @property
    def wrong(self) -> bool:
        """Whether rounding does not explain the distance; so it is for NaN."""
        return not self.found <= self.allowed

    @property
    def ratio(self) -> float:
        """Distance in units of what is allowed."""
        return self.found / self.allowed if self.allowed else math.inf if self.found else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "wrong": self.wrong}

    def __str__(self) -> str:
        where = f" ({self.name})" if self.name else ""
        return f"{self.kind}{where} by {self.found:.1e}, at most {self.allowed:.1e} was expected"


def deviations(
    given: Quantities,
    truth: Quantities,
    plain: Sequence[Quantities],
    floors: Mapping[str, float] | float,
) -> list[Deviation]:
    """The largest deviation of each kind.

    >>> import torch
    >>> def of(value): return {"loss": {"": torch.tensor(value)}}
    >>> [one] = deviations(of(1.1), of(1.0), [of(1.01)], 1e-6)
    >>> round(one.found, 3), round(one.allowed, 3), one.wrong
    (0.1, 0.04, True)

    Args:
        given: The numbers to judge, X.
        truth: The numbers in a higher precision, R.
        plain: The numbers of the plain engine in the precision of the run, P.
        floors: What may always differ, relative to the norm, for all kinds or by kind.
    """
    return [
        _largest(
            kind,
            given[kind],
            tensors,
            [one[kind] for one in plain],
            floors if isinstance(floors, float) else floors[kind],
        )
        for kind, tensors in truth.items()
        if tensors
    ]


def _largest(
    kind: str,
    given: Mapping[str, Tensor],
    truth: Mapping[str, Tensor],
    plain: Sequence[Mapping[str, Tensor]],
    floor: float,
) -> Deviation:
    norms = {name: _norm(value) for name, value in truth.items()}
    typical = math.sqrt(sum(norm**2 for norm in norms.values()) / len(norms))
    noises = {
        name: max((_norm(one[name], right) for one in plain), default=0.0)
        for name, right in truth.items()
    }
    usual = statistics.median(
        [noises[name] / norm if norm else 0.0 for name, norm in norms.items()]
    )
    found = []
    for name, right in truth.items():
        noise = max(noises[name], usual * norms[name])
        allowed = FACTOR * noise + floor * (norms[name] + typical)
        unit = norms[name] or typical or 1.0
        found.append(Deviation(kind, name, _norm(given[name], right) / unit, allowed / unit))
    return max(found, key=lambda one: math.inf if math.isnan(one.found) else one.ratio)


def _norm(one: Tensor, other: Tensor | None = None) -> float:
    """The norm of a tensor, or of the difference of two, in float64."""
    value = one.double() if other is None else one.double() - other.double()
    return value.norm().item()
