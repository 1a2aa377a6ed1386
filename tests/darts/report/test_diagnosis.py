"""Diagnostics of a search on its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.report.diagnosis import diagnostic_plots, warnings
from darts.report.page import write_report
from darts.report.record import read_run

MEASURES = {
    "operation_counts": {
        "normal": {"skip_connect": 4, "sep_conv_3x3": 3, "max_pool_3x3": 1},
        "reduce": {"max_pool_3x3": 8},
    },
    "normal_entropy": 0.8,
    "normal_edge_entropy": 0.9,
    "supernet_accuracy": 80.0,
    "derived_accuracy": 30.0,
    "supernet_loss": 0.5,
    "derived_loss": 2.0,
    "discretisation_gap": 50.0,
    "edge_changes": 1,
    "operation_changes": 2,
    "expected_macs": 3.5e7,
    "derived_macs": 36_000_000,
}
WARNING = {"epoch": 2, "sign": "skips", "kind": "normal", "text": "4 of 8 <b>edges</b> are skips."}


def measured(run: Path, **more: object) -> Path:
    """The run, with measures in all epochs and a warning in the second one."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        if line["kind"] == "epoch":
            line |= {**MEASURES, **more}
            if line["epoch"] == 1:
                line["warnings"] = [WARNING]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def test_a_page_has_warnings_on_top_and_plots(plain_search_run: Path) -> None:
    page = write_report(measured(plain_search_run)).read_text()
    assert "After epoch 2: 4 of 8 &lt;b&gt;edges&lt;/b&gt; are skips." in page
    assert page.index("After epoch 2") < page.index('class="cards"')
    for words in ("Operations of the derived normal cell", "Discretisation gap", "Diagnostics"):
        assert words in page
    assert "50.00 %" in page


def test_there_is_a_plot_for_what_is_recorded(plain_search_run: Path) -> None:
    record = read_run(measured(plain_search_run))
    titles = [title for title, _ in diagnostic_plots(record)]
    assert len(titles) == 7
    assert not any("eigenvalue" in title or "Alignment" in title for title in titles)
    more = read_run(measured(plain_search_run, eigenvalue=0.3, alignment=0.5))
    assert len(list(diagnostic_plots(more))) == 9
    plots = [plot for _, plot in diagnostic_plots(more)]
    assert len(set(plots)) == len(plots)
    assert "skip" in plots[0]
    assert "#5b6472" in plots[0]  # The colour of skip connections.


def test_a_space_without_reduction_cells(plain_search_run: Path) -> None:
    counts = {"normal": {"none": 2, "nor_conv_3x3": 3, "avg_pool_3x3": 1}}
    record = read_run(measured(plain_search_run, operation_counts=counts))
    titles = [title for title, _ in diagnostic_plots(record)]
    assert titles[0] == "Operations of the derived normal cell"
    assert not any("reduction" in title for title in titles)
    assert "no edge" in next(iter(diagnostic_plots(record)))[1]


def test_runs_of_earlier_versions_have_none(plain_search_run: Path, retraining_run: Path) -> None:
    for run in (plain_search_run, retraining_run):
        record = read_run(run)
        assert warnings(record) == []
        assert list(diagnostic_plots(record)) == []
        assert "Diagnostics" not in write_report(run).read_text()


@pytest.mark.parametrize(
    "broken",
    [
        {"operation_counts": 3, "warnings": "x"},
        {"operation_counts": {"normal": {"skip_connect": "many"}}, "warnings": [1, {"text": 2}]},
        {"operation_counts": {"normal": []}, "discretisation_gap": "x", "normal_entropy": None},
    ],
    ids=str,
)
def test_damage_is_left_out(broken: dict, plain_search_run: Path) -> None:
    record = read_run(measured(plain_search_run, **broken))
    assert "Operations" not in " ".join(title for title, _ in diagnostic_plots(record))
    write_report(plain_search_run)
