"""Ask the predictor of a search: for the best candidates under a ceiling, or for any candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from darts.errors import UserError
from darts.joint.costs import Limits
from darts.joint.directory import SearchRecord
from darts.joint.evolution import Evolved, evolve_seeded
from darts.joint.iterate import best_first
from darts.joint.predictor import Scorer
from darts.joint.variables import Floats
from darts.settings.quantities import parse_millions


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


@dataclass(frozen=True)
class TradeOff:
    """Accuracy and cost as one score: accuracy · (multiply-adds / target) ** exponent.

    Source: MnasNet (arXiv 1807.11626, eq. 2) and EfficientNet (arXiv 1905.11946, §4), which uses
    the exponent -0.07 and multiply-adds: a candidate of twice the cost must be 5 % better,
    relatively.

    >>> round(float(TradeOff(target=400e6).factor(np.array([800e6]))[0]), 3)
    0.953

    Attributes:
        target: Multiply-adds at which the score is the accuracy.
        exponent: Negative: cost lowers the score.
    """

    target: float
    exponent: float = -0.07

    def factor(self, macs: Floats) -> Floats:
        """What accuracies are multiplied by, for multiply-adds `[N]`."""
        return (macs / self.target) ** self.exponent


def trade_off_of(target: str | float | None, exponent: float) -> TradeOff | None:
    """The trade-off of `--target-macs` and `--cost-exponent`; None without a target.

    Raises:
        UserError: The target is no amount.
    """
    if target is None:
        return None
    return TradeOff(1e6 * parse_millions(target, "--target-macs"), exponent)


def evolve_record(
    record: SearchRecord, limits: Limits, seed: int, trade_off: TradeOff | None = None
) -> Evolved:
    """Search the candidates within `limits` that have the highest predicted accuracy.

    The first generation contains the best candidates that were trained.

    Args:
        record: A search with at least one finished round.
        limits: Limits on the costs.
        seed: Seed of the evolution.
        trade_off: Makes the score one of accuracy and cost; the scores of the result are then its.

    Raises:
        UserError: There is no predictor yet, or no candidate is within the limits.
    """
    accuracy, problem = scorer_of(record), record.problem

    def score(genes: Floats) -> Floats:
        found = accuracy(genes)
        if trade_off is None:
            return found
        macs = problem.costs(genes).macs
        # Candidates that cannot be built have infinite costs.
        return np.where(np.isfinite(macs), found * trade_off.factor(macs), 0.0)

    return evolve_seeded(problem, score, limits, trained_genes(record), seed)


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
