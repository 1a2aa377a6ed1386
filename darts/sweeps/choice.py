"""The choice of one cell among those of several searches, and how sure it is.

| rule | compares | the noise of a difference |
|---|---|---|
| `retrain` | mean accuracy of short trainings from scratch | trainings of the same cell |
| `one-shot` | derived cells inside their supernets | the number of images |
| `validation` | the supernets | the number of images |

Sources: DARTS (arXiv 1806.09055, §3) searches four times, trains the cells from scratch for a short
time, and takes the one with the best validation accuracy; SmoothDARTS does the same, says its
author. In the logs of RobustDARTS, the supernets with the lowest validation error are those whose
cells collapsed to skip connections: that is why `validation` is never the default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from darts.errors import UserError
from darts.statistics.components import Components, components, pooled_difference
from darts.statistics.interval import Interval

ChoiceRule = Literal["retrain", "one-shot", "validation"]

_NORMAL = 1.959964  # 97.5 % quantile of the normal distribution.

WARNINGS: Mapping[ChoiceRule, str] = {
    "retrain": "",
    "one-shot": "Each cell was judged inside its own supernet, on its own images: accuracies of "
    "different supernets can be compared only roughly.",
    "validation": "The accuracy of a supernet says little about its cell: the best supernets are "
    "often those that collapsed to skip connections. Prefer --choose retrain.",
}
"""What a reader has to know about each rule; empty if nothing."""

_WORDS: Mapping[ChoiceRule, str] = {
    "retrain": "accuracy on set-aside training images",
    "one-shot": "accuracy inside its supernet",
    "validation": "accuracy of its supernet",
}


@dataclass(frozen=True)
class Candidate:
    """A cell that may be chosen.

    Attributes:
        seeds: The seeds whose searches found it, the first one first; none for a random cell.
        accuracies: Measured accuracies (%); by `retrain` one for each training.
        images: Number of images of each accuracy.
        random: Number of a random cell; None for a searched one.
    """

    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    images: int
    random: int | None = None

    @property
    def mean(self) -> float:
        """Mean accuracy (%); NaN for a single cell, which is not measured."""
        return sum(self.accuracies) / len(self.accuracies) if self.accuracies else math.nan

    @property
    def name(self) -> str:
        """The cell in words, by its seeds or its number."""
        if self.random is not None:
            return f"random cell {self.random}"
        return f"seed{'s' * (len(self.seeds) > 1)} {', '.join(map(str, self.seeds))}"


@dataclass(frozen=True)
class CellChoice:
    """The chosen cell.

    Attributes:
        rule: How it was chosen.
        candidates: All cells, the chosen one first, in the order of their means; equal ones in the
            order of their seeds.
        difference: The chosen cell minus the next one, in percentage points, with its interval;
            None for a single cell, or where the noise is not known.
        components: Deviations between and within cells; None unless cells were trained.
    """

    rule: ChoiceRule
    candidates: tuple[Candidate, ...]
    difference: Interval | None
    components: Components | None = None

    @property
    def best(self) -> Candidate:
        """The chosen cell."""
        return self.candidates[0]

    @property
    def seed(self) -> int | None:
        """The first seed whose search found the chosen cell; None if it is a random one."""
        return self.best.seeds[0] if self.best.seeds else None

    @property
    def within_noise(self) -> bool | None:
        """Whether chance explains the difference to the next cell; None where it is not known."""
        return None if self.difference is None else not self.difference.excludes_zero

    @property
    def warning(self) -> str:
        """What a reader has to know about the rule; empty if nothing."""
        return WARNINGS[self.rule] if len(self.candidates) > 1 else ""

    def sentence(self) -> str:
        """What was chosen and why, in one sentence."""
        best = self.best
        chosen = f"Chosen: {_cell(best)}"
        if len(self.candidates) == 1:
            same = "these searches found the same cell"
            return (
                f"{chosen}, because {same if best.seeds[1:] else 'no other cell could be judged'}."
            )
        second = self.candidates[1]
        if best.mean == second.mean:
            return (
                f"{chosen}, although {_cell(second)} has the same "
                f"{_WORDS[self.rule]} ({best.mean:.2f} %): the first one is taken."
            )
        number = len(best.accuracies)
        times = f", mean of {number} short trainings" if number > 1 else ""
        times = ", one short training" if self.rule == "retrain" and number == 1 else times
        text = (
            f"{chosen}, for the highest {_WORDS[self.rule]} ({best.mean:.2f} %{times}; "
            f"{second.name}: {second.mean:.2f} %); {self._doubt()}"
        )
        return text + "."

    def _doubt(self) -> str:
        if self.difference is None:
            return "how much chance there is in it is not known"
        bounds = f"95 % interval {self.difference.low:+.2f} to {self.difference.high:+.2f}"
        value = f"{self.difference.middle:.2f} points, {bounds}"
        if self.within_noise:
            return f"the difference ({value}) is within the noise, so another cell may be as good"
        return f"the difference ({value}) is beyond the noise"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rule": self.rule,
            "seed": self.seed,
            "sentence": self.sentence(),
            "warning": self.warning,
            "difference": None if self.difference is None else self.difference.as_dict(),
            "within_noise": self.within_noise,
            "deviations": None if self.components is None else self.components.as_dict(),
            "candidates": [
                {
                    "seeds": list(one.seeds),
                    "random": one.random,
                    "accuracies": list(one.accuracies),
                    "mean": one.mean if one.accuracies else None,
                    "images": one.images,
                }
                for one in self.candidates
            ],
        }


def _cell(candidate: Candidate) -> str:
    return candidate.name if candidate.random is not None else f"the cell of {candidate.name}"


def choose(rule: ChoiceRule, candidates: Sequence[Candidate]) -> CellChoice:
    """Choose the cell with the highest mean accuracy; of equal ones the first.

    >>> cells = [Candidate((0,), (80.0, 82.0), 100), Candidate((1,), (90.0, 92.0), 100)]
    >>> choice = choose("retrain", cells)
    >>> choice.seed, choice.within_noise, round(choice.difference.high, 2)  # 10 + 4.303 · √2
    (1, False, 16.08)

    Args:
        rule: How the accuracies were measured.
        candidates: The cells in the order of their seeds, then random ones.

    Raises:
        UserError: There is no cell.
    """
    if not candidates:
        raise UserError("There is no cell to choose from.")
    ordered = tuple(sorted(candidates, key=lambda one: -one.mean))
    if rule != "retrain":
        difference = _by_images(*ordered[:2]) if len(ordered) > 1 else None
        return CellChoice(rule, ordered, difference)
    groups = [one.accuracies for one in ordered]
    difference = pooled_difference(groups, 0, 1) if len(ordered) > 1 else None
    measured = components(groups) if groups[0] else None
    return CellChoice(rule, ordered, difference, measured)


def _by_images(best: Candidate, second: Candidate) -> Interval:
    """The difference of two shares of different images: normal, variance p (1 - p) / n each."""
    variance = sum(one.mean * (100 - one.mean) / one.images for one in (best, second))
    middle, half = best.mean - second.mean, _NORMAL * variance**0.5
    return Interval(middle - half, middle, middle + half)
