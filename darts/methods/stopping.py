"""Stopping rules: when a search ends before its last epoch, and whose epoch's cell it returns.

A rule sees one mapping per finished epoch with what was measured in it. Measures by name:

    eigenvalue    dominant eigenvalue of the validation loss in alpha (darts.methods.eigenvalue)
    normal_skips  skip connections in the normal cell that the epoch's alphas describe
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar, NamedTuple, Protocol

EIGENVALUE = "eigenvalue"
NORMAL_SKIPS = "normal_skips"

History = Sequence[Mapping[str, Any]]
"""The measures of each finished epoch; an epoch need not have all of them."""


class Stop(NamedTuple):
    """The decision to end a search.

    Attributes:
        reason: Why, as a sentence.
        epoch: The epoch, from 0, whose cell is the result.
    """

    reason: str
    epoch: int


class Stopping(Protocol):
    """Decides after each epoch whether a search ends.

    Attributes:
        measures: Names of the measures that it reads.
    """

    @property
    def measures(self) -> tuple[str, ...]: ...

    def due(self, epoch: int) -> bool:
        """Whether the measures of an epoch are needed."""

    def __call__(self, history: History, epochs: int) -> Stop | None:
        """The decision after the epoch `len(history) - 1`.

        Args:
            history: The measures of all epochs so far.
            epochs: Number of epochs of the whole search. A search ends with its last epoch anyway,
                so that epoch decides nothing.
        """


@dataclass(frozen=True)
class EigenvalueRule:
    """Stops when the smoothed dominant eigenvalue rises too fast (RobustDARTS, early stopping).

        a_i = mean of the last `window` eigenvalues up to measurement i; from the third one on
        stop if  a_i / a_(i - delta) > factor

    a_i belongs to the epoch in the middle of its window. The cell of the epoch that a_(i - delta)
    belongs to is the result, if that epoch is `start` or later.

    Source: Zela et al. 2020 (arXiv 1909.09656, §4.2), with the numbers of the authors' code. (The
    paper stops where a_(i - 5) / a_i < 0.75.)

    >>> rising = [{"eigenvalue": 0.2 * 1.1**epoch} if epoch % 2 == 0 else {} for epoch in range(23)]
    >>> EigenvalueRule()(rising[:22], epochs=50), EigenvalueRule()(rising, epochs=50).epoch
    (None, 10)

    Attributes:
        every: Number of epochs from one measurement of the eigenvalue to the next.
        window: Number of eigenvalues of a mean.
        delta: Distance of the means that are compared, in measurements.
        factor: Largest ratio of them.
        start: The earliest epoch whose cell can be the result.
    """

    every: int = 2
    window: int = 5
    delta: int = 4
    factor: float = 1.3
    start: int = 10
    measures: ClassVar[tuple[str, ...]] = (EIGENVALUE,)

    def __post_init__(self) -> None:
        if min(self.every, self.window, self.delta) < 1 or self.factor <= 0 or self.start < 0:
            raise ValueError(
                "every, window and delta must be at least 1, factor positive, start at least 0"
            )

    def due(self, epoch: int) -> bool:
        return epoch % self.every == 0

    def smoothed(self, values: Sequence[float]) -> list[float]:
        """The means a_i, from the measurement `window // 2` on; the first ones are of fewer."""
        return [
            fmean(values[max(0, last + 1 - self.window) : last + 1])
            for last in range(self.window // 2, len(values))
        ]

    def __call__(self, history: History, epochs: int) -> Stop | None:
        now = len(history) - 1
        if not self.due(now) or now >= epochs - 1:
            return None
        measured = [history[epoch].get(EIGENVALUE) for epoch in range(0, now + 1, self.every)]
        # Epochs before alpha is trained have no eigenvalue.
        values = [value for value in measured if value is not None]
        means = self.smoothed(values)
        taken = now - (self.window // 2 + self.delta) * self.every
        if len(means) <= self.delta or taken < self.start:
            return None
        ratio = means[-1] / means[-1 - self.delta]
        if ratio <= self.factor:
            return None
        return Stop(
            f"The smoothed dominant eigenvalue is {ratio:.2f} times that of epoch {taken + 1}; "
            f"more than {self.factor:g} announces a collapse.",
            taken,
        )


@dataclass(frozen=True)
class SkipCount:
    """Stops when the normal cell has too many skip connections.

    Source: DARTS+ (Liang et al. 2019, arXiv 1909.06035, §3.3, criterion 1): two or more skip
    connections in one normal cell. The result is the cell of the epoch that stops the search. As
    the cells of the first epochs are close to random ones, `start` can protect them.

    >>> SkipCount()([{"normal_skips": 0}, {"normal_skips": 2}], epochs=50).epoch
    1

    Attributes:
        limit: Number of skip connections that stops the search.
        start: The first epoch that can stop it.
        previous: Whether the cell of the epoch before, which was still within the limit, is the
            result.
    """

    limit: int = 2
    start: int = 0
    previous: bool = False
    measures: ClassVar[tuple[str, ...]] = (NORMAL_SKIPS,)

    def __post_init__(self) -> None:
        if self.limit < 1 or self.start < 0:
            raise ValueError("limit must be at least 1, and start at least 0")

    def due(self, epoch: int) -> bool:
        return epoch >= self.start

    def __call__(self, history: History, epochs: int) -> Stop | None:
        now = len(history) - 1
        if not self.due(now) or now >= epochs - 1:
            return None
        count = history[now].get(NORMAL_SKIPS)
        if count is None or count < self.limit:
            return None
        taken = max(now - 1, 0) if self.previous else now
        return Stop(f"The normal cell has {count} skip connections.", taken)


@dataclass(frozen=True)
class FixedEpoch:
    """Stops after a given number of epochs, while all schedules still follow `--epochs`.

    >>> FixedEpoch(epochs=2)([{}], epochs=50), FixedEpoch(epochs=2)([{}, {}], epochs=50).epoch
    (None, 1)

    Attributes:
        epochs: Number of epochs.
    """

    epochs: int = 30
    measures: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, not {self.epochs}")

    def due(self, epoch: int) -> bool:
        return False

    def __call__(self, history: History, epochs: int) -> Stop | None:
        if len(history) != self.epochs or self.epochs >= epochs:
            return None
        return Stop(f"{self.epochs} of {epochs} epochs were asked for.", self.epochs - 1)
