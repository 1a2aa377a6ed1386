"""Named networks beside the judged one: trained alike, several seeds each, of any cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from darts.comparing.outcome import Contender
from darts.report.fronts import FrontPoint
from darts.report.tables import Row
from darts.statistics.estimates import difference, estimate
from darts.statistics.interval import Interval

_NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class NamedJudgement:
    """The judged network beside a named one.

    Attributes:
        network: The named network.
        gap: Mean error of the judged network minus that of the named one (percentage points) with
            Welch's interval, or None where one of the two was trained once.
    """

    network: Contender
    gap: Interval | None

    def sentence(self, judged: Contender) -> str:
        """The outcome in one sentence."""
        one, other = judged.error, self.network.error
        share = judged.properties["macs"] / self.network.properties["macs"]
        cost = f"at {share:.3g} times its multiply-adds"
        texts = f"{one:.2f} % test error against {other:.2f} % of {self.network.name}, {cost}"
        if self.gap is None:
            return (
                f"{judged.name}: {texts}; whether they differ is not known from one training: use "
                "--seeds 3."
            )
        low, high = self.gap.low, self.gap.high
        verdict = (
            "is better than" if high < 0 else "is worse than" if low > 0 else "cannot be told from"
        )
        return (
            f"{judged.name} {verdict} {self.network.name}: {texts}; difference "
            f"{self.gap.middle:+.2f} points [{low:+.2f}, {high:+.2f}]."
        )

    def as_dict(self, judged: Contender) -> dict[str, Any]:
        """Plain values."""
        one = self.network
        return {
            "name": one.name,
            "errors": [float(error) for error in one.errors],
            "error": one.error,
            "deviation": one.deviation,
            "properties": dict(one.properties),
            "difference": None if self.gap is None else self.gap.as_dict(),
            "outcome": self.sentence(judged),
        }


def judge_named(judged: Contender, networks: Sequence[Contender]) -> tuple[NamedJudgement, ...]:
    """Compare the judged network with each named one."""
    return tuple(
        NamedJudgement(network=one, gap=difference(judged.errors.tolist(), one.errors.tolist()))
        for one in networks
    )


def error_bounds(one: Contender) -> tuple[float, float]:
    """95 % interval of the mean error: Student's over seeds, else of the choice of test images."""
    interval = estimate(one.errors.tolist()).interval
    if interval is not None:
        return max(0.0, interval.low), min(100.0, interval.high)
    return max(0.0, one.error - 1.96 * one.deviation), min(100.0, one.error + 1.96 * one.deviation)


def points_of(networks: Sequence[Contender]) -> list[FrontPoint]:
    """The networks as points of a plot."""
    found = []
    for one in networks:
        low, high = error_bounds(one)
        costs = dict(one.properties)
        found.append(FrontPoint(label=one.name, value=one.error, low=low, high=high, costs=costs))
    return found


def named_rows(judged: Contender, found: Sequence[NamedJudgement]) -> list[Row]:
    """A row for the judged network and each named one; the first row is the head."""
    rows: list[Row] = [
        (
            *("network", "n", "mean error (%)", "95 % interval", "deviation"),
            *("difference", "multiply-adds", "parameters", "latency (ms)"),
        )
    ]
    for one, gap in [(judged, None), *((item.network, item.gap) for item in found)]:
        low, high = error_bounds(one)
        costs = one.properties
        rows.append(
            (
                one.name,
                str(len(one.errors)),
                f"{one.error:.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{one.deviation:.2f}" if len(one.errors) > 1 else _NOTHING,
                _NOTHING if gap is None else f"{gap.middle:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}]",
                f"{costs['macs']:,.0f}",
                f"{costs['params']:,.0f}",
                f"{1e3 * costs['latency']:.2f}" if "latency" in costs else _NOTHING,
            )
        )
    return rows
