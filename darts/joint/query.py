"""Ask the predictor of a search: for the best candidates under a ceiling, or for any candidate."""

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
    """Return the predictor of a search as a score.

    Raises:
        UserError: The first round is not finished.
    """
    if record.predictor is None or record.stop_epoch is None:
        raise UserError(
            f"{record.path} has no predictor yet, because its first round is not finished. "
            f"Continue it: python -m darts joint search --resume {record.path}."
        )
    return Scorer(record.problem, record.predictor)


def evolve_record(record: SearchRecord, limits: Limits, seed: int) -> Evolved:
    """Search the candidates within `limits` that have the highest predicted accuracy.

    The first generation contains the best candidates that were trained.

    Args:
        record: A search with at least one finished round.
        limits: Limits on the costs.
        seed: Seed of the evolution.

    Raises:
        UserError: There is no predictor yet, or no candidate is within the limits.
    """
    return evolve_seeded(record.problem, scorer_of(record), limits, trained_genes(record), seed)


def trained_genes(record: SearchRecord) -> Floats:
    """Genes `[N, variables]` of the trained candidates, the most accurate first.

    Raises:
        UserError: There is no predictor yet.
    """
    scorer_of(record)
    assert record.stop_epoch is not None
    return best_first(record.rounds, record.stop_epoch)


def best_candidate(record: SearchRecord) -> dict[str, Any]:
    """The sampled values of the most accurate candidate that was trained.

    Raises:
        UserError: There is no predictor yet.
    """
    return record.problem.space.rows(trained_genes(record)[:1])[0]
