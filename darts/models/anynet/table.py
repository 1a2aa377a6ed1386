"""Many AnyNets as arrays, for sampling and for costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from darts.models.anynet.config import AnyNetConfig, AnyNetStem, Block, Stage
from darts.models.arrays import FloatArray, IntArray

# Columns of a table and the fields of `Stage` in them.
_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "depths": "depth",
        "widths": "width",
        "strides": "stride",
        "bottlenecks": "bottleneck",
        "group_widths": "group_width",
        "se_ratios": "se_ratio",
    }
)


@dataclass(frozen=True, kw_only=True)
class AnyNetTable:
    """N AnyNets with the same block and stem; all arrays are `[N, stages]`.

    Attributes:
        depths, widths, strides, bottlenecks, group_widths, se_ratios: See `Stage`.
        block, stem, stem_width: See `AnyNetConfig`.
    """

    depths: IntArray
    widths: IntArray
    strides: IntArray
    bottlenecks: FloatArray
    group_widths: IntArray
    se_ratios: FloatArray
    block: Block = "x"
    stem: AnyNetStem = "simple"
    stem_width: int = 32

    @classmethod
    def from_config(cls, config: AnyNetConfig) -> AnyNetTable:
        """The table of one network."""
        columns: dict[str, Any] = {
            column: np.array([[getattr(stage, name) for stage in config.stages]])
            for column, name in _COLUMNS.items()
        }
        return cls(**columns, block=config.block, stem=config.stem, stem_width=config.stem_width)

    def __len__(self) -> int:
        return len(self.widths)

    @property
    def stages(self) -> int:
        """Number of stages."""
        return self.widths.shape[1]

    def config(self, index: int) -> AnyNetConfig:
        """One network of the table."""
        columns = (getattr(self, column)[index].tolist() for column in _COLUMNS)
        stages = (
            Stage(**dict(zip(_COLUMNS.values(), values, strict=True)))
            for values in zip(*columns, strict=True)
        )
        return AnyNetConfig(
            stages=tuple(stages), block=self.block, stem=self.stem, stem_width=self.stem_width
        )
