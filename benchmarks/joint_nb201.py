"""Benefit of predictor pretraining and of evolution, measured on 15,625 trained cells.

    python benchmarks/joint_nb201.py pretraining TABLE.csv.gz --out DIR
    python benchmarks/joint_nb201.py evolution TABLE.csv.gz --out DIR

The table has one row per NAS-Bench-201 cell with its architecture string (column `arch`) and its
accuracy after training in % (by default column `cifar10_valid_acc`). The benchmark trains only
predictors. Costs come from the toolkit's closed forms. Both studies print a table and write the
numbers (JSON) and a plot (SVG, PNG) to DIR.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import platform
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import kendalltau

from darts.joint.costs import Limits
from darts.joint.evolution import EvolutionOptions, evolve
from darts.joint.iterate import IterationOptions, TrainedCandidates, iterate
from darts.joint.networks.nb201 import nb201_genotype
from darts.joint.networks.setting import NetworkSetting
from darts.joint.predictor import (
    Predictor,
    Scorer,
    create_predictor,
    fit_predictor,
    predict_accuracies,
    pretrain_predictor,
)
from darts.joint.problem import Problem
from darts.joint.space_file import find_joint_space
from darts.report.frame import dress, write_figure
from darts.report.style import CURVES, INK
from genotypes.nasbench201 import arch_string

SAMPLES = (25, 50, 100, 200, 400)
CEILINGS = (40e6, 80e6, 120e6, 160e6)
ROUNDS, CANDIDATES, FINALISTS = 5, 20, 10
QUERIES = ROUNDS * CANDIDATES + FINALISTS
DIRECT = EvolutionOptions(best=0, random=20, children=2, keep=10, patience=10**6, generations=40)


class Table:
    """All cells, indexed by their genes read as a number in base 5."""

    def __init__(self, path: Path, column: str) -> None:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            known = {row["arch"]: float(row[column]) for row in csv.DictReader(stream)}
        self.problem = Problem(
            find_joint_space("nb201"), NetworkSetting(num_classes=10, resolution=32)
        )
        self.genes = np.stack(np.unravel_index(np.arange(5**6), (5,) * 6), axis=1).astype(float)
        rows = self.problem.space.rows(self.genes)
        self.accuracies = np.array([known[arch_string(nb201_genotype(row))] for row in rows])
        self.features = self.problem.space.features(self.genes)
        self.costs = self.problem.costs(self.genes)

    def __call__(self, genes: np.ndarray) -> np.ndarray:
        """Trained accuracies (%) `[N]` of cells given by their genes `[N, 6]`."""
        return self.accuracies[np.ravel_multi_index(genes.astype(int).T, (5,) * 6)]

    def train(
        self, number: int, genes: np.ndarray, predicted: np.ndarray, epochs: int
    ) -> TrainedCandidates:
        """Train the candidates of a round: look their accuracies up."""
        curves = tuple((accuracy,) for accuracy in self(genes).tolist())
        return TrainedCandidates(genes=genes, predicted=predicted, curves=curves)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pretrained_predictor(table: Table, seed: int) -> Predictor:
    predictor = create_predictor(table.problem.space, seeded(seed))
    report = pretrain_predictor(predictor, table.features, table.costs, seeded(seed + 1000))
    if seed == 0:
        print(f"correlation of predicted and true costs, held out: {report.correlation}")
    return predictor


def study_pretraining(table: Table, draws: Sequence[int]) -> list[dict]:
    """Errors and rank correlations of predictors on all cells outside their training set."""
    results = []
    nothing = np.zeros((len(table.genes), 0))
    for draw in draws:
        order = np.random.default_rng(draw).permutation(len(table.genes))
        pretrained = pretrained_predictor(table, draw)
        fresh = create_predictor(table.problem.space, seeded(draw))
        for count in SAMPLES:
            learnt, rest = order[:count], order[count:]
            data = (table.features[learnt], nothing[:count], table.accuracies[learnt])
            for variant in ("pretrained", "not pretrained", "not pretrained, frozen first"):
                generator = seeded(draw + 2000)
                if variant == "pretrained":
                    predictor = fit_predictor(pretrained, *data, generator)
                elif variant == "not pretrained":
                    # All layers train for equally long at the same rates: freezing an untrained
                    # embedding would put this variant at a disadvantage.
                    free = {"frozen_epochs": 0, "epochs": 50}
                    predictor = fit_predictor(fresh, *data, generator, **free, reduced_rate=0.01)
                    predictor = fit_predictor(predictor, *data, generator, **free)
                else:
                    predictor = fit_predictor(fresh, *data, generator)
                guessed = predict_accuracies(predictor, table.features[rest], nothing[rest])
                true = table.accuracies[rest]
                results.append(
                    {
                        "variant": variant,
                        "samples": count,
                        "draw": draw,
                        "mse": float(((guessed - true) ** 2).mean()),
                        "mae": float(np.abs(guessed - true).mean()),
                        "tau": float(kendalltau(guessed, true)[0]),
                    }
                )
    return results


def print_pretraining(results: list[dict]) -> None:
    for measure in ("mse", "mae", "tau"):
        print(f"\n{measure}: mean ± standard deviation over draws")
        for variant in dict.fromkeys(row["variant"] for row in results):
            cells = [
                f"{np.mean(values):8.3f} ± {np.std(values, ddof=1):.3f}"
                for _, values in by_samples(results, variant, measure)
            ]
            print(f"{variant:30s}", *cells)
    for measure in ("mse", "tau"):
        plain = [np.mean(v) for _, v in by_samples(results, "not pretrained", measure)]
        better = [np.mean(v) for _, v in by_samples(results, "pretrained", measure)]
        print(f"\nsamples that a pretrained predictor needs for the same mean {measure}:")
        for count, value in zip(SAMPLES, plain, strict=True):
            print(f"  {count} without: {needed(better, value, rising=measure == 'tau')} with")


def needed(values: list[float], wanted: float, rising: bool) -> str:
    """Number of samples at which the monotone envelope of `values` reaches `wanted`.

    The number is interpolated on a logarithmic axis.
    """
    sign = 1 if rising else -1
    envelope = np.maximum.accumulate(sign * np.array(values))
    if sign * wanted <= envelope[0]:
        return f"at most {SAMPLES[0]}"
    if sign * wanted > envelope[-1]:
        return f"more than {SAMPLES[-1]}"
    return f"{np.exp(np.interp(sign * wanted, envelope, np.log(SAMPLES))):.0f}"


def by_samples(
    results: list[dict], variant: str, measure: str
) -> Iterator[tuple[int, list[float]]]:
    for count in SAMPLES:
        yield (
            count,
            [
                row[measure]
                for row in results
                if row["variant"] == variant and row["samples"] == count
            ],
        )


def plot_pretraining(results: list[dict]) -> Figure:
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    titles = {"mse": "Mean squared error (points²)", "tau": "Kendall's tau"}
    for axes, (measure, title) in zip(panels, titles.items(), strict=True):
        for number, variant in enumerate(dict.fromkeys(row["variant"] for row in results)):
            values = [v for _, v in by_samples(results, variant, measure)]
            means = np.array([np.mean(v) for v in values])
            spread = np.array([np.std(v, ddof=1) for v in values])
            axes.plot(SAMPLES, means, "o-", color=CURVES[number], label=variant, markersize=4)
            axes.fill_between(
                SAMPLES, means - spread, means + spread, color=CURVES[number], alpha=0.15, lw=0
            )
        axes.set_xscale("log")
        axes.set_xticks(SAMPLES, [str(count) for count in SAMPLES])
        axes.minorticks_off()
        axes.set(xlabel="trained cells in the training set", ylabel=title)
        dress(axes)
    panels[0].set_yscale("log")
    panels[0].set_yticks((50, 100, 200, 400), ("50", "100", "200", "400"))
    panels[0].minorticks_off()
    panels[1].legend(frameon=False, labelcolor=INK, fontsize=9, loc="lower right")
    return figure


def study_evolution(table: Table, repeats: int) -> list[dict]:
    """Regret against the best cell under each ceiling, by method and number of queries."""
    results = []
    for repeat in range(repeats):
        predictor, asked, seconds = learn(table, repeat)
        for ceiling in CEILINGS:
            limits = Limits(max_macs=ceiling)
            within = limits.admit(table.costs)
            best = table.accuracies[within].max()
            generator = np.random.default_rng(repeat)
            drawn = generator.permutation(np.flatnonzero(within))[:QUERIES]
            begun = time.perf_counter()
            found = evolve(
                table.problem,
                Scorer(table.problem, predictor),
                limits,
                np.random.default_rng(repeat),
                known=asked,
                seed=repeat,
            )
            seconds_evolving = time.perf_counter() - begun
            # Queries are shared by all ceilings: those below this ceiling count here.
            below = asked[limits.admit(table.problem.costs(asked))]
            finalists = table(np.concatenate([below, found.genes[:FINALISTS]]))
            curves = {
                "random search": np.maximum.accumulate(table.accuracies[drawn]),
                "evolution on the table": direct(table, limits, repeat),
                "predictor and evolution": np.array([finalists.max()]),
            }
            results += [
                {
                    "ceiling": ceiling,
                    "repeat": repeat,
                    "method": method,
                    "regret": (best - curve).tolist(),
                    "seconds": seconds_evolving if "predictor" in method else None,
                }
                for method, curve in curves.items()
            ]
        if repeat == 0:
            print(f"stage 2 on the table: {seconds:.1f} s")
    return results


def learn(table: Table, seed: int) -> tuple[Predictor, np.ndarray, float]:
    """Run stage 2 without a ceiling; return predictor, queried cells and seconds."""
    begun = time.perf_counter()
    done = iterate(
        table.problem,
        table.problem.pool(4000, Limits(), seed),
        pretrained_predictor(table, seed),
        table.train,
        IterationOptions(rounds=ROUNDS, candidates=CANDIDATES, epochs=1, seed=seed),
    )
    return done.predictor, done.best_first(), time.perf_counter() - begun


def direct(table: Table, limits: Limits, seed: int) -> np.ndarray:
    """Best accuracy after each query of an evolution that is scored by the table itself."""
    seen: list[float] = []

    def score(genes: np.ndarray) -> np.ndarray:
        seen.extend(table(genes))
        return table(genes)

    generator = np.random.default_rng(seed)
    evolve(table.problem, score, limits, generator, seed=seed, options=DIRECT)
    return np.maximum.accumulate(seen)[:QUERIES]


def print_evolution(results: list[dict], table: Table) -> None:
    methods = list(dict.fromkeys(row["method"] for row in results))
    print(f"\nregret (points) after {QUERIES} queries: mean ± standard deviation, median")
    for ceiling in CEILINGS:
        within = Limits(max_macs=ceiling).admit(table.costs)
        print(
            f"{ceiling / 1e6:.0f} M: {within.sum()} cells, best "
            f"{table.accuracies[within].max():.2f} %"
        )
        for method in methods:
            last = [
                row["regret"][-1]
                for row in results
                if row["ceiling"] == ceiling and row["method"] == method
            ]
            print(
                f"  {method:26s} {np.mean(last):.3f} ± {np.std(last, ddof=1):.3f}, "
                f"{np.median(last):.3f}; optimum found {np.sum(np.array(last) < 1e-9)} of "
                f"{len(last)}"
            )
    seconds = [row["seconds"] for row in results if row["seconds"] is not None]
    print(f"evolution under one ceiling: {np.mean(seconds):.2f} s, at most {max(seconds):.2f} s")


def plot_evolution(results: list[dict]) -> Figure:
    figure = Figure(figsize=(11.5, 3.3), layout="constrained")
    panels = figure.subplots(1, len(CEILINGS), sharey=True)
    for axes, ceiling in zip(panels, CEILINGS, strict=True):
        for number, method in enumerate(dict.fromkeys(row["method"] for row in results)):
            rows = [r for r in results if r["ceiling"] == ceiling and r["method"] == method]
            curves = np.array([row["regret"] for row in rows])
            mean, error = curves.mean(axis=0), curves.std(axis=0, ddof=1) / np.sqrt(len(curves))
            if curves.shape[1] == 1:
                axes.errorbar(
                    [QUERIES], mean, error, fmt="D", color=CURVES[number], label=method, ms=5
                )
                continue
            queries = np.arange(1, curves.shape[1] + 1)
            axes.plot(queries, mean, color=CURVES[number], label=method)
            axes.fill_between(
                queries, mean - error, mean + error, color=CURVES[number], alpha=0.2, lw=0
            )
        axes.set_title(f"up to {ceiling / 1e6:.0f} M multiply-adds", fontsize=10, color=INK)
        axes.set(xlabel="queries", ylim=(0, 4))
        dress(axes)
    panels[0].set_ylabel("regret (points), mean ± standard error")
    panels[-1].legend(frameon=False, labelcolor=INK, fontsize=8)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=("pretraining", "evolution"))
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, default=Path("."))
    parser.add_argument("--column", default="cifar10_valid_acc")
    parser.add_argument(
        "--repeats", type=int, help="training sets (default 10) or runs (default 30)"
    )
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {platform.machine()}, 1 thread; column {parsed.column}")
    begun = time.perf_counter()
    table = Table(parsed.table, parsed.column)
    if parsed.study == "pretraining":
        results = study_pretraining(table, range(parsed.repeats or 10))
        print_pretraining(results)
        figure = plot_pretraining(results)
    else:
        results = study_evolution(table, parsed.repeats or 30)
        print_evolution(results, table)
        figure = plot_evolution(results)
    parsed.out.mkdir(parents=True, exist_ok=True)
    path = parsed.out / f"joint-nb201-{parsed.study}"
    path.with_suffix(".json").write_text(json.dumps(results))
    write_figure(figure, path)
    print(f"\n{time.perf_counter() - begun:.0f} s; {path}.svg")


if __name__ == "__main__":
    main()
