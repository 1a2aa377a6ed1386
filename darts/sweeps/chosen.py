"""The outcome of several searches: the chosen cell, and what became of each search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from darts.report.notebook import Figures
from darts.report.tables import Row
from darts.searching.result import CellSearchResult
from darts.sweeps.agreement import Agreement
from darts.sweeps.chance import AgainstChance
from darts.sweeps.choice import CellChoice, ChoiceRule

_NOTHING = "–"
_HEADS: Mapping[ChoiceRule, str] = {
    "retrain": "short trainings",
    "one-shot": "inside its supernet",
    "validation": "",
}


@dataclass(frozen=True, kw_only=True)
class CellOutcome:
    """What became of one search, or of one random cell.

    Attributes:
        seed: The seed of the search; None for a random cell.
        random: The number of the random cell; None for a search.
        error: Why it has no cell, or its cell could not be judged; empty if all went well.
        cell: Letter of its cell, the same for equal cells; empty if it has none, or is random.
        validation_accuracy: Accuracy (%) of its supernet.
        accuracies: What its cell was compared by (%).
        skips: Skip connections in the normal cell.
        macs: Multiply-adds of the derived network, at the size for retraining.
        params: Its parameters.
        seconds: Duration of the search.
        warnings: What its search warned of, such as a collapse.
        known_test: Its known test accuracy (%), if a table was given; it chooses nothing.
        genotype: The cell as plain values.
    """

    seed: int | None = None
    random: int | None = None
    error: str = ""
    cell: str = ""
    validation_accuracy: float | None = None
    accuracies: tuple[float, ...] = ()
    skips: int | None = None
    macs: int | None = None
    params: int | None = None
    seconds: float | None = None
    warnings: tuple[str, ...] = ()
    known_test: float | None = None
    genotype: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The search by its seed, or the random cell by its number."""
        return f"seed {self.seed}" if self.random is None else f"random cell {self.random}"

    def is_chosen(self, choice: CellChoice) -> bool:
        """Whether its cell is the chosen one; of equal cells, the first search's."""
        if self.random is not None:
            return choice.best.random == self.random
        return choice.seed is not None and choice.seed == self.seed

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        lists = {"accuracies": list(self.accuracies), "warnings": list(self.warnings)}
        return {**asdict(self), **lists}


@dataclass(frozen=True, kw_only=True, repr=False)
class ChosenCell(CellSearchResult):
    """The chosen cell of several searches.

    What it has of `CellSearchResult` belongs to the search that found the cell, but `seconds` is
    the time of all searches and short trainings. A random cell has no supernet: its
    `validation_accuracy` is NaN, and `peak_memory` is the largest of all searches.

    Attributes:
        choice: What was chosen, and why.
        how: How the cells were judged, in one sentence; may be empty.
        agreement: How far the cells agree.
        outcomes: What became of each search, in the order of the seeds.
        random: What became of the random cells that competed.
        chance: The searched cells beside the random ones; None without random cells.
    """

    choice: CellChoice
    how: str
    agreement: Agreement
    outcomes: tuple[CellOutcome, ...]
    random: tuple[CellOutcome, ...] = ()
    chance: AgainstChance | None = None

    def figures(self) -> Figures:
        """What was chosen of how many, and the figures of a search."""
        many = f"of {len(self.outcomes)} searches"
        if self.random:
            many += f" and {len(self.random)} random cells"
        return [("chosen", many), *super().figures()]

    def sentences(self) -> list[str]:
        """Agreement, how cells were judged, deviations, warnings, chance, and the choice last."""
        chosen = [one for one in self.outcomes if one.is_chosen(self.choice)]
        return [
            *([self.agreement.sentence()] if len(self.outcomes) > 1 else []),
            *([self.how] if self.how else []),
            *filter(None, [deviations_sentence(self.choice)]),
            *([f"Note: {self.choice.warning}"] if self.choice.warning else []),
            *(f"Warning of the chosen search: {text}" for one in chosen for text in one.warnings),
            *([] if self.chance is None else [self.chance.sentence()]),
            self.choice.sentence(),
        ]


def outcome_table(outcomes: Sequence[CellOutcome], choice: CellChoice) -> list[Row]:
    """Rows of text, one per search or random cell; the first row is the head."""
    judged = [_HEADS[choice.rule]] if _HEADS[choice.rule] else []
    looked_up = ["table test"] if any(one.known_test is not None for one in outcomes) else []
    rows: list[Row] = [
        ("seed", "cell", "supernet", *judged, "skips", "multiply-adds", *looked_up, "")
    ]
    for one in outcomes:
        marks = ["chosen"] if one.is_chosen(choice) else []
        if one.error:
            failed = "" if one.cell or one.random is not None else "failed: "
            marks.append(failed + one.error.strip().splitlines()[-1])
        rows.append(
            (
                str(one.seed) if one.random is None else f"random {one.random}",
                one.cell or _NOTHING,
                _percent(one.validation_accuracy),
                *([accuracies_text(one.accuracies)] if judged else []),
                _NOTHING if one.skips is None else str(one.skips),
                _NOTHING if one.macs is None else f"{one.macs:,}",
                *([_percent(one.known_test)] if looked_up else []),
                "; ".join(marks),
            )
        )
    return rows


def accuracies_text(values: Sequence[float]) -> str:
    """Mean and deviation of accuracies.

    >>> accuracies_text([80.0, 82.0]), accuracies_text([80.0]), accuracies_text([])
    ('81.00 ± 1.41 %', '80.00 %', '–')
    """
    if not values:
        return _NOTHING
    mean = sum(values) / len(values)
    if len(values) == 1:
        return _percent(mean)
    deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    return f"{mean:.2f} ± {deviation:.2f} %"


def deviations_sentence(choice: CellChoice) -> str:
    """How far cells differ, and trainings of one cell; empty if it is not known."""
    found = choice.components
    if found is None or found.within is None:
        return ""
    text = f"Trainings of one cell deviate by {found.within:.2f} points"
    if found.between is None:
        return f"{text}."
    p_value = "" if found.p_value is None else f" (F test: p = {found.p_value:.2g})"
    return f"{text}, the cells themselves by {found.between:.2f}{p_value}."


def _percent(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f} %"
