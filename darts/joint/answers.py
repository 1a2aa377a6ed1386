"""The best candidate under a ceiling, with its recipe as a file."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darts.joint.costs import Limits
from darts.joint.directory import SearchRecord
from darts.joint.query import TradeOff, evolve_record, scorer_of
from darts.joint.recipe_file import write_recipe


@dataclass(frozen=True, kw_only=True)
class EvolvedCandidate:
    """The best candidate that the predictor of a search knows within limits.

    Attributes:
        values: Its variables.
        accuracy: Predicted accuracy (%) on the held-out images.
        macs: Multiply-adds for one image.
        params: Number of parameters.
        seconds: Time of the evolution.
        recipe: File that `evaluate.py --config` takes.
    """

    values: Mapping[str, Any]
    accuracy: float
    macs: int
    params: int
    seconds: float
    recipe: Path


def cost_words(macs: float, params: float) -> str:
    """Costs in words.

    >>> cost_words(2.35e6, 59514)
    '2.4 M multiply-adds, 0.060 M parameters'
    """
    return f"{macs / 1e6:.1f} M multiply-adds, {params / 1e6:.3f} M parameters"


def evolve_within(
    record: SearchRecord, limits: Limits, seed: int, trade_off: TradeOff | None = None
) -> EvolvedCandidate:
    """Find the best candidate within limits and write its recipe into `evolved/` of the search.

    Raises:
        UserError: There is no predictor yet, or no candidate is within the limits.
    """
    begun = time.perf_counter()
    evolved = evolve_record(record, limits, seed, trade_off)
    seconds = time.perf_counter() - begun
    name = "unlimited" if math.isinf(limits.max_macs) else f"macs-{limits.max_macs / 1e6:g}M"
    if trade_off is not None:
        name += f"-target-{trade_off.target / 1e6:g}M"
        if trade_off.exponent != TradeOff.exponent:
            name += f"-exponent{trade_off.exponent:g}"
    path = record.path / "evolved" / f"{name}.yaml"
    genes, costs = evolved.genes[:1], evolved.costs
    accuracy, macs, params = scorer_of(record)(genes)[0], costs.macs[0], costs.params[0]
    comment = f"Predicted: {accuracy:.2f} % (held-out images), {cost_words(macs, params)}"
    write_recipe(record.problem.candidate(genes[0]), record.config, path, comment)
    return EvolvedCandidate(
        values=record.problem.space.rows(genes)[0],
        accuracy=float(accuracy),
        macs=int(macs),
        params=int(params),
        seconds=seconds,
        recipe=path,
    )
