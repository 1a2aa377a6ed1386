"""Commands that make or read a run: search, evaluate, predict, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from darts.commands.compare import asks_for_comparison, compare_command
from darts.commands.shared import Arguments, by_all_processes, print_hint
from darts.run_files import RunFiles
from darts.settings.parsing import parse_options


@by_all_processes
def search_command(arguments: Sequence[str], prog: str) -> None:
    from darts import api
    from darts.searching.options import SearchOptions, search_overlay

    options = parse_options(SearchOptions, arguments, prog=prog, overlay=search_overlay)
    result = api.run_search(options)
    print_hint()
    print(f"genotype             {RunFiles(result.run_dir).genotype}")
    print(f"derived network      {_derived(result.derived)}")
    print(f"validation accuracy  {result.validation_accuracy:.2f} % (supernet, last epoch)")
    print(f"time                 {result.seconds:.0f} s")
    print(f"run directory        {result.run_dir}")


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
        text += f"\n{'':21}no cell was found that keeps the ceilings"
    elif changed := costs["operations_changed"]:
        text += f"\n{'':21}{changed} operations exchanged to keep the ceilings"
    return text


@by_all_processes
def evaluate_command(arguments: Sequence[str], prog: str) -> None:
    if asks_for_comparison(arguments):
        compare_command(arguments, prog)
        return
    from darts.training.options import TrainingOptions, training_overlay

    options = parse_options(TrainingOptions, arguments, prog=prog, overlay=training_overlay)
    if options.test_only:
        from darts.training.scoring import score_checkpoint

        scores = score_checkpoint(options)
        print(f"test accuracy  {scores.accuracy:.2f} % (top 5: {scores.top5_accuracy:.2f} %)")
        return
    from darts import api
    from darts.training.card import network_card
    from darts.training.choice import plan_training

    plan = plan_training(options)
    print(network_card(plan.options, plan.model), flush=True)
    result = api.run_training(plan)
    scores = result.scores
    print(
        f"test accuracy  {scores.accuracy:.2f} % (last epoch; top 5: {scores.top5_accuracy:.2f} %)"
    )
    if (average := result.average_scores) is not None:
        print(f"mean weights   {average.accuracy:.2f} % (top 5: {average.top5_accuracy:.2f} %)")
    print(f"time           {result.seconds:.0f} s")
    print(f"run directory  {result.run_dir}")


def predict_command(arguments: Sequence[str], prog: str) -> None:
    parser = Arguments(prog=prog, description="Say what an image file shows.")
    parser.add_argument("image", type=Path, nargs="+")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="checkpoint.pt or run directory"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--best", type=int, default=5, help="number of classes to print")
    parsed = parser.parse_args(arguments)
    from darts.system.device import resolve_device
    from darts.training import predict as prediction

    trained = prediction.load_trained(parsed.checkpoint, resolve_device(parsed.device))
    for image in parsed.image:
        print(image)
        for name, probability in prediction.predict(trained, image, parsed.best):
            print(f"  {100 * probability:6.2f} %  {name}")


def report_command(arguments: Sequence[str], prog: str) -> None:
    parser = Arguments(prog=prog, description="Write report.html, or a comparison of runs.")
    parser.add_argument("run", type=Path, nargs="+", help="run directories")
    parsed = parser.parse_args(arguments)
    from darts import api

    print(api.report(parsed.run))
