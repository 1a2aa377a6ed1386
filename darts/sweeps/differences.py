"""Differences between configurations and a reference, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from darts.errors import UserError
from darts.statistics.estimates import difference, paired_difference
from darts.statistics.interval import Interval
from darts.statistics.significance import holm, independent_p, paired_p
from darts.sweeps.options import CONTROL

_LEVEL = 0.05


@dataclass(frozen=True)
class SweepDifference:
    """The mean accuracy of a configuration minus that of the reference.

    Attributes:
        label: The configuration.
        reference: The reference.
        paired: Whether both have the same seeds and are compared seed by seed; random cells have
            no seeds.
        n: Number of pairs; of independent values the smaller number.
        mean: The difference in points; None where nothing is to compare.
        interval: Its Student or Welch interval; None for fewer than two values.
        p: p-value of the test with the same assumptions; None where there is none.
        adjusted: The p-value after Holm's correction for all differences of the sweep.
    """

    label: str
    reference: str
    paired: bool
    n: int
    mean: float | None
    interval: Interval | None
    p: float | None
    adjusted: float | None = None

    @property
    def verdict(self) -> str:
        """The difference in words."""
        if self.mean is None:
            return "nothing to compare yet"
        if self.interval is None:
            return "one value: chance is not known"
        if self.p is None:
            return "equal in every seed" if self.mean == 0 else "the same difference in every seed"
        if self.adjusted is not None and self.adjusted < _LEVEL:
            return "higher" if self.mean > 0 else "lower"
        return "no difference shown"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "label": self.label,
            "reference": self.reference,
            "paired": self.paired,
            "n": self.n,
            "mean": self.mean,
            "interval": None if self.interval is None else self.interval.as_dict(),
            "p": self.p,
            "p_holm": self.adjusted,
            "verdict": self.verdict,
        }


def check_reference(labels: Sequence[str], reference: str | None) -> None:
    """Check that the reference is a configuration of the sweep, if one is given.

    Raises:
        UserError: It is none.
    """
    if reference is not None and reference not in labels:
        raise UserError(
            f"--reference {reference}: the sweep has the configurations {'; '.join(labels)}."
        )


def differences(
    accuracies: Mapping[str, Mapping[int, float]], reference: str | None = None
) -> tuple[SweepDifference, ...]:
    """Every other configuration minus the reference.

    >>> two, = differences({"a": {0: 90.0, 1: 91.0}, "b": {0: 92.0, 1: 92.5, 2: 99.0}})
    >>> two.label, two.n, two.mean, two.verdict
    ('b', 2, 1.75, 'no difference shown')

    Args:
        accuracies: By label and seed.
        reference: A label; by default the first.

    Raises:
        UserError: There is no such label.
    """
    labels = list(accuracies)
    check_reference(labels, reference)
    chosen = labels[0] if reference is None else reference
    found = [_difference(accuracies, label, chosen) for label in labels if label != chosen]
    adjusted = iter(holm([one.p for one in found if one.p is not None]))
    return tuple(one if one.p is None else replace(one, adjusted=next(adjusted)) for one in found)


def _difference(
    accuracies: Mapping[str, Mapping[int, float]], label: str, reference: str
) -> SweepDifference:
    first, second = accuracies[label], accuracies[reference]
    if CONTROL in (label, reference):
        values = list(first.values()), list(second.values())
        n = min(map(len, values))
        mean = None if n == 0 else sum(values[0]) / len(values[0]) - sum(values[1]) / len(values[1])
        found = difference(*values)
        return SweepDifference(label, reference, False, n, mean, found, independent_p(*values))
    common = sorted(set(first) & set(second))
    if not common:
        return SweepDifference(label, reference, True, 0, None, None, None)
    pairs = [first[seed] for seed in common], [second[seed] for seed in common]
    known = paired_difference(*pairs)
    return SweepDifference(
        label, reference, True, known.n, known.mean, known.interval, paired_p(*pairs)
    )
