"""Numbers of a run as text, for the cards and tables of reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from darts.report.record import RunRecord
from darts.targets.scores import class_table, table_title

_NOTHING = "–"


@dataclass(frozen=True)
class Card:
    """One number at the top of a report.

    Attributes:
        label: What it is.
        value: The formatted number.
        note: A short explanation.
    """

    label: str
    value: str
    note: str = ""


def summary(record: RunRecord) -> str:
    """One line that says what the run is."""
    config = record.config
    what = "Search of a cell" if record.is_search else "Training from scratch"
    if record.is_detector:
        what = "Training of a detector"
    parts = [what]
    if config.get("dataset"):
        parts[0] += f" on {config['dataset']}"
    if record.is_search and config.get("method"):
        parts.append(f"{config['method']}, K = {config.get('k', _NOTHING)}")
    if not record.is_search and record.genotype:
        parts.append(f"genotype {record.genotype.name}")
    elif not record.is_search and config.get("model"):
        parts.append(f"network {config['model']}")
    if "seed" in config:
        parts.append(f"seed {config['seed']}")
    return " · ".join(parts)


def cards(record: RunRecord) -> list[Card]:
    """The cards at the top of a report."""
    result = record.result or {}
    last = record.epochs[-1] if record.epochs else {}
    # A run of several seeds has no lines of its own.
    ended = result.get("epoch")
    done = last["epoch"] + 1 if last else ended if isinstance(ended, int) else 0
    total = record.total_epochs
    finished = record.result is not None
    entries = _precision(record) if record.is_detector else [_accuracy(record)]
    if not record.is_search and record.accuracy is not None:
        images = result.get("test_images")
        note = f"{images:,} test images" if isinstance(images, int) else ""
        if record.target.key == "accuracy":
            entries.append(Card("Test error, last epoch", percent(100 - record.accuracy), note))
    entries += _further_measures(record)
    entries.append(
        Card(
            "Epochs",
            f"{done} of {total}" if total else str(done),
            "finished" if finished else "not finished",
        )
    )
    entries.append(Card("Time", duration(result.get("seconds", last.get("seconds")))))
    entries.append(Card("Peak memory", size(result.get("peak_memory"))))
    if isinstance(result.get("parameters"), int):
        label = "Parameters of the supernet" if record.is_search else "Parameters"
        entries.append(Card(label, f"{result['parameters']:,}"))
    if not record.is_search and isinstance(result.get("macs"), int):
        entries.append(Card("Multiply-adds", f"{result['macs']:,}", "for one image"))
    if isinstance(macs := last.get("derived_macs"), int):
        note = f"{last.get('derived_params', 0):,} parameters, at the size for retraining"
        entries.append(Card("Multiply-adds of the derived network", f"{macs:,}", note))
    if isinstance(known := _known(record, last), (int, float)):
        note = "test accuracy in the table; the search did not use it"
        entries.append(Card("Known accuracy of the cell", percent(known), note))
    if isinstance(gap := last.get("discretisation_gap"), (int, float)):
        note = "supernet minus its derived cell with the same weights, on a few images"
        entries.append(Card("Discretisation gap", percent(gap), note))
    if record.genotype:
        operations = [name for node in record.genotype.normal for name, _ in node]
        skips = operations.count("skip_connect")
        note = f"of {len(operations)} operations in the normal cell"
        entries.append(Card("Skip connections", str(skips), note))
    return [card for card in entries if card.value != _NOTHING]


def comparable_cards(record: RunRecord) -> list[Card]:
    """The numbers of a run in a table of several: the same names for searches and trainings."""
    found = [
        one
        for one in cards(record)
        if not one.label.startswith(("Parameters", "Multiply-adds", "Skip connections"))
    ]
    costs = record.costs
    if interval := record.accuracy_interval:
        found.insert(1, Card("95 % interval", f"{interval[0]:.2f} to {interval[1]:.2f} %"))
    if "macs" in costs:
        found.append(Card("Multiply-adds", f"{costs['macs']:,.0f}"))
    if "params" in costs:
        found.append(Card("Parameters", f"{costs['params']:,.0f}"))
    if "latency" in costs:
        found.append(Card("Latency", f"{1e3 * costs['latency']:.2f} ms"))
    return found


def _known(record: RunRecord, last: Mapping[str, Any]) -> Any:
    """The test accuracy that a table knows of the result, or of the cell of the last epoch."""
    table = (record.result or {}).get("table")
    return table.get("test") if isinstance(table, Mapping) else last.get("table_test")


def _accuracy(record: RunRecord) -> Card:
    word = "accuracy" if record.target.key == "accuracy" else "mAP"
    if record.is_search:
        label, note = f"Supernet {word}, last epoch", "on the images of the architecture step"
    else:
        label, note = f"Test {word}, last epoch", "not the best epoch"
    if record.accuracy is not None:
        return Card(label, percent(record.accuracy), note)
    epochs, values = record.series(record.accuracy_name)
    if not values:
        return Card(label, "not yet known")
    return Card(label.replace("last epoch", f"epoch {epochs[-1]:.0f}"), percent(values[-1]), note)


_MEASURES = {
    "balanced_accuracy": ("Balanced accuracy", "mean recall of the classes"),
    "micro_f1": ("Micro F1", "of all labels together, at the threshold 0.5"),
    "macro_f1": ("Macro F1", "mean of the labels, at the threshold 0.5"),
    "subset_accuracy": ("All labels right", "share of the images"),
}


def _further_measures(record: RunRecord) -> Iterator[Card]:
    """The measures beside the main one, after the last epoch that has them."""
    part = "validation" if record.is_search else "test"
    for name, (label, note) in _MEASURES.items():
        _, values = record.series(f"{part}_{name}")
        if values:
            yield Card(label, percent(values[-1]), note)


def class_tables(record: RunRecord) -> list[tuple[str, list[tuple[str, ...]]]]:
    """A table of the scores of the classes, with its title, if the run has tested them."""
    rows = (record.result or {}).get("test_classes")
    try:
        return [(table_title(rows), class_table(rows))] if rows else []
    except (TypeError, KeyError, AttributeError, ValueError):
        return []  # Damaged by hand.


def _precision(record: RunRecord) -> list[Card]:
    """The COCO metrics of a detector after the last evaluated epoch."""
    result = record.result or {}
    names = {"ap": "AP", "ap50": "AP50", "ap75": "AP75"}
    known = {label: result.get(name) for name, label in names.items()}
    cards = [
        Card(label, f"{value:.1f}", "last epoch, validation images")
        for label, value in known.items()
        if isinstance(value, (int, float))
    ]
    return cards or [Card("AP", "not yet known")]


def percent(value: float | None) -> str:
    """A percentage with two decimals.

    >>> percent(97.5), percent(None)
    ('97.50 %', '–')
    """
    return _NOTHING if value is None else f"{value:.2f} %"


def duration(seconds: Any) -> str:
    """A duration in seconds, minutes or hours, whichever fits.

    >>> duration(7.25), duration(75), duration(4000)
    ('7.2 s', '1 min 15 s', '1 h 06 min')
    """
    if not isinstance(seconds, (int, float)):
        return _NOTHING
    minutes, hours = seconds / 60, seconds / 3600
    if seconds < 60:
        return f"{seconds:.1f} s"
    if minutes < 60:
        return f"{int(minutes)} min {int(seconds % 60):02d} s"
    return f"{int(hours)} h {int(minutes % 60):02d} min"


def size(count: Any) -> str:
    """A number of bytes in MiB or GiB.

    >>> size(3 * 2**20), size(2**31)
    ('3 MiB', '2.00 GiB')
    """
    if not isinstance(count, (int, float)):
        return _NOTHING
    mebibytes = count / 2**20
    return f"{mebibytes:,.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:,.2f} GiB"


def flat(mapping: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as rows (dotted name, value).

    >>> flat({"data": {"size": 32}, "seed": None})
    [('data.size', '32'), ('seed', '–')]
    """
    rows = []
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += flat(value, f"{name}.")
        else:
            rows.append((name, _NOTHING if value is None else str(value)))
    return rows


def date_and_time() -> str:
    """The current date and time, to the minute."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
