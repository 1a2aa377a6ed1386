"""What a finished search can still be asked: any ceiling, any candidate."""

from __future__ import annotations

from typing import Any

import numpy as np

from darts.errors import UserError
from darts.joint.directory import SearchRecord
from darts.joint.evolution import Evolved, evolve
from darts.joint.iterate import measured
from darts.joint.networks.costs import Limits
from darts.joint.predictor import Scorer
from darts.joint.variables import FloatArray
from darts.system.randomness import stream_seed


def scorer_of(record: SearchRecord) -> Scorer:
    """The search's predictor.

    Raises:
        UserError: No round is done yet.
    """
    if record.predictor is None or record.stop_epoch is None:
        raise UserError(
            f"{record.path} has no predictor yet: its first round is not done. Go on with "
            f"--resume {record.path}."
        )
    return Scorer(record.problem, record.predictor)


def evolve_record(record: SearchRecord, limits: Limits, seed: int) -> Evolved:
    """The best predicted candidates within `limits`, beginning with the best that were trained.

    Raises:
        UserError: There is no predictor yet, or no candidate within the limits.
    """
    generator = np.random.default_rng(stream_seed(seed, "evolution"))
    known = best_first(record)
    return evolve(record.problem, scorer_of(record), limits, generator, known=known, seed=seed + 1)


def best_first(record: SearchRecord) -> FloatArray:
    """Genes of the trained candidates, the most accurate first."""
    scorer_of(record)
    assert record.stop_epoch is not None
    genes, accuracies = measured(record.rounds, record.stop_epoch)
    return genes[np.argsort(-accuracies, kind="stable")]


def best_candidate(record: SearchRecord) -> dict[str, Any]:
    """The variables of the most accurate candidate that was trained."""
    return record.problem.space.rows(best_first(record)[:1])[0]
