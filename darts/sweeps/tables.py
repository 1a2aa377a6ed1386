"""The outcome of a sweep as tables of text, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from darts.report.formatting import duration, size
from darts.report.tables import Row
from darts.statistics.estimates import Estimate
from darts.statistics.interval import Interval
from darts.sweeps.cells import cell_words
from darts.sweeps.measure import SweptCell
from darts.sweeps.options import CONTROL
from darts.sweeps.sweep_outcome import ConfigurationOutcome, SweepOutcome

_NOTHING = "–"
_CELLS_SHOWN = 20


def judge_words(outcome: SweepOutcome) -> str:
    """What the accuracies are, in one sentence."""
    if outcome.judge == "table":
        assert outcome.table is not None
        return (
            f"Accuracy: test accuracy of the found cell after full training on "
            f"{outcome.table.dataset}, from {outcome.table.path.name}."
        )
    if outcome.judge == "retrain":
        count = outcome.record.options.retrain
        times = "one short retraining" if count == 1 else f"mean of {count} short retrainings"
        return f"Accuracy: {times} of the found cell, on set-aside training images."
    return (
        "Accuracy: of the supernet, on the images that trained the architecture. It says little "
        "about the cell: collapsed searches often have the best supernets. --retrain or --table "
        "judges the cells."
    )


def configuration_table(outcome: SweepOutcome) -> list[Row]:
    """One row for each configuration, and for random search in the table."""
    known = outcome.table is not None
    head = ["configuration", "n", "mean ± deviation", "95 % interval", "mean rank"]
    head += ["valid", "best by valid", "random cells"] if known else []
    head += ["skips", "warned", "time", "memory", "parameters"]
    rows = [tuple(head)]
    for one in outcome.configurations.values():
        row = [one.label, _count(one), spread(one.accuracy), _interval(one.accuracy)]
        ranks = outcome.ranks.get(one.label, ())
        row.append(f"{sum(ranks) / len(ranks):.2f}" if ranks else _NOTHING)
        if known:
            best = one.best_by_validation
            row += [_number(one.mean("valid")), _number(None if best is None else best.accuracy)]
            equivalent = outcome.equivalent(one)
            row.append(_NOTHING if equivalent is None else f"{equivalent:,}")
        rows.append(tuple(row + _cost(one)))
    for base in outcome.baselines:
        what = "a random cell" if base.n == 1 else f"best of {base.n} random cells"
        row = [what, "exact", f"{base.test:.2f} ± {base.deviation:.2f}", _NOTHING, _NOTHING]
        values = (f"{base.valid:.2f}", f"{base.test:.2f}", str(base.n))
        rows.append((*row, *values, *[_NOTHING] * 5))
    return rows


def _cost(one: ConfigurationOutcome) -> list[str]:
    searched = [cell for cell in one.cells if cell.seconds is not None]
    memory = max((cell.memory for cell in one.cells if cell.memory), default=None)
    params = one.mean("params")
    skips = one.mean("skips")
    return [
        _NOTHING if skips is None else f"{skips:.1f}",
        f"{sum(bool(c.warnings) for c in searched)} of {len(searched)}" if searched else _NOTHING,
        duration(one.mean("seconds")) if searched else _NOTHING,
        _NOTHING if memory is None else size(memory),
        _NOTHING if params is None else f"{params:,.0f}",
    ]


def _count(one: ConfigurationOutcome) -> str:
    known = len(one.accuracies)
    return str(known) if known == len(one.cells) else f"{known} of {len(one.cells)}"


def spread(known: Estimate | None) -> str:
    """Mean and deviation, such as "93.40 ± 0.32"."""
    if known is None:
        return _NOTHING
    return f"{known.mean:.2f}" + ("" if known.deviation is None else f" ± {known.deviation:.2f}")


def _interval(known: Estimate | None) -> str:
    return bounds(known.interval) if known is not None else _NOTHING


def bounds(interval: Interval | None, sign: str = "") -> str:
    """The bounds of an interval, such as "93.01 to 93.79"."""
    if interval is None:
        return _NOTHING
    return f"{interval.low:{sign}.2f} to {interval.high:{sign}.2f}"


def difference_table(outcome: SweepOutcome) -> list[Row]:
    """One row for each difference; empty if there is one configuration."""
    if not outcome.differences:
        return []
    head = ("minus " + outcome.differences[0].reference, "n", "difference", "95 % interval")
    rows: list[Row] = [(*head, "p", "p (Holm)", "in words")]
    for one in outcome.differences:
        mean = _NOTHING if one.mean is None else f"{one.mean:+.2f}"
        pairs = f"{one.n} pairs" if one.paired else "independent"
        values = (_p(one.p), _p(one.adjusted), one.verdict)
        rows.append((one.label, pairs, mean, bounds(one.interval, "+"), *values))
    return rows


def _p(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def search_table(outcome: SweepOutcome) -> list[Row]:
    """One row for each search and random cell."""
    known = outcome.table is not None
    head = ["search", "state", "accuracy"]
    head += ["valid", "rank", "regret"] if known else []
    head += ["retrainings"] if outcome.judge == "retrain" else []
    rows = [(*head, "supernet", "skips", "cell")]
    for one in outcome.cells:
        row = [one.key, _state(one), _number(one.accuracy)]
        if known:
            row += [_number(one.valid), f"{one.rank:,}" if one.rank else _NOTHING]
            row.append(_number(one.regret))
        if outcome.judge == "retrain":
            row.append(" ".join(f"{value:.2f}" for value in one.retrained) or _NOTHING)
        skips = _NOTHING if one.skips is None else str(one.skips)
        cell = _NOTHING if one.genotype is None else cell_words(one.genotype)
        rows.append((*row, _number(one.supernet), skips, cell))
    return rows


def _state(one: SweptCell) -> str:
    if one.label == CONTROL:
        return "drawn"
    if one.status == "running" and one.epochs:
        return f"running, epoch {one.epochs}"
    warned = "warned" if one.warnings else ""
    return ", ".join(filter(None, [one.status, warned, "stopped early" if one.stopped else ""]))


def cell_table(outcome: SweepOutcome) -> list[Row]:
    """The different cells and how often each was found; empty while there is none."""
    if not outcome.found:
        return []
    rows: list[Row] = [("cell", "found", "accuracy", "by")]
    for one in outcome.found[:_CELLS_SHOWN]:
        values = [cell.accuracy for cell in one.cells if cell.accuracy is not None]
        mean = sum(values) / len(values) if values else None
        by = ", ".join(cell.key for cell in one.cells)
        rows.append((cell_words(one.genotype), str(len(one.cells)), _number(mean), by))
    return rows


def notes_of_sweep(outcome: SweepOutcome) -> Iterator[str]:
    """What a reader has to know about the numbers."""
    for one in outcome.failed:
        yield f"{one.key} failed: {one.error}"
    counts = _counts(outcome.cells)
    if not outcome.finished:
        yield f"The sweep is not finished ({counts}); the same command continues it."
    if outcome.differences and outcome.differences[0].paired:
        yield (
            "Differences are taken seed by seed; p-values are of Student's paired test, corrected "
            "by Holm's method for all of them. Intervals are not corrected."
        )
    if (hidden := len(outcome.found) - _CELLS_SHOWN) > 0:
        yield f"{hidden} more cells are in sweep.json."
    if outcome.table is not None:
        yield (
            "Random search: the exact test accuracy of the best by validation of n random cells "
            "of the table. Compare a search with as many cells as could be trained in its time. "
            'The column "random cells" is the number that is expected to do as well as the mean.'
        )
        yield from outcome.table.notes


def edge_table(outcome: SweepOutcome) -> list[Row]:
    """For each edge the most frequent operation of each configuration, and in how many cells."""
    known = [one for one in outcome.configurations.values() if one.agreement is not None]
    known = [one for one in known if one.label != CONTROL]
    columns = {
        one.label: {edge.edge: edge for edge in one.agreement.edges}
        for one in known
        if one.agreement is not None
    }
    edges = list(dict.fromkeys(edge for column in columns.values() for edge in column))
    rows: list[Row] = [("edge", *columns)]
    for edge in edges:
        kind, source, target = edge
        row = [f"{kind} {source} → {target}"]
        for column in columns.values():
            found = column.get(edge)
            if found is None or not found.operation:
                row.append(_NOTHING)
            else:
                row.append(f"{found.operation} {found.choices[found.operation]}/{found.cells}")
        rows.append(tuple(row))
    return rows if edges else []


def _counts(cells: Sequence[SweptCell]) -> str:
    states = [one.status for one in cells if one.label != CONTROL]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"


def agreement_lines(outcome: SweepOutcome) -> list[str]:
    """One sentence for each configuration with cells of several seeds."""
    return [
        f"{one.label}: {one.agreement.sentence()}"
        for one in outcome.configurations.values()
        if one.label != CONTROL and one.agreement and len(one.agreement.seeds) > 1
    ]
