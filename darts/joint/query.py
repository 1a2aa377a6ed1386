"""What a finished search can still be asked: any ceiling, any candidate."""

from __future__ import annotations

from typing import Any

from darts.errors import UserError
from darts.joint.costs import Limits
from darts.joint.directory import SearchRecord
from darts.joint.evolution import Evolved, evolve_seeded
from darts.joint.iterate import best_first
from darts.joint.predictor import Scorer
from darts.joint.variables import Floats


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
    return evolve_seeded(record.problem, scorer_of(record), limits, trained_genes(record), seed)


def trained_genes(record: SearchRecord) -> Floats:
    """Genes of the trained candidates, the most accurate first.

    Raises:
        UserError: There is no predictor yet.
    """
    scorer_of(record)
    assert record.stop_epoch is not None
    return best_first(record.rounds, record.stop_epoch)


def best_candidate(record: SearchRecord) -> dict[str, Any]:
    """The variables of the most accurate candidate that was trained."""
    return record.problem.space.rows(trained_genes(record)[:1])[0]
