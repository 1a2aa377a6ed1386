"""The search spaces: which operations a genotype may name. Torch-free.

Sources: DARTS (arXiv 1806.09055) and PC-DARTS (arXiv 1907.05737) for `darts`; `nasnet` adds the two
operations that only the published NASNet and AmoebaNet cells use.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NONE = "none"
"""The absent edge: a candidate in the supernet's softmax, never part of a genotype."""

_DARTS = (
    NONE,
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)

SPACES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"darts": _DARTS, "nasnet": (*_DARTS, "sep_conv_7x7", "conv_7x1_1x7")}
)
"""Operation names of each space, in the order of alpha's columns."""
