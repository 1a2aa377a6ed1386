"""How far retrainings of one cell scatter beside the cells, and whether supernets rank them alike.

Two questions about a sweep with `--retrain`: are the cells of different searches different at all,
or is it the noise of single trainings (PC-DARTS, Table 4); and does the accuracy of a supernet say
which cell is good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from darts.statistics.components import Components, components
from darts.statistics.ranks import RankCorrelation, correlate_ranks
from darts.sweeps.measure import SweptCell
from darts.sweeps.options import CONTROL
from darts.sweeps.sweep_outcome import SweepOutcome

# With fewer searches, the bootstrap interval of a rank correlation says nothing.
_FEWEST = 5
ALL = "all searches"


def components_of_sweep(outcome: SweepOutcome) -> dict[str, Components]:
    """Deviation within and between searches, by configuration; those with two cells or more."""
    found = {}
    for label, one in outcome.configurations.items():
        groups = [cell.retrained for cell in one.cells if cell.retrained]
        if len(groups) > 1:
            found[label] = components(groups)
    return found


def supernet_ranks(outcome: SweepOutcome) -> dict[str, RankCorrelation]:
    """Rank correlation of supernet and retrained accuracy, by configuration and for all searches.

    Only sets of five or more searches have one. Supernets of different configurations, such as
    K = 1 and 4, may differ in accuracy for other reasons than their cells.
    """
    if outcome.judge != "retrain":
        return {}
    generator = np.random.default_rng(0)
    searched = [one for label, one in outcome.configurations.items() if label != CONTROL]
    groups = {one.label: one.cells for one in searched}
    if len(searched) > 1:
        groups[ALL] = tuple(cell for one in searched for cell in one.cells)
    found = {}
    for label, cells in groups.items():
        known = _known(cells)
        if len(known) >= _FEWEST:
            supernets, retrained = zip(*known, strict=True)
            found[label] = correlate_ranks(supernets, retrained, generator)
    return found


def noise_lines(outcome: SweepOutcome) -> list[str]:
    """Both answers, in sentences."""
    lines = []
    for label, one in components_of_sweep(outcome).items():
        if one.within is None:
            continue
        between = "" if one.between is None else f", different cells by {one.between:.2f}"
        p_value = "" if one.p_value is None else f" (F test: p = {one.p_value:.2g})"
        within = f"retrainings of one cell deviate by {one.within:.2f} points"
        lines.append(f"{label}: {within}{between}{p_value}.")
    for label, ranks in supernet_ranks(outcome).items():
        if ranks.spearman is None:
            continue
        low, high = ranks.spearman.low, ranks.spearman.high
        lines.append(
            f"{label}: supernet and retrained accuracy correlate in rank with "
            f"{ranks.spearman.middle:.2f} [{low:.2f}, {high:.2f}] (Spearman, n = {ranks.n})."
        )
    return lines


def noise_values(outcome: SweepOutcome) -> dict[str, Any]:
    """Both answers as plain values, for `sweep.json`; none unless retrainings judge the cells."""
    if outcome.judge != "retrain":
        return {}
    return {
        "retrainings": {
            label: one.as_dict() for label, one in components_of_sweep(outcome).items()
        },
        "supernet_ranks": {
            label: {
                "n": one.n,
                "spearman": None if one.spearman is None else one.spearman.as_dict(),
                "kendall": None if one.kendall is None else one.kendall.as_dict(),
            }
            for label, one in supernet_ranks(outcome).items()
        },
    }


def _known(cells: Sequence[SweptCell]) -> list[tuple[float, float]]:
    """(supernet, retrained) accuracy of the cells that have both."""
    return [
        (one.supernet, one.accuracy)
        for one in cells
        if one.supernet is not None and one.accuracy is not None
    ]
