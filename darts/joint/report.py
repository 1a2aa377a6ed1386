"""The report of a joint search, finished or not: one page and its plots as files."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from darts.errors import UserError
from darts.files import atomic_write
from darts.joint.ablation import PredictorAblation, plot_ablation
from darts.joint.directory import SearchRecord, read_search
from darts.joint.importance import permutation_importance
from darts.joint.iterate import Round
from darts.joint.plots import (
    pareto,
    plot_correlations,
    plot_front,
    plot_importance,
    plot_predictions,
    plot_rounds,
)
from darts.joint.query import scorer_of
from darts.report.formatting import Card, duration, flat, percent
from darts.report.frame import Plot, write_plots
from darts.report.render import render_page
from darts.report.study_page import StudyPage
from darts.run_files import RunFiles
from darts.runs.directory import finite
from darts.statistics.ranks import spearman
from darts.trials.background import machines_of

_POOL = 1000  # Candidates for the permutation importance.
_SHOWN = 15  # Rows of the table.


def write_joint_report(directory: Path | str) -> Path:
    """Write `report.html` and `plots/` into the directory of a search.

    Raises:
        UserError: It is not the directory of a joint search.
    """
    record = read_search(directory)
    context = {
        "name": record.path.resolve().name,
        "headline": _headline(record),
        "commands": [("", _command(record))],
        "space": record.problem.space,
        "variables": [(one.name, one.domain) for one in record.problem.space.variables],
        "background": [("Configuration", flat(dict(record.config))), machines_of(record.path)],
        "cards": list(_cards(record)),
        "notes": list(_notes(record)),
        "plots": write_plots(_plots(record), record.path / "plots"),
        "table": _table(record),
    }
    return render_page(__package__, "joint.html", RunFiles(record.path).report, context)


def _headline(record: SearchRecord) -> str:
    """The best measured and the best predicted candidate in a sentence."""
    _, accuracies, macs = _measured(record)
    done = sum(trial.status == "done" for trial in record.trials)
    if not len(accuracies):
        return f"No candidate has been trained yet ({done} trials are done)."
    best = int(np.argmax(accuracies))
    text = (
        f"The best of {len(accuracies)} trained candidates reaches {accuracies[best]:.2f} % on "
        f"held-out images after epoch {record.stop_epoch}, at {macs[best] / 1e6:.1f} M "
        "multiply-adds."
    )
    return text if record.result else f"Not finished. {text}"


def _command(record: SearchRecord) -> str:
    """The command that searches again, into a new directory."""
    name = f"{record.path.resolve().name}-again"
    config = shlex.quote(str(RunFiles(record.path).config))
    return f"python -m darts joint search --config {config} --run-dir {shlex.quote(name)}"


def _cards(record: SearchRecord) -> Iterator[Card]:
    _, accuracies, macs = _measured(record)
    if len(accuracies):
        best = int(np.argmax(accuracies))
        note = f"held-out images, epoch {record.stop_epoch}; {macs[best] / 1e6:.1f} M multiply-adds"
        yield Card("Best measured", percent(float(accuracies[best])), note)
    if record.result:
        found = record.result["best_predicted"]
        note = f"within the limits of the search; {found['macs'] / 1e6:.1f} M multiply-adds"
        value = found["predicted_accuracy"]
        if value > 100:  # The predictor is not bounded: it knows no candidate like this one.
            note += "; the predictor guesses beyond what it knows"
        yield Card("Best predicted", percent(value) if value <= 100 else "above 100 %", note)
    done = sum(trial.status == "done" for trial in record.trials)
    failed = sum(trial.status == "failed" for trial in record.trials)
    planned = record.config["rounds"] * record.config["candidates"]
    yield Card("Trials", f"{done} of {planned}", f"{failed} failed" if failed else "none failed")
    seconds = sum(trial.seconds or 0.0 for trial in record.trials)
    yield Card("Training time", duration(seconds), "total of all trials")
    if record.stop_epoch is not None and _predicts(record):
        yield Card("Early stop", f"epoch {record.stop_epoch}", f"of {record.config['epochs']}")
    if record.result and (pretraining := record.result["pretraining"]):
        worst = min(pretraining["correlation"].values())
        held = f"{pretraining['architectures']:,} held-out architectures"
        yield Card("Costs predicted", f"r ≥ {worst:.3f}", held)


def _notes(record: SearchRecord) -> Iterator[str]:
    for trial in record.trials:
        if trial.error:
            yield f"trial {trial.key} failed: {trial.error.splitlines()[-1]}"
    diverged = [t.key for t in record.trials if t.result and t.result.get("diverged")]
    if diverged:
        yield f"diverged, and therefore scored at chance level: trials {', '.join(diverged)}"
    if record.result is None:
        yield (
            "the search is not finished; continue it with python -m darts joint search "
            f"--resume {record.path}"
        )


def _predicts(record: SearchRecord) -> bool:
    return bool(record.config["strategy"] == "predictor")


def _plots(record: SearchRecord) -> Iterator[Plot]:
    rounds, stop = record.rounds, record.stop_epoch
    if stop is None:
        return
    yield Plot(
        "rounds",
        "Rounds",
        "Each dot is a candidate; the line is the median; the number is the best. "
        + (
            "The first round is quasi-random; later ones have the best predictions per cost range."
            if _predicts(record)
            else "All rounds are quasi-random: this is the baseline."
        ),
        plot_rounds(rounds, stop),
    )
    if (figure := plot_predictions(rounds, stop)) is not None:
        note = _prediction_note(rounds, stop)
        yield Plot("predictions", "Predicted and measured", note, figure)
    if _predicts(record):
        threshold = record.config["rank_correlation"]
        yield Plot(
            "correlations",
            "Rank correlation by epoch",
            "Accuracies after each epoch of the first round against those after its last epoch; "
            "later rounds stop at the first epoch above the dashed line.",
            plot_correlations(record.correlations, threshold, stop),
        )
    yield Plot(
        "front",
        "Accuracy and cost",
        "The line joins the candidates that no cheaper candidate surpasses. They were chosen on "
        "the images that measured them, so their accuracies are biased upwards.",
        plot_front(rounds, stop),
    )
    try:
        genes, _ = record.problem.pool(_POOL, record.limits, int(record.config["seed"]))
        scorer = scorer_of(record)
    except UserError:
        return
    values = permutation_importance(scorer, genes, np.random.default_rng(0))
    names = [variable.name for variable in record.problem.space.variables]
    yield Plot(
        "importance",
        "Importance of the variables",
        f"Change of the predictions for {len(genes):,} candidates when a variable is shuffled "
        "among them. It shows what the predictor uses and is no better than its predictions.",
        plot_importance(names, values),
    )


def _prediction_note(rounds: Sequence[Round], epoch: int) -> str:
    predicted = np.concatenate([part.predicted for part in rounds])
    measured = np.concatenate([part.accuracies(epoch) for part in rounds])
    known = np.isfinite(predicted + measured)
    note = "Predictions were made before the candidates were trained."
    if known.sum() > 2:
        correlation = spearman(predicted[known], measured[known])
        error = np.abs(predicted - measured)[known].mean()
        ranks = (
            f"Rank correlation {correlation:.2f}"
            if np.isfinite(correlation)
            else "Equal values have no rank correlation"
        )
        note += f" {ranks}; mean error {error:.2f} points."
    return note


def _measured(record: SearchRecord) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Genes, accuracies and multiply-adds of all candidates that reached the early-stop epoch."""
    if record.stop_epoch is None:
        return np.zeros((0, 0)), np.zeros(0), np.zeros(0)
    genes = np.concatenate([part.genes for part in record.rounds])
    accuracies = np.concatenate([part.accuracies(record.stop_epoch) for part in record.rounds])
    macs = np.concatenate([part.costs.macs for part in record.rounds])
    known = np.isfinite(accuracies)
    return genes[known], accuracies[known], macs[known]


