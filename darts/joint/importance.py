"""How strongly the predictions depend on each variable."""

from __future__ import annotations

import numpy as np

from darts.joint.evolution import Score
from darts.joint.variables import Floats


def permutation_importance(
    score: Score, genes: Floats, generator: np.random.Generator, repeats: int = 5
) -> Floats:
    """Root mean square change of the scores when the genes of one variable are shuffled.

        importance_v = sqrt(mean over repeats and candidates of (score(shuffled_v) - score)²)

    It measures what the predictor uses, not what matters for the true accuracy: a predictor that
    ranks poorly relies on noise. After Breiman (Random forests, 2001), with the change of the
    prediction instead of the change of the error.

    >>> genes = np.array([[0.0, 1.0], [1.0, 1.0]])
    >>> permutation_importance(lambda g: g[:, 1], genes, np.random.default_rng(0))
    array([0., 0.])

    Args:
        score: The function under study.
        genes: Candidates `[N, variables]`.
        generator: Random stream of the permutations.
        repeats: Permutations of each variable.

    Returns:
        Importances `[variables]`.
    """
    before = score(genes)
    squares = np.zeros(genes.shape[1])
    for variable in range(genes.shape[1]):
        for _ in range(repeats):
            shuffled = genes.copy()
            shuffled[:, variable] = generator.permutation(genes[:, variable])
            squares[variable] += ((score(shuffled) - before) ** 2).mean() / repeats
    return np.sqrt(squares)
