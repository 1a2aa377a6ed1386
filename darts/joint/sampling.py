"""Quasi-random candidates of a space (the QMC sampling of FBNetV3, arXiv 2006.02049, §4)."""

from __future__ import annotations

from collections.abc import Iterator

from scipy.stats import qmc

from darts.joint.space import Space
from darts.joint.variables import Floats

POINTS_PER_BLOCK = 4096
"""Points of the sequence in each block, before constraints."""


def quasi_random(space: Space, seed: int) -> Iterator[Floats]:
    """Yield blocks of genes `[n, variables]` from an endless scrambled Sobol sequence.

    The points have low discrepancy, so they cover every projection of the space evenly. Points that
    violate the constraints of the space are dropped.

    >>> from darts.joint.space_file import find_joint_space
    >>> next(quasi_random(find_joint_space("recipe-small"), seed=0)).shape
    (4096, 8)
    """
    sobol = qmc.Sobol(len(space), scramble=True, seed=seed)
    while True:
        genes = space.draw(sobol.random(POINTS_PER_BLOCK))
        yield genes[space.valid(genes)]
