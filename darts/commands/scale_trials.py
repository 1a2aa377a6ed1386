"""The commands `scale grid` and `scale study`, which train scaled models.

`grid` searches alpha, beta and gamma; `study` compares compound scaling with scaling one dimension.
"""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.commands.scale_arguments import add_coefficients, coefficients_of
from darts.commands.shared import FIT_TRAINING, Arguments, print_table
from darts.errors import UserError

if TYPE_CHECKING:
    from darts.scaling.bases import Base
    from darts.scaling.grid import Verdict
    from darts.scaling.options import ScalingOptions
    from darts.training.options import TrainingOptions

_RECIPE = (
    "All other options are those of evaluate.py (--dataset, --epochs, --train-images …) and of "
    "trials (--executor, --parallel, --retry-failed, and for Ray --cpus-per-trial and "
    "--gpus-per-trial); --channels, --layers and --image-size describe the unscaled network. "
    "Trials are stored in OUTPUT/trials.sqlite: to continue after an interruption, repeat the "
    "command."
)


def scale_grid_command(arguments: Sequence[str], prog: str) -> None:
    """Train the networks of the grid, print the table and the winner, and write plot and JSON."""
    parser = _parser(
        prog,
        "Find alpha, beta and gamma: train the network scaled to twice its multiply-adds in every "
        "way of a grid with alpha · beta² · gamma² near 2. Every fifth training image of each "
        f"class is held out to score them; the test set is not used. {_RECIPE}",
    )
    parser.add_argument("--step", type=float, default=0.1, help="step of the grid, from 1")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.1,
        help="largest distance of alpha · beta² · gamma² from 2",
    )
    parsed, options, base = _prepare(parser, arguments, prog, hold_out=5)
    from darts.scaling.grid import judge, plan_grid, triples
    from darts.scaling.report import GRID, write_scaling_report

    candidates = triples(parsed.step, parsed.tolerance)
    fits = plan_grid(base, candidates)
    measured = _train(parsed, options, [found.rung for found in fits], "grid")
    verdict = judge(candidates, fits, measured)
    _write_json(parsed.output / GRID, verdict.as_dict())
    _describe(parsed, options, prog, arguments)
    page = write_scaling_report(parsed.output)
    if parsed.json:
        print(json.dumps(verdict.as_dict()))
        return
    _print_grid(verdict)
    print(f"report  {page}")


def scale_study_command(arguments: Sequence[str], prog: str) -> None:
    """Train each strategy at each budget, print the table, and write plot and JSON."""
    parser = _parser(
        prog,
        "Compare scaling one dimension with scaling all of them, at equal multiply-adds: accuracy "
        f"for each strategy and budget. {_RECIPE}",
    )
    parser.add_argument("--budgets", nargs="+", required=True, help="multiply-adds: 20M 40M")
    parser.add_argument(
        "--strategies",
        nargs="+",
        default=["compound", "width", "depth", "resolution"],
        help="by default compound width depth resolution",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.02,
        help="largest deviation from a budget, as a share of it",
    )
    add_coefficients(parser)
    parser.add_argument("--plan", action="store_true", help="list the networks without training")
    parsed, options, base = _prepare(parser, arguments, prog)
    from darts.scaling.report import STUDY, write_scaling_report
    from darts.scaling.study import plan_study, tabulate
    from darts.scaling.training import Measured, rung_key
    from darts.settings.quantities import parse_count

    budgets = [parse_count(text, "--budgets") for text in parsed.budgets]
    compound = coefficients_of(parsed)
    planned = plan_study(base, parsed.strategies, budgets, compound, parsed.tolerance)
    if parsed.plan:
        nothing = Measured(accuracies=())
        rows = tabulate(planned, {rung_key(each.rung): nothing for each in planned.values()})
        _print_study(rows)
        return
    measured = _train(parsed, options, [found.rung for found in planned.values()], "study")
    rows = tabulate(planned, measured)
    _write_json(parsed.output / STUDY, rows)
    _describe(parsed, options, prog, arguments)
    page = write_scaling_report(parsed.output)
    if parsed.json:
        print(json.dumps(rows))
        return
    _print_study(rows)
    print(f"report  {page}")


