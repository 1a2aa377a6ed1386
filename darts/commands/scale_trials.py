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
    from darts.scaling.grid import Verdict
    from darts.scaling.options import ScalingOptions
    from darts.scaling.run import Place

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
    parsed, options, place = _prepare(parser, arguments, prog, hold_out=5)
    from darts.scaling.run import run_grid

    found = run_grid(options, place, step=parsed.step, tolerance=parsed.tolerance)
    if parsed.json:
        print(json.dumps(found.verdict.as_dict()))
        return
    _print_failures(found.failures)
    _print_grid(found.verdict)
    print(f"report  {found.page}")


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
    parsed, options, place = _prepare(parser, arguments, prog)
    from darts.scaling.run import StrategyStudy, run_study
    from darts.settings.quantities import parse_count

    study = StrategyStudy(
        budgets=[parse_count(text, "--budgets") for text in parsed.budgets],
        strategies=parsed.strategies,
        compound=coefficients_of(parsed),
        tolerance=parsed.tolerance,
    )
    found = run_study(options, study, place, plan_only=parsed.plan)
    if parsed.json:
        print(json.dumps(found.rows))
        return
    _print_failures(found.failures)
    _print_study(found.rows)
    if found.page is not None:
        print(f"report  {found.page}")


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
) -> tuple[Namespace, ScalingOptions, Place]:
    """Return the options of the command, those of the training, and where results go.

    Raises:
        UserError: An option or the data set is wrong.
    """
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"):
        raise UserError(f"{prog}: the model comes first, then the options.")
    parsed, rest = parser.parse_known_args(arguments)
    from darts.models.registry import find_model
    from darts.scaling.options import ScalingOptions
    from darts.scaling.run import Place
    from darts.settings.parsing import parse_options
    from darts.training.options import training_overlay
    from genotypes import Genotype

    place = Place(
        output=parsed.output,
        seeds=parsed.seeds,
        command=_again(prog, arguments, parsed.output),
    )
    cells = isinstance(find_model(parsed.model), Genotype)
    if not any(flag.split("=")[0] in ("--hold-out", "--hold_out") for flag in rest):
        rest = [*rest, f"--hold-out={hold_out}"]
    options = parse_options(
        ScalingOptions,
        [f"--{'genotype' if cells else 'model'}={parsed.model}", *rest],
        prog=prog,
        overlay=training_overlay,
        fit=FIT_TRAINING,
    )
    return parsed, options, place


def _print_failures(failures: Sequence[str]) -> None:
    for failure in failures:
        print(f"failed  {failure}")


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


def _again(prog: str, arguments: Sequence[str], output: Path) -> str:
    """The command that does the same in a new directory: in the old one everything is done."""
    new = f"{output.resolve().name}-again"
    changed = {str(output): new, f"--output={output}": f"--output={new}"}
    return shlex.join([*prog.split(), *(changed.get(one, one) for one in arguments)])
