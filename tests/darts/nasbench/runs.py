"""Made-up runs of searches, and a table that knows their cells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from darts.nasbench.cell_names import cell_number
from darts.nasbench.table import AccuracyTable
from genotypes import save_genotype


def write_run(
    path: Path,
    cells: Sequence[int],
    *,
    final: int | None = None,
    finished: bool = True,
    **config: object,
) -> Path:
    """A run directory with the cell of every epoch; the last one is the result, or `final`."""
    path.mkdir(parents=True, exist_ok=True)
    for epoch, number in enumerate(cells, 1):
        save_genotype(cell_number(number), path / "genotypes" / f"epoch-{epoch:03d}.yaml")
    if finished:
        save_genotype(cell_number(cells[-1] if final is None else final), path / "genotype.yaml")
        (path / "result.json").write_text(json.dumps({}))
    settings = {"method": "drnas", "seed": 0, "dataset": "cifar10", "epochs": 5, **config}
    (path / "config.yaml").write_text(yaml.safe_dump(settings))
    return path


def rising_table(count: int = 100) -> AccuracyTable:
    """Cell n has n / 2 % validation and n % test accuracy; cells from `count` on are missing."""
    test = np.where(np.arange(15625) < count, np.arange(15625.0), np.nan)
    return AccuracyTable(Path("table.csv"), "cifar10", "CSV", test / 2, test, "half", "whole")