def _parser(prog: str, description: str) -> Arguments:
    # With abbreviations, --seed, an option of the training, would be read as --seeds.
    parser = Arguments(prog=prog, description=description, allow_abbrev=False)
    parser.add_argument("model", help="genotype or network: a name, or a YAML file")
    parser.add_argument("--seeds", type=int, default=1, help="number of trainings per network")
    parser.add_argument("-o", "--output", type=Path, required=True, help="directory of results")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def _prepare(
    parser: Arguments, arguments: Sequence[str], prog: str, *, hold_out: int = 0
) -> tuple[Namespace, ScalingOptions, Base]:
    """Return the options of the command, those of the training, and the unscaled model.

    Opens the data set, so that wrong data are reported before any training starts.

    Raises:
        UserError: An option or the data set is wrong.
    """
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"):
        raise UserError(f"{prog}: the model comes first, then the options.")
    parsed, rest = parser.parse_known_args(arguments)
    if parsed.seeds < 1:
        raise UserError(f"--seeds {parsed.seeds}: must be at least 1.")
    from darts.data.sources import open_dataset
    from darts.models.registry import find_model
    from darts.models.stems import choose_stem
    from darts.scaling.bases import create_base
    from darts.scaling.options import ScalingOptions
    from darts.settings.parsing import parse_options
    from darts.training.options import training_overlay
    from genotypes import Genotype

    model = find_model(parsed.model)
    cells = isinstance(model, Genotype)
    if not any(flag.split("=")[0] in ("--hold-out", "--hold_out") for flag in rest):
        rest = [*rest, f"--hold-out={hold_out}"]
    options = parse_options(
        ScalingOptions,
        [f"--{'genotype' if cells else 'model'}={parsed.model}", *rest],
        prog=prog,
        overlay=training_overlay,
        fit=FIT_TRAINING,
    )
    if hold_out and not options.hold_out:
        raise UserError(
            "--hold-out 0: the test set must not choose the coefficients. Leave the option out, or "
            "give 2 or more."
        )
    dataset = open_dataset(options, options.seed)
    base = create_base(
        model,
        stem=choose_stem(options.stem, dataset.image_size),
        channels=options.channels if cells else None,
        layers=options.layers if cells else None,
        resolution=dataset.image_size,
        num_classes=dataset.num_classes,
    )
    return parsed, options, base


def _train(parsed: Namespace, options: ScalingOptions, rungs: list[Any], title: str) -> Any:
    from darts.scaling.training import train_rungs
    from darts.training.options import training_of
    from darts.trials.executors import trial_resources
    from darts.trials.schema import TRIALS_FILE
    from darts.trials.store import TrialStore

    device, resources = trial_resources(options, options.device)
    with TrialStore(parsed.output / TRIALS_FILE) as store:
        if options.retry_failed:
            store.retry_failed()
        measured = train_rungs(
            store,
            rungs,
            training_of(options, device=device),
            [options.seed + number for number in range(parsed.seeds)],
            title=title,
            executor=options.executor,
            resources=resources,
        )
        for trial in store.rows():
            if trial.error is not None:
                print(f"failed  {trial.key}: {trial.error.splitlines()[-1]}")
    return measured


def _print_grid(verdict: Verdict) -> None:
    titles = ("alpha beta gamma", "depth", "width", "pixels", "macs", "accuracy", "seeds")
    lines: list[tuple[str, ...]] = [titles]
    for values in verdict.rows:
        names = [" ".join(f"{number:g}" for number in each) for each in values["coefficients"]]
        lines.append(
            (
                names[0] + (f" (and {len(names) - 1} more)" if len(names) > 1 else ""),
                str(values["depth"]),
                f"{values['width']:.3f}",
                str(values["resolution"]),
                f"{values['macs']:,}",
                _accuracy(values),
                str(values["seeds"]),
            )
        )
    print_table(lines)
    best = verdict.rows[0]["coefficients"][0]
    print("winner  --alpha {:g} --beta {:g} --gamma {:g}".format(*best))
    if verdict.error is None:
        print("noise   unknown with one seed; give --seeds 3 or more")
    elif verdict.gap is not None:
        print(
            f"noise   {verdict.noise:.2f} points between seeds; the winner is {verdict.gap:.2f} "
            f"ahead, {verdict.gap / max(verdict.error, 1e-9):.1f} standard errors; "
            f"{verdict.equals} of {len(verdict.rows)} networks lie within two"
        )


def _print_study(rows: Sequence[dict[str, Any]]) -> None:
    titles = ("strategy", "budget", "depth", "channels", "pixels", "params", "macs", "off")
    lines: list[tuple[str, ...]] = [(*titles, "accuracy", "seeds", "compound is better by")]
    for values in rows:
        advantage, error = values.get("advantage"), values.get("error")
        better = "" if advantage is None else f"{advantage:+.2f}"
        lines.append(
            (
                values["strategy"],
                values["name"],
                *(str(values[name]) for name in ("depth", "channels", "resolution")),
                f"{values['params']:,}",
                f"{values['macs']:,}",
                f"{100 * values['off']:+.1f} %" if "off" in values else "",
                _accuracy(values),
                str(values["seeds"]),
                better if error is None else f"{better} ± {error:.2f}",
            )
        )
    print_table(lines)


def _accuracy(values: dict[str, Any]) -> str:
    if values["accuracy"] is None:
        return "none"
    deviation = values["deviation"]
    return f"{values['accuracy']:.2f}" + ("" if deviation is None else f" ± {deviation:.2f}")


def _title(parsed: Namespace, options: TrainingOptions) -> str:
    data = Path(str(options.dataset).split(":")[-1]).name
    epochs = f"{options.epochs} epoch{'s' if options.epochs > 1 else ''}"
    return f"{Path(parsed.model).stem} on {data}, {epochs}"


def _describe(
    parsed: Namespace, options: TrainingOptions, prog: str, arguments: Sequence[str]
) -> None:
    from darts.scaling.report import ScalingDescription

    command = shlex.join([*prog.split(), *arguments])
    ScalingDescription(title=_title(parsed, options), command=command).write(parsed.output)


def _write_json(path: Path, values: Any) -> None:
    from darts.files import atomic_write

    with atomic_write(path) as stream:
        json.dump(values, stream, indent=1)