def _table(record: SearchRecord) -> list[tuple[str, ...]]:
    """Rows of the most accurate candidates; candidates on the front are marked."""
    genes, accuracies, macs = _measured(record)
    if not len(accuracies):
        return []
    front = set(pareto(macs, accuracies).tolist())
    varying = [v for v in record.problem.space.variables if v.domain.levels != 1]
    rows: list[tuple[str, ...]] = [("", "accuracy", "M macs", *(v.name for v in varying))]
    values = record.problem.space.rows(genes)
    for index in np.argsort(-accuracies, kind="stable")[:_SHOWN].tolist():
        cells = (_short(values[index][v.name]) for v in varying)
        mark = "front" if index in front else ""
        rows.append((mark, percent(accuracies[index]), f"{macs[index] / 1e6:.1f}", *cells))
    return rows


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_ablation_report(
    record: SearchRecord, ablation: PredictorAblation, directory: Path
) -> Path:
    """Write `ablation.json`, the plot and `report.html` into a directory; return the page."""
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(directory / "ablation.json") as stream:
        json.dump(finite(ablation.as_dict()), stream, indent=2, allow_nan=False)
    note = "Bars: Student's 95 % intervals over folds and seeds, which share candidates."
    plot = Plot("ablation", "Error of the predictor", note, plot_ablation(ablation))
    count = f"{ablation.candidates} trained candidates of {record.path.resolve().name}"
    page = StudyPage(
        name="The predictor with and without pretraining",
        sentence=ablation.sentence(),
        summary=f"{count}, {ablation.folds} folds, {ablation.seeds} seeds; no training is "
        "repeated, and the test images are not used.",
        tables=[("Errors on held-out candidates", ablation.rows())],
        plots=write_plots([plot], directory),
        command=f"python -m darts joint ablate {shlex.quote(str(record.path))}",
        background=[machines_of(record.path)],
    )
    return page.write(RunFiles(directory).report)
