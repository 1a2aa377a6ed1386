"""The outcome of several searches: the chosen cell, and what became of each search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from darts.report.tables import Row
from darts.searching.result import CellSearchResult
from darts.sweeps.agreement import Agreement
from darts.sweeps.choice import CellChoice, ChoiceRule

_NOTHING = "–"
_HEADS: Mapping[ChoiceRule, str] = {
    "retrain": "short trainings",
    "one-shot": "inside its supernet",
    "validation": "",
}


@dataclass(frozen=True, kw_only=True)
class SeedOutcome:
    """What became of one search.

    Attributes:
        seed: Its seed.
        error: Why it has no cell, or its cell could not be judged; empty if all went well.
        cell: Letter of its cell, the same for equal cells; empty if it has none.
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

    seed: int
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

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        lists = {"accuracies": list(self.accuracies), "warnings": list(self.warnings)}
        return {**asdict(self), **lists}


@dataclass(frozen=True, kw_only=True)
class ChosenCell(CellSearchResult):
    """The chosen cell of several searches.

    What it has of `CellSearchResult` belongs to the search that found the cell, but `seconds` is
    the time of all searches and short trainings.

    Attributes:
        choice: What was chosen, and why.
        how: How the cells were judged, in one sentence; may be empty.
        agreement: How far the cells agree.
        outcomes: What became of each search, in the order of the seeds.
    """

    choice: CellChoice
    how: str
    agreement: Agreement
    outcomes: tuple[SeedOutcome, ...]

    def sentences(self) -> list[str]:
        """The outcome: agreement, how cells were judged, deviations, warnings, the choice."""
        chosen = next(one for one in self.outcomes if one.seed == self.choice.seed)
        return [
            self.agreement.sentence(),
            *([self.how] if self.how else []),
            *filter(None, [deviations_sentence(self.choice)]),
            *([f"Note: {self.choice.warning}"] if self.choice.warning else []),
            *(f"Warning of the chosen search: {text}" for text in chosen.warnings),
            self.choice.sentence(),
        ]


def outcome_table(outcomes: Sequence[SeedOutcome], choice: CellChoice) -> list[Row]:
    """Rows of text, one per search; the first row is the head."""
    judged = [_HEADS[choice.rule]] if _HEADS[choice.rule] else []
    looked_up = ["table test"] if any(one.known_test is not None for one in outcomes) else []
    rows: list[Row] = [
        ("seed", "cell", "supernet", *judged, "skips", "multiply-adds", *looked_up, "")
    ]
    for one in outcomes:
        marks = ["chosen"] if one.seed == choice.seed else []
        if one.error:
            failed = "" if one.cell else "failed: "
            marks.append(failed + one.error.strip().splitlines()[-1])
        rows.append(
            (
                str(one.seed),
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
