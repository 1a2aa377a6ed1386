"""Deviation within and between searches, and supernets beside retrainings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.sweeps.options import SweepOptions
from darts.sweeps.retraining_noise import ALL, components_of_sweep, noise_lines, supernet_ranks
from darts.sweeps.sweep_outcome import SweepOutcome, outcome_of
from darts.sweeps.sweep_report import outcome_json, outcome_text
from tests.darts.sweeps.recorded import CONVS, POOLS, SKIPS, SPACE, cell, record, result

CELLS = (SKIPS, CONVS, POOLS, cell("none"), cell("nor_conv_1x1"))


@pytest.fixture
def judged(tmp_path: Path) -> SweepOutcome:
    options = SweepOptions(
        out=str(tmp_path / "sweep"),
        methods=["gdas"],
        seeds=list(range(5)),
        settings=SPACE,
        retrain=2,
    )
    results = {("gdas", seed): result(one, 50.0 - 10 * seed) for seed, one in enumerate(CELLS)}
    errors = {f"gdas seed {seed}": [17.0 - 4 * seed, 19.0 - 4 * seed] for seed in range(5)}
    return outcome_of(record(options, results, errors))


def test_within_and_between(judged: SweepOutcome) -> None:
    found = components_of_sweep(judged)["gdas"]
    # MSW = 2; the means are 82, 86 … 98, of variance 40: MSB = 2 · 40; (80 - 2) / 2 = 39.
    assert found.within == pytest.approx(2**0.5)
    assert found.between == pytest.approx(39**0.5)


def test_the_better_the_supernet_the_worse_the_cell(judged: SweepOutcome) -> None:
    ranks = supernet_ranks(judged)
    assert ALL not in ranks
    assert ranks["gdas"].spearman is not None
    assert ranks["gdas"].spearman.middle == pytest.approx(-1)


def test_where_it_is_told(judged: SweepOutcome) -> None:
    within, correlated = noise_lines(judged)
    assert "one cell deviate by 1.41 points, different cells by 6.24 (F test" in within
    assert "correlate in rank with -1.00" in correlated
    assert within in outcome_text(judged)
    values = json.loads(outcome_json(judged))
    assert values["retrainings"]["gdas"]["within"] == pytest.approx(2**0.5)
    assert values["supernet_ranks"]["gdas"]["n"] == 5
