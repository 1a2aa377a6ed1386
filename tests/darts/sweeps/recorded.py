"""Sweeps of which the results are made up, so that no search has to run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darts.sweeps.cell_retraining import retraining_key
from darts.sweeps.directory import SweepRecord, read_sweep, write_plan
from darts.sweeps.options import SweepOptions
from darts.sweeps.plan import configurations
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import TrialStore
from genotypes import Genotype
from genotypes.nasbench201 import arch_string, genotype_of

SPACE = {"space": "nasbench201", "dataset": "digits", "preset": "smoke"}


def cell(*operations: str) -> Genotype:
    """A cell of six operations; one alone stands for all."""
    return genotype_of(operations if len(operations) == 6 else operations * 6)


SKIPS, CONVS, POOLS = (cell(name) for name in ("skip_connect", "nor_conv_3x3", "avg_pool_3x3"))


def result(genotype: Genotype, supernet: float, **further: Any) -> dict[str, Any]:
    """What a search returns."""
    return {
        "genotype": genotype.as_dict(),
        "validation_accuracy": supernet,
        "validation_error": 100 - supernet,
        "seconds": 60.0,
        "peak_memory": 2**30,
        "derived": {"params": 1000, "macs": 2000},
        "warnings": [],
        **further,
    }


def record(
    options: SweepOptions,
    results: Mapping[tuple[str, int], Any],
    errors: Mapping[str, list[float]] | None = None,
) -> SweepRecord:
    """Write a sweep and read it.

    Args:
        options: Its options.
        results: By label and seed, what the search returned; the text of an error if it failed.
            The others are pending.
        errors: By the key of a cell, the test errors of its retrainings.
    """
    with TrialStore(Path(options.out) / TRIALS_FILE) as store:
        for seed in options.seeds:
            for one in configurations(options):
                key, value = one.key(seed), results.get((one.label, seed))
                store.add(key, {"seed": seed})
                if value is None:
                    continue
                store.start(key)
                if isinstance(value, str):
                    store.fail(key, value)
                else:
                    store.finish(key, value)
        for key, values in (errors or {}).items():
            for number, error in enumerate(values, 1):
                store.add(retraining_key(key, number), {"seed": number})
                store.finish(retraining_key(key, number), {"accuracy": 100 - error})
    write_plan(options)
    return read_sweep(options.out)


def write_table(
    path: Path, accuracies: Mapping[Genotype, tuple[float, float]] | None = None
) -> str:
    """Write a table with validation and test accuracies of a few cells; its name."""
    known = {SKIPS: (84.0, 84.5), CONVS: (90.0, 93.0), POOLS: (70.0, 71.0)}
    known = {**known, **(accuracies or {})}
    lines = ["arch,cifar10_valid_acc,cifar10_test_acc"]
    lines += [f"{arch_string(one)},{valid},{test}" for one, (valid, test) in known.items()]
    path.write_text("\n".join(lines) + "\n")
    return str(path)
