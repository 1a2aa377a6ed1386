"""Write what several searches ended with into the directory of the run."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from darts.report.draw import draw_genotype
from darts.report.page import write_report
from darts.run_files import RunFiles
from darts.runs.directory import RunDirectory
from darts.searching.known import KnownAccuracies
from darts.searching.stopping import normal_skips
from darts.sweeps.agreement import agreement, equal_cells
from darts.sweeps.chance import against_chance
from darts.sweeps.choice import Candidate, CellChoice
from darts.sweeps.choice_options import ManySearchOptions
from darts.sweeps.chosen import CellOutcome, ChosenCell, outcome_table
from darts.sweeps.random_cells import CostRange
from darts.sweeps.seed_trials import random_key, run_of, search_key
from darts.trials.store import Trial
from genotypes import Genotype, save_genotype

CHOICE = "choice"
"""The entry of `result.json` that only runs of several searches have."""


@dataclass(frozen=True)
class Judged:
    """The cells that can be chosen, and why others cannot.

    Attributes:
        candidates: The cells with what they are compared by, in the order of their seeds, then
            random ones.
        errors: What failed when a cell was judged, by the name of the candidate.
        how: How they were judged, in one sentence; empty if there is nothing to say.
        random: The random cells by number.
    """

    candidates: tuple[Candidate, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    how: str = ""
    random: Mapping[int, Genotype] = field(default_factory=dict)

    def accuracies(
        self, *, seed: int | None = None, random: int | None = None
    ) -> tuple[float, ...]:
        """What the cell of a seed, or a random cell, was compared by; empty if it was not."""
        for one in self.candidates:
            if one.random == random and (seed is None or seed in one.seeds):
                return one.accuracies
        return ()


def write_outcome(
    options: ManySearchOptions,
    run: RunDirectory,
    rows: Mapping[str, Trial],
    cells: Mapping[int, Genotype],
    judged: Judged,
    choice: CellChoice,
    known: KnownAccuracies,
) -> ChosenCell:
    """Write `genotype.yaml`, `cells/` and `result.json`, and complete the runs of the searches.

    Args:
        options: The settings of the run.
        run: Its directory.
        rows: All trials by key.
        cells: The cells of the searches that ended well, by seed.
        judged: What the cells were compared by.
        choice: The choice.
        known: Known accuracies; they are shown beside the cells and choose nothing.
    """
    seeds = tuple(options.searches())
    number = choice.best.random
    winner = cells[choice.best.seeds[0]] if number is None else judged.random[number]
    chosen = _named(winner, run, seeds, choice)
    outcomes = tuple(_outcome(seed, rows, cells, judged, known) for seed in seeds)
    results = {seed: rows[search_key(seed)].result or {} for seed in cells}
    room = CostRange.of([one["derived"] for one in results.values()])
    rivals = tuple(_rival(number, judged, room, known) for number in judged.random)
    result = _of_random(results, winner, room) if choice.seed is None else results[choice.seed]
    found = ChosenCell(
        genotype=chosen,
        run_dir=run.path,
        validation_accuracy=result["validation_accuracy"],
        seconds=_seconds(rows, outcomes),
        peak_memory=result["peak_memory"],
        derived=result["derived"],
        stopped=result.get("stopped", ""),
        known=known.row(chosen),
        choice=choice,
        how=judged.how,
        agreement=agreement(cells),
        outcomes=outcomes,
        random=rivals,
        chance=against_chance(_means(outcomes), _means(rivals)),
    )
    for seed, cell in cells.items():
        _complete(RunFiles(run.path / run_of(seed)), cell)
    save_genotype(chosen, run.genotype)
    draw_genotype(chosen, run.cells)
    further: dict[str, Any] = {
        "warnings": result.get("warnings", []),
        "seed": choice.seed,
        CHOICE: choice.as_dict(),
        "agreement": found.agreement.as_dict(),
        "seeds": [one.as_dict() for one in outcomes],
        "random_cells": [one.as_dict() for one in rivals],
        "chance": None if found.chance is None else found.chance.as_dict(),
        "rows": [list(row) for row in outcome_table([*outcomes, *rivals], choice)],
        "sentences": list(found.sentences()),
    }
    run.write_result(found.as_dict(result["epoch"], result["parameters"], **further))
    return found


def _of_random(
    results: Mapping[int, Mapping[str, Any]], cell: Genotype, room: CostRange
) -> dict[str, Any]:
    """What stands for the result of a search where a random cell won; it has no supernet."""
    first = next(iter(results.values()))
    derived = {
        **room.costs(cell),
        "target": first["derived"]["target"],
        "ceilings": first["derived"]["ceilings"],
        "ceilings_kept": True,
        "operations_changed": 0,
    }
    peak = max(one["peak_memory"] for one in results.values())
    return {
        "validation_accuracy": math.nan,
        "peak_memory": peak,
        "derived": derived,
        "epoch": first["epoch"],
        "parameters": first["parameters"],
    }


def _means(outcomes: Sequence[CellOutcome]) -> list[float]:
    judged = [one.accuracies for one in outcomes if one.accuracies]
    return [sum(values) / len(values) for values in judged]


def _seconds(rows: Mapping[str, Trial], outcomes: tuple[CellOutcome, ...]) -> float:
    """The time of all trials; a search that was continued knows that of all its parts."""
    searches = {one.name for one in outcomes}
    others = sum(row.seconds or 0.0 for key, row in rows.items() if key not in searches)
    return others + sum(one.seconds or 0.0 for one in outcomes)


def _named(
    cell: Genotype, run: RunDirectory, seeds: tuple[int, ...], choice: CellChoice
) -> Genotype:
    """The chosen genotype under the name of the run, with its provenance."""
    origin: dict[str, Any] = {"chosen_by": choice.rule, "chosen_from_seeds": list(seeds)}
    if rivals := sum(one.random is not None for one in choice.candidates):
        origin["chosen_from_random_cells"] = rivals
    return replace(cell, name=run.path.resolve().name, provenance={**cell.provenance, **origin})


def _outcome(
    seed: int,
    rows: Mapping[str, Trial],
    cells: Mapping[int, Genotype],
    judged: Judged,
    known: KnownAccuracies,
) -> CellOutcome:
    trial = rows[search_key(seed)]
    if trial.result is None:
        return CellOutcome(seed=seed, error=trial.error or "unknown reason")
    groups = equal_cells(cells)
    number = next(index for index, group in enumerate(groups) if seed in group)
    derived, found = trial.result["derived"], known.row(cells[seed])
    return CellOutcome(
        seed=seed,
        error=judged.errors.get(search_key(seed), ""),
        cell=_letter(number),
        validation_accuracy=trial.result["validation_accuracy"],
        accuracies=judged.accuracies(seed=seed),
        skips=normal_skips(cells[seed]),
        macs=derived["macs"],
        params=derived["params"],
        seconds=trial.result["seconds"],
        warnings=tuple(
            f"after epoch {one['epoch']}: {one['text']}" for one in trial.result["warnings"]
        ),
        known_test=None if found is None else found.test,
        genotype=cells[seed].as_dict(),
    )


def _rival(number: int, judged: Judged, room: CostRange, known: KnownAccuracies) -> CellOutcome:
    cell = judged.random[number]
    found, costs = known.row(cell), room.costs(cell)
    return CellOutcome(
        random=number,
        error=judged.errors.get(random_key(number), ""),
        accuracies=judged.accuracies(random=number),
        skips=normal_skips(cell),
        macs=costs["macs"],
        params=costs["params"],
        known_test=None if found is None else found.test,
        genotype=cell.as_dict(),
    )


def _letter(number: int) -> str:
    """A for 0, B for 1 … and AA for 26.

    >>> _letter(0), _letter(26)
    ('A', 'AA')
    """
    letters = string.ascii_uppercase
    more, last = divmod(number, len(letters))
    return (_letter(more - 1) if more else "") + letters[last]


def _complete(search: RunFiles, cell: Genotype) -> None:
    """Give the run of a search its drawings and its report."""
    if not search.report.is_file():
        draw_genotype(cell, search.cells)
        write_report(search.path)
