"""How much a predictor's answer hangs on each variable."""

from __future__ import annotations

import numpy as np

from darts.joint.evolution import Score
from darts.joint.variables import Floats


def permutation_importance(
    score: Score, genes: Floats, generator: np.random.Generator, repeats: int = 5
) -> Floats:
    """Root mean square change of scores when one variable's genes are shuffled, [variables].

    It says what the predictor attends to among candidates [N, variables], not what matters in
    truth: a predictor that ranks poorly attends to noise.
    """
    before = score(genes)
    squares = np.zeros(genes.shape[1])
    for variable in range(genes.shape[1]):
        for _ in range(repeats):
            shuffled = genes.copy()
            shuffled[:, variable] = generator.permutation(genes[:, variable])
            squares[variable] += ((score(shuffled) - before) ** 2).mean() / repeats
    return np.sqrt(squares)
