"""What a study concludes, against numbers computed by hand and published ones."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from darts.correlation import outcome
from darts.correlation.outcome import Correlation, OrderAgreement, StudiedCell, StudiedRun, choice
from darts.correlation.report import correlation_text, plot_correlation
from darts.correlation.sampling import sample_known_cells
from darts.nasbench.reading import read_table
from genotypes.nasbench201 import operations_of
from genotypes.nasbench201_cost import StagesSize

agreement = partial(outcome.order_agreement, repeats=50)
TRUTH = [90.0 + index / 10 for index in range(40)]


def studied(*accuracies: list[float], truth: list[float] = TRUTH) -> Correlation:
    runs = tuple(
        StudiedRun(
            f"runs/{number}", 3, 3, "gdas", number, tuple(one), agreement(one, truth, 0),
            choice(one, truth),
        )
        for number, one in enumerate(accuracies)
    )  # fmt: skip
    cells = tuple(StudiedCell(f"c{i}", {}, i, i, value) for i, value in enumerate(truth))
    costs = agreement(list(range(len(truth))), truth, 0)
    return Correlation(
        setting={},
        sentences=("A study.",),
        cells=cells,
        runs=runs,
        baselines={"parameters": costs},
        ceiling=None,
        random=max(truth) - float(np.mean(truth)),
    )


def test_the_top_tenth_is_ranked_by_truth() -> None:
    """Perfect order but within the best 4 of 40, which are reversed.

    Of 780 pairs 6 are discordant: tau = 1 - 12 / 780. Squared differences of ranks 9 + 1 + 1 + 9:
    rho = 1 - 6 · 20 / (40 · 1599).
    """
    order = [*range(36), 39, 38, 37, 36]
    found = agreement(order, TRUTH, seed=3)
    assert found.all.n == 40
    assert found.top.n == 4
    assert found.all.kendall is not None
    assert found.all.spearman is not None
    assert found.all.kendall.middle == pytest.approx(1 - 12 / 780, abs=1e-12)
    assert found.all.spearman.middle == pytest.approx(1 - 120 / (40 * 1599), abs=1e-12)
    assert found.top.kendall is not None
    assert found.top.kendall.middle == pytest.approx(-1)
    assert found.all.kendall.low < found.all.kendall.middle < found.all.kendall.high
    assert agreement(order, TRUTH, seed=3) == found


def test_what_the_best_one_shot_cell_is_worth() -> None:
    chosen = choice([1.0, 9.0, 9.0, 2.0], [93.0, 92.0, 94.0, 94.0])
    assert (chosen.cell, chosen.truth, chosen.rank, chosen.regret) == (1, 92.0, 4, 2.0)
    assert choice([0.0, 1.0, 0.0], [90.0, 94.0, 94.0]).rank == 1


def test_mean_and_deviation_over_runs() -> None:
    order = list(map(float, range(40)))
    found = studied(order, order[::-1])
    over = found.over_runs
    assert over["kendall"].mean == pytest.approx(0)
    assert over["spearman"].deviation == pytest.approx(2**0.5)
    assert over["regret"].mean == pytest.approx((TRUTH[-1] - TRUTH[0]) / 2)
    text = correlation_text(found)
    assert "one-shot, 2 runs  0.000 ± 1.414" in text
    assert "rank 40 of 40, regret 3.90 points" in text
    assert "A cell chosen at random has a mean regret of 1.95 points." in text


def test_equal_accuracies_have_no_correlation() -> None:
    found = studied([10.0] * 40)
    assert found.runs[0].agreement.all.kendall is None
    assert set(found.over_runs) == {"regret"}
    assert "No correlation is defined for runs/0" in correlation_text(found)
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["runs"][0]["all"] == {"n": 40, "kendall": None, "spearman": None}
    assert plain["cells"][3]["one_shot"] == [10.0]


def test_a_top_tenth_that_is_too_small_is_said_and_not_drawn() -> None:
    few = studied(TRUTH[:10], truth=TRUTH[:10])
    assert "The top tenth has 1 cells, too few" in correlation_text(few)
    assert len(plot_correlation(few).axes) == 1
    assert len(plot_correlation(studied(TRUTH)).axes) == 2


def middle(one: OrderAgreement) -> float:
    assert one.all.spearman is not None
    return one.all.spearman.middle


def test_baselines_and_ceiling_of_the_benchmark(shared: Path) -> None:
    """Parameters against validation accuracy: .673 to .799 for 95 % of samples of 200 cells.

    Validation against test accuracy over all cells: .983.
    """
    table = read_table(shared / "data" / "nb201_cifar10.csv.gz")
    sample = sample_known_cells(range(15625), 200, 0, once_per_class=False, connected=False)
    numbers, size = list(sample.numbers), StagesSize()
    valid, test = table.valid[numbers].tolist(), table.test[numbers].tolist()
    params = [float(size.parameters(operations_of(one))) for one in sample.genotypes]
    assert 0.673 < middle(agreement(params, valid, 0)) < 0.799
    ceiling = agreement(valid, test, 0)
    assert middle(ceiling) == pytest.approx(0.983, abs=0.02)
    assert ceiling.top.n == 20
