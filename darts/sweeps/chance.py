"""Whether searches end in better cells than chance: searched cells beside random ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from darts.statistics.estimates import difference
from darts.statistics.interval import Interval


@dataclass(frozen=True)
class AgainstChance:
    """Accuracies of searched cells beside those of random cells of about the same cost.

    Attributes:
        searched: Accuracy (%) of the cell of each search.
        random: Accuracy (%) of each random cell.
        difference: Mean of the searched minus mean of the random cells, in points, with Welch's
            95 % interval; None where one side has fewer than two cells.
    """

    searched: tuple[float, ...]
    random: tuple[float, ...]
    difference: Interval | None

    @property
    def verdict(self) -> str:
        """`better`, `worse`, or `not shown`; also `not shown` where the noise is not known."""
        if self.difference is None or not self.difference.excludes_zero:
            return "not shown"
        return "better" if self.difference.middle > 0 else "worse"

    @property
    def ahead(self) -> int:
        """Number of random cells that the best searched cell surpasses."""
        return sum(one < max(self.searched) for one in self.random)

    def sentence(self) -> str:
        """The answer to the question whether the search beats chance."""
        number, total = len(self.searched), len(self.random)
        cells = f"{total} random cell{'s' * (total > 1)} of about the same cost"
        best = "The best searched cell" if number > 1 else "The searched cell"
        place = f"{best} surpasses {self.ahead} of {cells}"
        if self.difference is None:
            return f"{place}; with so few cells, chance is not known."
        found = self.difference
        answer = {
            "better": "the search is better than chance",
            "worse": "the search is worse than chance",
            "not shown": "it is not shown that the search is better than chance",
        }[self.verdict]
        return (
            f"{place}. On average the searched cells are {found.middle:+.2f} points from the "
            f"random ones (95 % interval {found.low:+.2f} to {found.high:+.2f}): {answer}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "searched": list(self.searched),
            "random": list(self.random),
            "difference": None if self.difference is None else self.difference.as_dict(),
            "verdict": self.verdict,
            "surpassed": self.ahead,
            "sentence": self.sentence(),
        }


def against_chance(searched: Sequence[float], random: Sequence[float]) -> AgainstChance | None:
    """Compare searched cells with random ones; None where a side has none.

    >>> against_chance([71.0, 72.0], [69.0, 70.0, 71.5]).ahead
    3
    """
    if not searched or not random:
        return None
    return AgainstChance(tuple(searched), tuple(random), difference(searched, random))
