"""Closed-form costs of networks of stages, for one network or many at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Generic

from darts.models.arrays import Number


@dataclass(frozen=True, kw_only=True)
class StagedCost(Generic[Number]):
    """Cost for one image, of one network (int) or of N networks (int64 arrays `[N]`).

    A family may add further counts to reproduce the figures that its papers publish.

    >>> cost = StagedCost(params=10, conv_macs=700, linear_macs=50, activations=64)
    >>> cost.macs
    750

    Attributes:
        params: Number of parameters.
        conv_macs: Multiply-adds of convolutions.
        linear_macs: Multiply-adds of the classifier.
        activations: Output elements of convolutions (RegNet, arXiv 2003.13678, §4).
    """

    params: Number
    conv_macs: Number
    linear_macs: Number
    activations: Number

    @property
    def macs(self) -> Number:
        """Multiply-adds of convolutions and the classifier."""
        return self.conv_macs + self.linear_macs

    @property
    def published(self) -> Mapping[str, Number]:
        """Costs by the counting rules behind the family's published figures, by name."""
        return {}

    def at(self, index: int) -> Any:
        """The cost of network `index` of N, as an object of the same class that holds ints."""
        kind: Any = type(self)
        values = {field.name: int(getattr(self, field.name)[index]) for field in fields(self)}
        return kind(**values)
