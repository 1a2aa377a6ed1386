"""Rank correlations by epoch and between schedules, and fits of latencies."""

from pathlib import Path

import numpy as np
import pytest
import torch

import darts
from darts.cli import main
from darts.design_space.latency_study import fit_latency, study_latency, write_latency
from darts.design_space.population import Population
from darts.design_space.schedules import ranked_population, study_schedules
from darts.design_space.stored_population import POPULATION_FILE
from darts.errors import UserError
from darts.trials.store import TrialStore
from tests.darts.design_space.populations_support import make_population

# Test accuracies (%) after each epoch; the ranks of epoch 1 are reversed, those of epoch 2 right.
CURVES = {"a": (10, 50, 60), "b": (20, 40, 55), "c": (30, 30, 50), "d": (40, 20, 45)}


def population(folder: Path, curves: dict[str, tuple[float, ...]]) -> Path:
    folder.mkdir()
    with TrialStore(folder / POPULATION_FILE) as store:
        store.configure({"space": "regnetx"})
        store.add_all({key: {"number": i} for i, key in enumerate(curves)})
        for key, values in curves.items():
            store.start(key)
            for epoch, value in enumerate(values):
                store.report(key, {"epoch": epoch, "test_accuracy": float(value)})
            store.finish(key, {"test_error": 100 - values[-1]}, seconds=1.0)
    return folder


def test_correlation_by_epoch_and_of_another_schedule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = population(tmp_path / "long", CURVES)
    swapped = {"a": (55,), "b": (60,), "c": (50,), "d": (45,), "e": (1,)}
    short = population(tmp_path / "short", swapped)
    study = study_schedules(ranked_population(long), [ranked_population(short)])
    middles = [one.spearman and one.spearman.middle for one in study.by_epoch.values()]
    assert middles == pytest.approx([-1.0, 1.0, 1.0])
    ((name, epochs, other),) = study.others
    # One neighbouring pair of four is swapped: rho = 1 - 6 · 2 / (4 · 15), tau = (5 - 1) / 6.
    assert (name, epochs, other.n) == ("short", 1, 4)
    assert other.spearman is not None
    assert other.kendall is not None
    assert other.spearman.middle == pytest.approx(0.8)
    assert other.kendall.middle == pytest.approx(2 / 3)
    assert main(["space", "rank", str(long), str(short)]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert rows[1][:5] == ["epoch", "1", "of", "3", "-1.000"]
    assert rows[3][:6] == ["short", "(1", "epochs,", "own", "schedule)", "0.800"]
    assert (long / "ranks/ranks.png").is_file()
    sentence = "Epoch 2 of 3 is the first whose errors have a rank correlation of 0.9 or more"
    assert sentence in out
    page = (long / "ranks/report.html").read_text()
    assert sentence in page
    assert f"python -m darts space rank {long} {short}" in page
    assert main(["report", str(long / "ranks")]) == 0
    assert darts.rank_schedules([long, short]).as_dict() == study.as_dict()
    assert "To repeat this" not in (long / "ranks/report.html").read_text()


def test_what_cannot_be_ranked(tmp_path: Path) -> None:
    long = ranked_population(population(tmp_path / "long", CURVES))
    other = population(tmp_path / "other", {key * 2: curve for key, curve in CURVES.items()})
    with pytest.raises(UserError, match="share 0 networks"):
        study_schedules(long, [ranked_population(other)])
    few = population(tmp_path / "few", {"a": (1, 2), "b": (2, 3)})
    with pytest.raises(UserError, match="2 networks are trained"):
        ranked_population(few)
    uneven = population(tmp_path / "uneven", {**CURVES, "e": (1, 2)})
    with pytest.raises(UserError, match="not tested after the same epochs"):
        ranked_population(uneven)


@pytest.mark.parametrize(
    ("shape", "coefficients"),
    [("linear", (3, 2e-9)), ("root", (3, 2e-4)), ("both", (3, 2e-9, 1e-4))],
)
def test_fits_find_the_coefficients(shape: str, coefficients: tuple[float, ...]) -> None:
    x = np.linspace(1e6, 4e8, 30)
    powers = {"linear": [x], "root": [x**0.5], "both": [x, x**0.5]}[shape]
    y = coefficients[0] + sum(c * part for c, part in zip(coefficients[1:], powers, strict=True))
    fit = fit_latency(x, y, "macs", shape)
    assert fit.coefficients == pytest.approx(coefficients, rel=1e-6)
    assert fit.r2 == pytest.approx(1)
    assert fit.at(x) == pytest.approx(y)
    noisy = y + np.random.default_rng(0).normal(0, y.std(), 30)
    assert 0 < fit_latency(x, noisy, "macs", shape).r2 < 0.9


def test_the_latency_of_a_population(tmp_path: Path) -> None:
    made = make_population("regnetx", 4, macs=4e6)
    study = study_latency(made, batch=2, device=torch.device("cpu"), resolution=32, turns=1)
    assert (study.seconds > 0).all()
    assert study.costs["macs"] == pytest.approx(made.properties["macs"])
    assert study.costs["activations"] == pytest.approx(made.properties["activations"])
    assert [one[0] for one in study.rows()] == ["latency against", "multiply-adds", "activations"]
    page = write_latency(study, tmp_path, "the command")
    assert (page.name, (tmp_path / "latency-2.svg").is_file()) == ("latency-2.html", True)
    assert study.sentence() in page.read_text()
    assert "the command" in page.read_text()
    with pytest.raises(UserError, match="1 image or more"):
        darts.time_population(tmp_path, batch=0)
    few = Population(name="x", errors=made.errors[:2], configs=made.configs[:2])
    with pytest.raises(UserError, match="need 4 or more"):
        study_latency(few, batch=1, device=torch.device("cpu"))
