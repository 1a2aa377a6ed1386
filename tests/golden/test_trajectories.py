"""Tiny searches, retrainings and a population give the numbers that were recorded.

On a processor and a PyTorch with records, everything is equal to the last bit. Elsewhere the
records of the first key hold within a tolerance: 1e-6 for fp64, 1e-2 for fp32. Accuracies of fp32
are left out there, because a rounding can move an image from one class to the other.

For a further processor, check out a commit whose results are known to be right, and run there

    python -m tests.golden.record

It adds a key to `trajectories.json`. Where results are meant to change, `--replace` overwrites the
records of this processor; delete those of the other keys then, and say in the commit why.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.golden.trajectories import (
    CASES,
    RETRAINING,
    Record,
    load_records,
    retrain,
    this_key,
)

TOLERANCE = {"fp64": 1e-6, "fp32": 1e-2}
RECORDS = load_records()


@pytest.mark.parametrize("name", CASES)
def test_a_run_gives_the_recorded_numbers(name: str, tmp_path: Path) -> None:
    precision, record = CASES[name].precision, CASES[name].record(tmp_path)
    key = this_key()
    if key in RECORDS:
        difference = first_difference(record, RECORDS[key][name], 0.0)
        assert difference is None, f"{name}, recorded on {key}: {difference}"
    else:
        other, recorded = next((key, cases[name]) for key, cases in RECORDS.items())
        if precision == "fp32":
            record, recorded = without_accuracies(record), without_accuracies(recorded)
        difference = first_difference(record, recorded, TOLERANCE[precision])
        assert difference is None, f"{name}, on {key}, recorded on {other}: {difference}"


def test_the_native_kernels_retrain_to_the_recorded_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records are those of PyTorch."""
    monkeypatch.delenv("DARTS_BACKEND", raising=False)
    record = retrain(tmp_path, {**RETRAINING, "precision": "fp64"})
    recorded = next(iter(RECORDS.values()))["retraining-fp64"]
    assert record["digest"] != recorded["digest"]  # Roundings differ, so the kernels were used.
    difference = first_difference(record, recorded, TOLERANCE["fp64"])
    assert difference is None, difference


@pytest.mark.parametrize("key", RECORDS)
def test_all_cases_are_recorded(key: str) -> None:
    assert RECORDS[key].keys() == CASES.keys()


def first_difference(record: Record, recorded: Record, tolerance: float) -> str | None:
    """The first quantity that differs, in words; a digest is compared at tolerance 0 alone."""
    if record.keys() != recorded.keys():
        return f"parts are {sorted(record)}, recorded were {sorted(recorded)}"
    ours, theirs = list(quantities(record)), list(quantities(recorded))
    for (name, value, scale), (wanted, known, _) in zip(ours, theirs, strict=False):
        if name != wanted:
            return f"{name!r} stands where {wanted!r} was recorded"
        if value == known or (value != value and known != known):
            continue
        if tolerance and isinstance(value, str):
            continue
        if tolerance and math.isclose(value, known, rel_tol=tolerance, abs_tol=tolerance * scale):
            continue
        return f"the first to differ is {name!r}: {value!r}, recorded was {known!r}"
    if len(ours) != len(theirs):
        return f"{len(ours)} quantities, recorded were {len(theirs)}"
    return None


def quantities(record: Record) -> Iterator[tuple[str, Any, float]]:
    """Everything in a record: its name, its value, and the size that a tolerance refers to.

    That is the value itself, but for values that may be near 0: the largest of the tensor for
    alphas, and the sum of magnitudes for the sum.
    """
    for name, value in record["losses"]:
        yield name, value, 0.0
    for name, values in record.get("alphas", {}).items():
        scale = max(map(abs, values))
        for index, value in enumerate(values):
            yield f"{name}[{index}] at the end", value, scale
    if "norm" in record:
        yield "sum of all tensors", record["norm"]["sum"], record["norm"]["magnitude"]
        yield "sum of all magnitudes", record["norm"]["magnitude"], 0.0
    if "digest" in record:
        yield "digest of all tensors", record["digest"], 0.0


def without_accuracies(record: Record) -> Record:
    """The record without shares of images."""
    kept = [line for line in record["losses"] if not re.search("accuracy|error", line[0])]
    return {**record, "losses": kept}
