"""Commands of sweeps: `sweep` and `sweep show`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.commands.shared import Arguments, add_trial_arguments
from darts.errors import UserError
from darts.searching.options import SearchOptions
from darts.settings.parsing import given_settings
from darts.sweeps.options import SweepOptions, parse_assignment, parse_grid, parse_seeds
from darts.training.options import TrainingOptions

if TYPE_CHECKING:
    from darts.sweeps.sweep_outcome import SweepOutcome

_DESCRIPTION = """\
Search with several methods, settings and seeds, and compare the cells.

All flags of a search (python search.py --help) may be added; they hold for all searches. The same
command continues a sweep that was stopped. More seeds, methods or values of --set extend it.
"""


def sweep_command(arguments: Sequence[str], prog: str) -> None:
    """Run a sweep, write its report and print its tables."""
    options, as_json = parse_sweep(arguments, prog)
    from darts import api

    _print(api.run_sweep(options), as_json)


def sweep_show_command(arguments: Sequence[str], prog: str) -> None:
    """Print the tables of what is done of a sweep, which may still run."""
    parser = Arguments(prog=prog, description="Show a sweep; it may still be running.")
    parser.add_argument("directory", type=Path, help="--out of the sweep")
    parser.add_argument("--table", metavar="FILE", help="judge by another table, or by one at all")
    parser.add_argument("--reference", metavar="NAME", help="compare with this configuration")
    parser.add_argument("--json", action="store_true", help="print JSON, as in sweep.json")
    parsed = parser.parse_args(arguments)
    from darts.sweeps.directory import read_sweep
    from darts.sweeps.sweep_outcome import outcome_of

    given = {name: getattr(parsed, name) for name in ("table", "reference")}
    changes = {name: value for name, value in given.items() if value is not None}
    if parsed.table is not None:
        changes["retrain"], changes["retraining"] = 0, {}
    _print(outcome_of(read_sweep(parsed.directory, **changes)), parsed.json)


def _print(outcome: SweepOutcome, as_json: bool) -> None:
    from darts.sweeps.sweep_report import outcome_json, outcome_text

    if as_json:
        print(outcome_json(outcome))
        return
    print(outcome_text(outcome))
    page = Path(outcome.record.options.out) / "report.html"
    if page.is_file():
        print(f"\nreport  {page}")


def parse_sweep(arguments: Sequence[str], prog: str) -> tuple[SweepOptions, bool]:
    """The options that the arguments of `sweep` stand for, and whether to print JSON.

    Flags that the sweep does not have itself are settings of all searches.

    Raises:
        UserError: An argument is wrong.
    """
    parser = _parser(prog)
    flags = {flag for action in parser._actions for flag in action.option_strings}
    own, others = _divided(arguments, flags)
    parsed = parser.parse_args(own)
    settings = given_settings(SearchOptions, others, prog=prog)

    def typed(cls: Any, name: str, text: str, flag: str) -> Any:
        try:
            return given_settings(cls, [f"--{name}={text}"], prog=prog)[name]
        except UserError as error:
            raise UserError(f"{flag}: {error}") from None

    def assigned(cls: Any, texts: Sequence[str], flag: str) -> dict[str, Any]:
        pairs = dict(parse_assignment(text, flag) for text in texts)
        return {name: typed(cls, name, text, flag) for name, text in pairs.items()}

    owned: dict[str, dict[str, Any]] = {}
    for method, *texts in parsed.of_method:
        if not texts:
            raise UserError(f"--for {method}: NAME=VALUE is missing, such as epochs=10.")
        known = owned.setdefault(method, {})
        known.update(assigned(SearchOptions, texts, f"--for {method}"))
    options = SweepOptions(
        out=parsed.out or "",
        methods=[name for text in parsed.methods for name in text.split(",") if name],
        seeds=parse_seeds(parsed.seeds),
        settings=settings,
        grid=parse_grid(
            [text for texts in parsed.grid for text in texts],
            lambda name, text: typed(SearchOptions, name, text, "--set"),
        ),
        own=owned,
        reference=parsed.reference,
        table=parsed.table,
        retrain=parsed.retrain,
        retraining=assigned(TrainingOptions, parsed.retrain_with, "--retrain-with"),
        random_cells=parsed.random_cells,
        executor=parsed.executor,
        parallel=parsed.parallel,
        cpus_per_trial=parsed.cpus_per_trial,
        gpus_per_trial=parsed.gpus_per_trial,
        retry_failed=parsed.retry_failed,
    )
    return options, parsed.json


def _divided(arguments: Sequence[str], flags: set[str]) -> tuple[list[str], list[str]]:
    """The arguments from each known flag to the next flag, and all others."""
    own: list[str] = []
    others: list[str] = []
    target = others
    for argument in arguments:
        if argument.startswith("-") and not argument.lstrip("-")[:1].isdigit():
            name = argument.split("=")[0].replace("_", "-")
            target = own if name in flags else others
            argument = name + argument[len(name) :]
        target.append(argument)
    return own, others


def _parser(prog: str) -> Arguments:
    parser = Arguments(
        prog=prog,
        description=_DESCRIPTION,
        examples=[
            (
                "--methods pc-darts darts gdas --seeds 3 --dataset digits --preset quick --out s",
                "three methods, three searches each",
            ),
            (
                "--set k=1,2,4 --seeds 3 --retrain 2 --dataset digits --preset quick --out k",
                "one setting, each cell judged by two short retrainings",
            ),
            ("show s", "what is done so far"),
        ],
    )
    add = parser.add_argument
    add("--methods", nargs="+", default=[], metavar="NAME", help="search methods")
    add(
        "--seeds",
        nargs="+",
        default=["0..4"],
        metavar="N",
        help="seeds such as 0..4 or 0 3 7; one number alone says how many; by default 0..4",
    )
    add(
        "--set",
        dest="grid",
        nargs="+",
        action="append",
        default=[],
        metavar="NAME=VALUE,VALUE",
        help="a setting of the search with several values (k=1,2,4); all combinations are searched",
    )
    add(
        "--for",
        dest="of_method",
        nargs="+",
        action="append",
        default=[],
        metavar=("METHOD", "NAME=VALUE"),
        help="settings of one method only: --for pc-darts arch-warmup-epochs=4",
    )
    add("--out", metavar="DIR", help="directory of the sweep")
    add("--reference", metavar="NAME", help="configuration to compare with; by default the first")
    add("--table", metavar="FILE", help="table of NAS-Bench-201 that judges the found cells")
    add(
        "--retrain",
        type=int,
        default=0,
        metavar="N",
        help="judge each cell by N short retrainings, on set-aside training images",
    )
    add(
        "--retrain-with",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="settings of the retrainings (python evaluate.py --help), such as epochs=10",
    )
    add(
        "--random-cells",
        type=int,
        default=0,
        metavar="N",
        help="also judge N random cells, found without a search",
    )
    add("--json", action="store_true", help="print JSON instead of tables")
    add_trial_arguments(parser, "searches")
    return parser
