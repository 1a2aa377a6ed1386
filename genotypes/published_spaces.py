"""The published search spaces besides those of `genotypes.search_space`.

Sources: S1 to S4 of Zela et al., "Understanding and robustifying differentiable architecture
search" (arXiv 1909.09656, §3), with the candidates of the authors' code (automl/RobustDARTS,
src/spaces.py); NAS-Bench-201 of Dong and Yang (arXiv 2001.00326, §2).
"""

from __future__ import annotations

from dataclasses import replace

from genotypes.search_space import DARTS, SKIP_CONNECT, Place, SearchSpace

_SHORT = {
    "mp": "max_pool_3x3",
    "ap": "avg_pool_3x3",
    "sk": "skip_connect",
    "s3": "sep_conv_3x3",
    "d3": "dil_conv_3x3",
    "d5": "dil_conv_5x5",
}
_DARTS_EDGES = [(source, target) for target in range(2, 6) for source in range(target)]


def _pairs(kind: str, text: str) -> dict[Place, tuple[str, ...]]:
    """The candidates of all 14 edges in order, in short form."""
    return {
        (kind, source, target): tuple(_SHORT[name] for name in names.split("+"))
        for (source, target), names in zip(_DARTS_EDGES, text.split(), strict=True)
    }


S1 = SearchSpace(
    name="s1",
    about="Two candidates for each edge of DARTS, found by a search.",
    operations=tuple(_SHORT.values()),
    zero=None,
    restricted=_pairs(
        "normal",
        "sk+d3 sk+d5  sk+d5 sk+s3 sk+d3  mp+sk sk+s3 sk+s3 sk+d3  sk+s3 mp+sk sk+d3 d3+d5 d3+d5",
    )
    | _pairs(
        "reduce",
        "mp+ap mp+d3  mp+ap mp+ap sk+d5  mp+ap mp+s3 sk+d3 sk+d5  mp+ap mp+ap sk+d5 sk+d5 sk+d5",
    ),
    nodes=4,
)
"""S1: two candidates for each edge."""

S2 = SearchSpace(
    name="s2",
    about="Skip connection and separable convolution on every edge of DARTS.",
    operations=("skip_connect", "sep_conv_3x3"),
    zero=None,
)
"""S2: skip connection or separable convolution."""

S3 = SearchSpace(
    name="s3",
    about="S2 and the absent edge.",
    operations=("none", "skip_connect", "sep_conv_3x3"),
)
"""S3: S2 and the absent edge."""

S4 = SearchSpace(
    name="s4",
    about="Noise and separable convolution on every edge of DARTS.",
    operations=("noise", "sep_conv_3x3"),
    zero=None,
)
"""S4: noise or separable convolution; a sound search avoids noise."""

DARTS_NO_POOLS = SearchSpace(
    name="darts-no-pools",
    about="DARTS without poolings.",
    operations=tuple(name for name in DARTS.operations if "pool" not in name),
)
"""DARTS without poolings."""

DARTS_NO_SKIP = SearchSpace(
    name="darts-no-skip",
    about="DARTS without skip connections (DARTS-Bench-Suite).",
    operations=tuple(name for name in DARTS.operations if name != SKIP_CONNECT),
)
"""DARTS without skip connections (arXiv 2507.16533)."""

DARTS_NO_NONE = SearchSpace(
    name="darts-no-none",
    about="DARTS without the absent edge.",
    operations=tuple(name for name in DARTS.operations if name != DARTS.zero),
    zero=None,
)
"""DARTS without the absent edge."""

DARTS_SPARSE = replace(
    DARTS_NO_NONE,
    name="darts-sparse",
    about="DARTS without the absent edge, where a node may keep a single edge (FairDARTS).",
    least=1,
)
"""The space of FairDARTS: a node keeps one or two edges."""

NASBENCH201 = SearchSpace(
    name="nasbench201",
    about="NAS-Bench-201: one operation on each of six edges, a network of three stages.",
    operations=("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
    zero=None,
    inputs=1,
    nodes=3,
    kept=None,
    output="last",
    kinds=("normal",),
    stack="stages",
    normalised_pools=False,
)
"""NAS-Bench-201: every edge keeps one operation, and `none` is one of the operations."""
