"""Results are one line in a shell, and a table with pictures in a notebook."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from darts.design_space.population import Population
from darts.report.notebook import Summarised, cells_html
from darts.searching.result import CellSearchResult
from darts.sweeps.repeats import RepeatedTraining
from genotypes import load_genotype

HOSTILE = '<script>alert("1")</script>'


def tags(html: str) -> list[str]:
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append(tag)  # type: ignore[method-assign]
    parser.feed(html)
    return found


def search_result(name: str = "pcdarts_cifar10") -> CellSearchResult:
    genotype = load_genotype("pcdarts_cifar10").with_name(name)
    return CellSearchResult(genotype, Path("runs/x"), 90.254, 75.0, 2**20, {"macs": 1_234_567})


def test_a_search_is_one_line_and_two_pictures() -> None:
    result = search_result()
    assert repr(result) == (
        "<CellSearchResult: cell pcdarts_cifar10, multiply-adds 1,234,567, supernet 90.25 %, "
        "time 1 min 15 s, directory runs/x>"
    )
    html = result._repr_html_()
    assert tags(html).count("img") == 2
    # The reduction cell is the narrower one; both have one scale.
    shares = [float(one) for one in re.findall(r"width: ([\d.]+)%", html)]
    assert max(shares) == 100 > min(shares)


def test_names_cannot_become_elements() -> None:
    html = search_result(HOSTILE)._repr_html_()
    assert "script" not in tags(html)
    assert "script" not in tags(load_genotype("darts_v1").with_name(HOSTILE)._repr_html_())


def test_several_trainings_show_mean_and_deviation() -> None:
    results = {
        seed: {"test_accuracy": 90.0 + seed, "test_loss": 1.0, "seconds": 2.0} for seed in (0, 1)
    }
    found = RepeatedTraining(run_dir=Path("r"), name="net", results=results, errors={})
    assert repr(found) == (
        "<RepeatedTraining: network net, trainings 2, test accuracy 90.50 ± 0.71 %, time 4.0 s, "
        "directory r>"
    )
    assert tags(found._repr_html_()).count("tr") == 5 + 3  # Two measures below a head.


@pytest.mark.parametrize("errors", [[], [8.0, 6.0]])
def test_a_population_of_any_size_has_a_line(errors: list[float]) -> None:
    assert repr(Population(name="regnetx", errors=np.array(errors))).count("\n") == 0


def test_a_genotype_prints_what_builds_it_again() -> None:
    genotype = load_genotype("darts_v2")
    assert len(repr(genotype)) < 600
    assert eval(repr(genotype), {"Genotype": type(genotype)}) == genotype
    assert tags(genotype._repr_html_()).count("tr") == 8


def test_a_space_with_one_kind_of_cell_has_one_picture() -> None:
    assert tags(cells_html(load_genotype("nb201-1"))).count("img") == 1


def test_every_result_of_the_functions_is_summarised() -> None:
    from darts.advising.advice import Advice
    from darts.comparing.recipe_study import FinishedRecipeStudy
    from darts.comparing.run import FinishedComparison
    from darts.correlation.study import FinishedCorrelation
    from darts.detection.task import DetectionResult
    from darts.fitting.outcome import Outcome
    from darts.searching.backend_table import BackendTable
    from darts.sweeps.chosen import ChosenCell
    from darts.sweeps.sweep_outcome import SweepOutcome
    from darts.training.predict_files import Predictions
    from darts.training.task import TrainingResult

    for one in (
        Advice,
        BackendTable,
        CellSearchResult,
        ChosenCell,
        DetectionResult,
        FinishedComparison,
        FinishedCorrelation,
        FinishedRecipeStudy,
        Outcome,
        Population,
        Predictions,
        RepeatedTraining,
        SweepOutcome,
        TrainingResult,
    ):
        assert one.__repr__ is Summarised.__repr__, one
        assert "figures" in vars(one) or one.__mro__[1] is not Summarised
