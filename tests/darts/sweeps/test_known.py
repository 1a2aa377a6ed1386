"""A sweep that a table judges, with searches."""

from __future__ import annotations

from pathlib import Path

import pytest

from darts import api
from genotypes.nasbench201 import all_cells, genotype_of, operations_of
from tests.darts.sweeps.recorded import write_table
from tests.darts.sweeps.test_run import SMALL


def test_searches_show_the_table_and_it_judges(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Accuracies that tell the number of the cell.
    table = write_table(
        tmp_path / "table.csv",
        {genotype_of(all_cells()[n]): (n / 200, n / 160) for n in range(15625)},
    )
    plan = {"methods": ["gdas"], "seeds": [0], "table": table, "random_cells": 1, **SMALL}
    outcome = api.sweep(out=str(tmp_path / "sweep"), **plan)
    searched, drawn = outcome.cells
    assert searched.genotype is not None
    number = all_cells().index(operations_of(searched.genotype))
    assert (searched.valid, searched.accuracy) == (number / 200, number / 160)
    curve = outcome.record.trials["gdas seed 0"].curve
    assert curve[-1]["table_test"] == searched.accuracy
    assert drawn.accuracy is not None
    assert drawn.seconds is None
    # Nothing but the progress of the trials is shown.
    shown = capfd.readouterr()
    assert shown.out == ""
    assert [line.split()[0] for line in shown.err.splitlines()] == ["sweep"]
