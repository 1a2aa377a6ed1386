"""Networks trained by several recipes, several seeds each, and what paired seeds say about them.

An arm is one network with one recipe. Arms are compared by the differences of trainings with the
same seed, so what the seeds have in common cancels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from darts.models.registry import Model
from darts.report.tables import Row
from darts.statistics.estimates import Estimate, estimate, paired_difference

_NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One network with one recipe.

    Attributes:
        network: Name of the network in tables.
        recipe: Name of the recipe in tables.
        model: The network.
        settings: Options of the training that differ from those that all arms share.
        averaged: Whether the averaged weights are judged; None: wherever the recipe averages.
        training: Name of the training; arms of a network with the same one share it. By default
            the name of the recipe.
    """

    network: str
    recipe: str
    model: Model
    settings: Mapping[str, Any]
    averaged: bool | None = None
    training: str = ""

    def key(self, seed: int) -> str:
        """The key of its trial."""
        return f"{self.network}, {self.training or self.recipe}, seed {seed}"

    def error(self, result: Mapping[str, Any]) -> float:
        """The error (%) of this arm in the result of its trial."""
        averaged = "average_test_error" in result if self.averaged is None else self.averaged
        return float(result["average_test_error" if averaged else "test_error"])


@dataclass(frozen=True)
class Contrast:
    """Two arms, by their places among all: the error of the first minus that of the second.

    Attributes:
        title: What is compared, such as "found recipe instead of its own: resnet50".
        first: Place of the first arm.
        second: Place of the second arm.
    """

    title: str
    first: int
    second: int


@dataclass(frozen=True, kw_only=True)
class MeasuredArm:
    """An arm after its trainings.

    Attributes:
        arm: The arm.
        errors: Errors (%) by seed.
        params: Number of parameters; None if no training ended well.
        macs: Multiply-adds for one image; None likewise.
        failures: Why other trainings failed, by seed.
    """

    arm: Arm
    errors: Mapping[int, float]
    params: int | None
    macs: int | None
    failures: Mapping[int, str]

    @property
    def estimate(self) -> Estimate | None:
        """Mean error and its interval; None if no training ended well."""
        return estimate(list(self.errors.values())) if self.errors else None


@dataclass(frozen=True)
class Difference:
    """A contrast after the trainings.

    Attributes:
        title: What is compared.
        value: The difference of the errors in percentage points, over the seeds that both arms
            ended well; None if there is none.
    """

    title: str
    value: Estimate | None

    def row(self) -> Row:
        """A row of a table."""
        if self.value is None:
            return (self.title, "0", _NOTHING, _NOTHING, _NOTHING)
        one, interval = self.value, self.value.interval
        spread = _NOTHING if one.deviation is None else f"{one.deviation:.2f}"
        bounds = _NOTHING if interval is None else f"{interval.low:+.2f} to {interval.high:+.2f}"
        return (self.title, str(one.n), f"{one.mean:+.2f}", spread, bounds)


@dataclass(frozen=True, kw_only=True)
class ArmStudy:
    """All arms and their differences.

    Attributes:
        name: Name of the study.
        arms: The arms in order.
        differences: Differences of arms, paired by seed.
        judged_on: The images that errors are measured on, in words.
        training: How the networks were trained, in words.
        notes: What a reader must know beside the numbers.
    """

    name: str
    arms: tuple[MeasuredArm, ...]
    differences: tuple[Difference, ...]
    judged_on: str
    training: str
    notes: tuple[str, ...] = field(default=())

    def sentence(self) -> str:
        """The outcome in words."""
        lower: list[str] = []
        higher: list[str] = []
        unknown: list[str] = []
        for one in self.differences:
            interval = None if one.value is None else one.value.interval
            if one.value is None or interval is None or not interval.excludes_zero:
                unknown.append(one.title)
            else:
                words = f"{one.title} ({one.value.mean:+.2f} points)"
                (lower if one.value.mean < 0 else higher).append(words)
        parts = (
            ("Lower error beyond noise", lower),
            ("Higher error beyond noise", higher),
            ("Not shown to change the error", unknown),
        )
        return " ".join(f"{start}: {'; '.join(titles)}." for start, titles in parts if titles)

    def rows(self) -> list[Row]:
        """A row of text for each arm; the first is the head."""
        rows: list[Row] = [
            (
                *("network", "recipe", "n", "mean error (%)", "deviation", "95 % interval"),
                *("multiply-adds", "parameters"),
            )
        ]
        for one in self.arms:
            found = one.estimate
            costs = [_NOTHING if cost is None else f"{cost:,}" for cost in (one.macs, one.params)]
            if found is None:
                words = ["0", *[_NOTHING] * 3]
            elif found.interval is None:
                words = ["1", f"{found.mean:.2f}", _NOTHING, _NOTHING]
            else:
                bounds = f"{max(found.interval.low, 0):.2f} to {min(found.interval.high, 100):.2f}"
                words = [str(found.n), f"{found.mean:.2f}", f"{found.deviation:.2f}", bounds]
            rows.append((one.arm.network, one.arm.recipe, *words, *costs))
        return rows

    def difference_rows(self) -> list[Row]:
        """A row of text for each difference; the first is the head."""
        head = ("difference of errors", "n", "mean (points)", "deviation", "95 % interval")
        return [head, *(one.row() for one in self.differences)]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for scripts."""
        return {
            "name": self.name,
            "sentence": self.sentence(),
            "judged_on": self.judged_on,
            "training": self.training,
            "notes": list(self.notes),
            "arms": [
                {
                    "network": one.arm.network,
                    "recipe": one.arm.recipe,
                    "settings": dict(one.arm.settings),
                    "errors": {str(seed): error for seed, error in one.errors.items()},
                    "failures": {str(seed): why for seed, why in one.failures.items()},
                    "params": one.params,
                    "macs": one.macs,
                    **plain_estimate(one.estimate),
                }
                for one in self.arms
            ],
            "differences": [
                {"title": one.title, **plain_estimate(one.value)} for one in self.differences
            ],
        }


def plain_estimate(one: Estimate | None) -> dict[str, Any]:
    """An estimate as plain values; None of each if there is none."""
    if one is None:
        return {"n": 0, "mean": None, "deviation": None, "interval": None}
    interval = None if one.interval is None else one.interval.as_dict()
    return {"n": one.n, "mean": one.mean, "deviation": one.deviation, "interval": interval}


def differences_of(
    arms: Sequence[MeasuredArm], contrasts: Sequence[Contrast]
) -> tuple[Difference, ...]:
    """The difference of each contrast over the seeds that both of its arms have."""
    found = []
    for one in contrasts:
        first, second = arms[one.first].errors, arms[one.second].errors
        shared = [seed for seed in first if seed in second]
        pairs = [first[seed] for seed in shared], [second[seed] for seed in shared]
        found.append(Difference(one.title, paired_difference(*pairs) if shared else None))
    return tuple(found)
