"""How good the best of m random networks is: the efficiency of random search (RegNet, Fig. 9).

Of N trained networks with errors e_(1) ≤ … ≤ e_(N), m are sampled without replacement. Their best
one is the i-th with the probability

    p_i(m) = C(N - i, m - 1) / C(N, m)

so mean and quantiles of the best error are exact sums; nothing is resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import ArrayLike
from scipy.special import gammaln

from darts.models.arrays import FloatArray
from darts.report.frame import dress
from darts.report.style import CURVES, INK, plain_text
from darts.report.tables import Row
from darts.statistics.interval import CONFIDENCE, Interval

_SHOWN = (1, 2, 4, 8, 16, 25, 32, 64, 128, 256)


@dataclass(frozen=True)
class BestOf:
    """The best of m networks of a population.

    Attributes:
        m: Number of networks.
        error: Mean error (%) of the best one, and the bounds between which it lies in 95 % of the
            samples.
    """

    m: int
    error: Interval

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"m": self.m, **self.error.as_dict()}


def best_probabilities(networks: int, m: int) -> FloatArray:
    """p_i(m) for i = 1 … N, `[N]`.

    >>> best_probabilities(3, 2).round(4).tolist()
    [0.6667, 0.3333, 0.0]
    """
    ranks = np.arange(1, networks + 1)
    possible = ranks <= networks - m + 1
    worse = np.where(possible, networks - ranks, m - 1)
    logs = _log_binomial(worse, m - 1) - _log_binomial(np.array(networks), m)
    return np.where(possible, np.exp(logs), 0.0)


def best_of(errors: ArrayLike, m: int, confidence: float = CONFIDENCE) -> BestOf:
    """Mean and band of the best error among m of the networks with these errors.

    >>> found = best_of([3.0, 1.0, 2.0], 2)
    >>> round(found.error.middle, 4), found.error.low, found.error.high
    (1.3333, 1.0, 2.0)

    Raises:
        ValueError: m is not from 1 to the number of networks.
    """
    known = np.sort(np.asarray(errors, np.float64))
    if not 1 <= m <= len(known):
        raise ValueError(f"m is from 1 to {len(known)}, not {m}.")
    shares = best_probabilities(len(known), m)
    # Probabilities that end in rounding must not push a quantile beyond the last network.
    sums = np.minimum(np.cumsum(shares), 1.0)
    tail = (1 - confidence) / 2
    last = len(known) - 1
    low, high = (
        float(known[min(last, int(np.searchsorted(sums, share - 1e-12)))])
        for share in (tail, 1 - tail)
    )
    return BestOf(m, Interval(low, float(shares @ known), high))


def best_of_curve(errors: ArrayLike) -> tuple[BestOf, ...]:
    """The best of 1, 2, 4 … networks, up to half of them.

    With more, the samples are nearly the population itself and the band is too narrow.
    """
    known = np.asarray(errors, np.float64)
    most = max(1, len(known) // 2)
    numbers = sorted({one for one in _SHOWN if one <= most} | {most})
    return tuple(best_of(known, m) for m in numbers)


def best_of_rows(curves: Sequence[tuple[str, Sequence[BestOf]]]) -> list[Row]:
    """A row for each m, a column for each population; the first row is the head."""
    numbers = sorted({one.m for _, curve in curves for one in curve})
    rows: list[Row] = [("m", *(name for name, _ in curves))]
    for m in numbers:
        cells = []
        for _, curve in curves:
            found = [one.error for one in curve if one.m == m]
            cells.append(
                f"{found[0].middle:.2f} [{found[0].low:.2f}, {found[0].high:.2f}]" if found else "–"
            )
        rows.append((str(m), *cells))
    return rows


def plot_best_of(curves: Sequence[tuple[str, Sequence[BestOf]]]) -> Figure:
    """Plot the mean best error against m, with bands."""
    figure = Figure(figsize=(6.2, 3.8 + 0.22 * len(curves)), layout="constrained")
    axes = figure.add_subplot()
    for number, (name, curve) in enumerate(curves):
        colour = CURVES[number % len(CURVES)]
        m = [one.m for one in curve]
        axes.fill_between(
            m,
            [one.error.low for one in curve],
            [one.error.high for one in curve],
            color=colour,
            alpha=0.14,
            linewidth=0,
        )
        middles = [one.error.middle for one in curve]
        axes.plot(m, middles, color=colour, linewidth=2, marker="o", markersize=4,
                  label=plain_text(name))  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(LogLocator(base=2))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    dress(axes)
    axes.set(xlabel="random networks m", ylabel="error of the best of m (%)")
    figure.legend(loc="outside lower left", frameon=False, labelcolor=INK, fontsize=9)
    return figure


def _log_binomial(n: FloatArray, k: int) -> FloatArray:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0), np.float64)
