"""Commands that create or read a run: `search`, `evaluate` and `report`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.commands.compare import asks_for_comparison, compare_command
from darts.commands.help_pages import EVALUATE, SEARCH
from darts.commands.shared import (
    FIT_TRAINING,
    Arguments,
    by_all_processes,
    imported_fit,
    print_result,
    print_table,
    without_json,
)
from darts.run_files import RunFiles
from darts.settings.parsing import parse_options

_FIT_SEARCH = imported_fit("darts.searching.fitting:fit_search")
# Measured: docs/results.md.
_SHORT_SEARCH = """\
A single search is one draw: its cell may be no better than a random one of its cost. To choose
among several searches and random cells by short trainings, which also says whether the search
beats chance: --seeds 4 --random-cells 8. To compare this cell with random cells of its cost:
evaluate.py --genotype {} --baseline random-cells"""

if TYPE_CHECKING:
    from darts.searching.result import CellSearchResult
    from darts.sweeps.chosen import ChosenCell
    from darts.sweeps.repeat_options import ManyTrainingOptions
    from darts.targets.scores import Scores


@by_all_processes
def search_command(arguments: Sequence[str], prog: str) -> None:
    """Search a cell, or choose one of several searches; print where it is and what it costs."""
    from darts import api
    from darts.searching.options import search_overlay
    from darts.sweeps.choice_options import ManySearchOptions

    arguments, as_json = without_json(arguments)
    options = parse_options(
        ManySearchOptions,
        arguments,
        prog=prog,
        overlay=search_overlay,
        fit=_FIT_SEARCH,
        page=SEARCH,
    )
    options.check_choice()
    if options.seeds is not None:
        chosen = api.run_seeds(options)
        if as_json:
            print_result(chosen.run_dir, RunFiles(chosen.run_dir).result)
        else:
            _print_choice(chosen)
        return
    result = api.run_search(options.search)
    if as_json:
        print_result(result.run_dir, RunFiles(result.run_dir).result)
        return
    _print_cell(result)
    if result.stopped:
        print(f"stopped early        {result.stopped}")
    name = "validation accuracy" if result.measure == "accuracy" else "validation mAP"
    print(f"{name:20} {result.validation_accuracy:.2f} % (supernet, last epoch)")
    print(f"time                 {result.seconds:.0f} s")
    print(f"run directory        {result.run_dir}")
    run = RunFiles(result.run_dir)
    print(f"report               {run.report}")
    retrain = f"evaluate.py --genotype {run.genotype}"
    if options.search.preset in ("quick", "smoke"):
        retrain += f" --preset {options.search.preset}"
    if options.search.image_size is not None:
        retrain += f" --image-size {options.search.image_size}"
    print(f"next                 {retrain}  (trains the cell's network from scratch)")
    if options.search.preset == "quick":
        print(f"\n{_SHORT_SEARCH.format(RunFiles(result.run_dir).genotype)}")


def _print_choice(result: ChosenCell) -> None:
    from darts.sweeps.chosen import outcome_table

    print_table(outcome_table([*result.outcomes, *result.random], result.choice))
    print()
    _print_cell(result)
    print(f"time                 {result.seconds:.0f} s")
    print(f"run directory        {result.run_dir}\n")
    print("\n".join(result.sentences()))


def _print_cell(result: CellSearchResult) -> None:
    from genotypes.nasbench201 import arch_string, official_index
    from genotypes.published_spaces import NASBENCH201

    print(f"genotype             {RunFiles(result.run_dir).genotype}")
    if result.genotype.rules == NASBENCH201:
        number = official_index(result.genotype)
        print(f"NAS-Bench-201        {arch_string(result.genotype)} (number {number})")
    if result.known is not None:
        from darts.report.known_accuracies import known_words

        print(f"known accuracy       {known_words(result.known)}")
    print(f"derived network      {_derived(result.derived)}")


def _derived(costs: Mapping[str, Any]) -> str:
    from darts.costs.ceilings import words

    target = costs["target"]
    text = (
        f"{words('macs', costs['macs'])}, {words('params', costs['params'])} "
        f"({target['layers']} cells, {target['channels']} channels, {target['resolution']} pixels)"
    )
    if "latency" in costs:
        text += f", {words('latency', costs['latency'])}"
    if not costs["ceilings_kept"]:
        text += f"\n{'':21}no cell within the ceilings was found"
    elif changed := costs["operations_changed"]:
        text += f"\n{'':21}{changed} operations replaced to keep the ceilings"
    return text


@by_all_processes
def evaluate_command(arguments: Sequence[str], prog: str) -> None:
    """Retrain a network or test a checkpoint; with `--baseline`, run `compare`."""
    if asks_for_comparison(arguments):
        compare_command(arguments, prog)
        return
    from darts.sweeps.repeat_options import ManyTrainingOptions
    from darts.training.options import training_overlay

    arguments, as_json = without_json(arguments)
    many = parse_options(
        ManyTrainingOptions,
        arguments,
        prog=prog,
        overlay=training_overlay,
        fit=FIT_TRAINING,
        page=EVALUATE,
    )
    many.check_repeats()
    if many.seeds is not None:
        _train_many(many, as_json)
        return
    options = many.training
    if options.test_only:
        from darts.training.scoring import score_checkpoint

        scores = score_checkpoint(options)
        if as_json:
            from darts.targets.scores import class_rows

            print(json.dumps({**scores.as_dict(), "classes": class_rows(scores)}))
            return
        print(_summary("test ", scores.lines()))
        _print_classes(scores)
        return
    from darts import api
    from darts.training.card import network_card
    from darts.training.choice import plan_training

    plan = plan_training(options)
    if not as_json:
        print(network_card(plan.options, plan.model), flush=True)
    result = api.run_training(plan)
    if as_json:
        print_result(result.run_dir, RunFiles(result.run_dir).result)
        return
    print(_summary("test ", result.scores.lines(), "last epoch; "))
    if (average := result.average_scores) is not None:
        print(_summary("mean weights, ", average.lines()))
    _print_classes(result.scores)
    print(f"time           {result.seconds:.0f} s")
    print(f"run directory  {result.run_dir}")
    print(f"report         {RunFiles(result.run_dir).report}")
    print(f"next           python -m darts predict --checkpoint {result.run_dir} IMAGE")


def _train_many(options: ManyTrainingOptions, as_json: bool) -> None:
    from darts import api

    if not (options.resume or as_json):
        from darts.training.card import network_card
        from darts.training.choice import plan_training

        plan = plan_training(options.training)
        print(network_card(plan.options, plan.model), flush=True)
    result = api.run_repeats(options)
    if as_json:
        print_result(result.run_dir, RunFiles(result.run_dir).result)
        return
    print()
    print_table(result.rows())
    print(f"\n{result.sentence()}")
    for seed, error in result.errors.items():
        lines = error.strip().splitlines() or ["unknown reason"]
        print(f"seed {seed} failed: {lines[-1]}")
    print(f"time           {result.seconds:.0f} s")
    print(f"run directory  {result.run_dir}")


def _summary(what: str, lines: Sequence[tuple[str, str]], note: str = "") -> str:
    """The main measure with the others in brackets."""
    (name, value), *further = lines
    others = "; ".join(f"{other}: {number}" for other, number in further)
    return f"{what + name:14} {value} ({note}{others})"


def _print_classes(scores: Scores) -> None:
    """Print the scores of each class, or of the worst of many."""
    from darts.targets.scores import class_rows, class_table, table_title

    rows = class_rows(scores)
    for remark in scores.remarks():
        print(f"note           {remark}")
    print(f"\n{table_title(rows)}:")
    print_table(class_table(rows))
    print()


def report_command(arguments: Sequence[str], prog: str) -> None:
    """Write the report of one run or a comparison of several, and print its path."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Write the page of a run of any kind (search, training, joint search, sweep, "
        "comparison …), or one page that compares several runs: costs, accuracy over cost, curves.",
        examples=[
            ("runs/…", "the page of a run, also while it is under way"),
            ("runs/a runs/b -o both.html", "two runs side by side"),
            ("runs/a runs/b --latency --batch 64", "with the latency of their networks"),
        ],
    )
    parser.add_argument("run", type=Path, nargs="+", help="run directories")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the page; by default report.html in the run, or a new comparison.html beside the "
        "first of several",
    )
    parser.add_argument(
        "--latency", action="store_true", help="time the trained networks of several runs here"
    )
    parser.add_argument("--batch", type=int, default=1, help="images of a timed pass; by default 1")
    parser.add_argument("--device", default="auto", help="of the timed passes: cpu, cuda …")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch decides")
    parsed = parser.parse_args(arguments)
    from darts import api

    timed = {name: getattr(parsed, name) for name in ("latency", "batch", "device", "threads")}
    print(api.report(parsed.run, parsed.output, **timed))
