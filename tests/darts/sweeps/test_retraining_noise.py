"""Deviation within and between searches, and supernets beside retrainings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.sweeps.options import SweepOptions
from darts.sweeps.retraining_noise import ALL, components_of_sweep, noise_lines, supernet_ranks
from darts.sweeps.sweep_outcome import SweepOutcome, outcome_of
from darts.sweeps.sweep_report import outcome_json, outcome_text
from tests.darts.sweeps.recorded import CONVS, POOLS, SKIPS, SPACE, record, result


@pytest.fixture
def judged(tmp_path: Path) -> SweepOutcome:
    options = SweepOptions(
        out=str(tmp_path / "sweep"),
        methods=["gdas"],
        seeds=[0, 1, 2],
        settings=SPACE,
        retrain=2,
    )
    cells = {0: (SKIPS, 30.0), 1: (CONVS, 20.0), 2: (POOLS, 10.0)}
    results = {("gdas", seed): result(*one) for seed, one in cells.items()}
    errors = {"gdas seed 0": [9.0, 11.0], "gdas seed 1": [5.0, 7.0], "gdas seed 2": [1.0, 3.0]}
    return outcome_of(record(options, results, errors))


def test_within_and_between(judged: SweepOutcome) -> None:
    found = components_of_sweep(judged)["gdas"]
    # MSW = 2; the means are 90, 94, 98: MSB = 2 · 16; (32 - 2) / 2 = 15.
    assert found.within == pytest.approx(2**0.5)
    assert found.between == pytest.approx(15**0.5)


def test_the_better_the_supernet_the_worse_the_cell(judged: SweepOutcome) -> None:
    ranks = supernet_ranks(judged)
    assert ALL not in ranks
    assert ranks["gdas"].spearman is not None
    assert ranks["gdas"].spearman.middle == pytest.approx(-1)


def test_where_it_is_told(judged: SweepOutcome) -> None:
    within, correlated = noise_lines(judged)
    assert "one cell deviate by 1.41 points, different cells by 3.87 (F test" in within
    assert "correlate in rank with -1.00" in correlated
    assert within in outcome_text(judged)
    values = json.loads(outcome_json(judged))
    assert values["retrainings"]["gdas"]["within"] == pytest.approx(2**0.5)
    assert values["supernet_ranks"]["gdas"]["n"] == 3
