"""The first sentence of a run's page: what came out, and what that does not say."""

from __future__ import annotations

from collections import Counter

from darts.report.formatting import duration, percent
from darts.report.record import RunRecord
from darts.report.style import operation_family
from darts.statistics.shares import share_interval


def headline(record: RunRecord) -> str:
    """The outcome of a search, a training or a detector's training in one or two sentences."""
    if record.result is None:
        return _unfinished(record)
    if record.is_detector:
        return _detector(record)
    return _search(record) if record.is_search else _training(record)


def _unfinished(record: RunRecord) -> str:
    done = record.epochs[-1]["epoch"] + 1 if record.epochs else 0
    total = record.total_epochs
    return f"Not finished: {done} of {total or 'an unknown number of'} epochs are done."


def _search(record: RunRecord) -> str:
    sentences = ["The search has ended."]
    genotype = record.genotype
    if genotype is not None:
        operations = [name for node in genotype.normal for name, _ in node]
        families = Counter(operation_family(name).label for name in operations)
        parts = [f"{count} {_plural(label, count)}" for label, count in families.most_common()]
        sentences = [f"The search found a normal cell with {_listed(parts)}."]
    if "macs" in record.costs:
        sentences[-1] = sentences[-1].removesuffix(".") + (
            f"; its network costs {record.costs['macs'] / 1e6:,.1f} M multiply-adds."
        )
    sentences.append(
        "One search is one draw: how good the cell is only a training from scratch can tell."
    )
    return " ".join(sentences)


def _training(record: RunRecord) -> str:
    result = record.result or {}
    model = record.config.get("model")
    name = f"The network {model}" if model else "The network"
    if record.genotype is not None:
        name = f"The network of the cell {record.genotype.name}"
    if record.accuracy is None:
        return f"{name} has been trained; no test accuracy is recorded."
    images, shown = result.get("test_images"), percent(record.accuracy)
    if record.target.key != "accuracy":
        return f"{name} reaches a mean average precision of {shown} after the last epoch."
    text = f"{name} classifies {shown} of"
    if not isinstance(images, int) or images < 1:
        return f"{text} the test images correctly after the last epoch."
    found = share_interval(round(record.accuracy / 100 * images), images)
    return (
        f"{text} {images:,} test images correctly after the last epoch. For other images of this "
        f"kind the 95 % interval is {found.low:.1f} to {found.high:.1f} %; another seed can differ "
        "by more."
    )


def _detector(record: RunRecord) -> str:
    value = (record.result or {}).get("ap")
    if not isinstance(value, (int, float)):
        return "The detector has been trained; no average precision is recorded."
    seconds = (record.result or {}).get("seconds")
    took = f" (trained in {duration(seconds)})" if isinstance(seconds, (int, float)) else ""
    return (
        f"The detector reaches an AP of {value:.1f} of 100 on the validation images after the last "
        f"epoch{took}."
    )


def _plural(label: str, count: int) -> str:
    if count == 1:
        return label
    return f"{label}s" if label != "no edge" else "missing edges"


def _listed(parts: list[str]) -> str:
    """
    >>> _listed(["a", "b", "c"]), _listed(["a"])
    ('a, b and c', 'a')
    """
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
