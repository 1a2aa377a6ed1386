"""Quasi-random candidates of a space (the QMC sampling of FBNetV3, arXiv 2006.02049, §4)."""

from __future__ import annotations

from collections.abc import Iterator

from scipy.stats import qmc

from darts.joint.space import Space
from darts.joint.variables import Floats

BLOCK = 4096


def quasi_random(space: Space, seed: int) -> Iterator[Floats]:
    """Yield blocks of genes `[n, variables]` from a scrambled Sobol sequence, without end.

    Low-discrepancy points cover every face of the space evenly. Of each `BLOCK` points only the
    ones that fulfil the constraints of the space are kept.
    """
    sobol = qmc.Sobol(len(space), scramble=True, seed=seed)
    while True:
        genes = space.draw(sobol.random(BLOCK))
        yield genes[space.valid(genes)]
