"""Commands of the joint search: `joint search`, `evolve`, `predict` and `show`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from darts.commands.help_pages import JOINT
from darts.commands.shared import FIT_TRAINING, Arguments, print_table
from darts.errors import UserError
from darts.files import plain_yaml, read_yaml_file
from darts.settings.parsing import parse_options
from darts.settings.quantities import parse_millions

_NONE = ("none", "–", "–", "–")
"""What a row of `joint evolve` says where no candidate is within the limits."""

if TYPE_CHECKING:
    from darts.joint.answers import EvolvedCandidate
    from darts.joint.space import Space


def joint_search_command(arguments: Sequence[str], prog: str) -> None:
    """Run a joint search, write its report and print the best candidates."""
    from darts.joint.options import JointOptions, joint_overlay

    options = parse_options(
        JointOptions, arguments, prog=prog, overlay=joint_overlay, fit=FIT_TRAINING, page=JOINT
    )
    from darts import api
    from darts.joint.answers import cost_words
    from darts.joint.directory import BEST

    result = api.run_joint(options)
    measured, accuracies = result.iteration.measured()
    costs = result.evolved.costs
    print(f"trials          {len(measured)} completed, {result.seconds:.0f} s of training")
    print(f"early stop      epoch {result.iteration.stop_epoch} of {options.epochs}")
    print(f"best measured   {accuracies.max():.2f} % (held-out images), {result.run_dir / BEST}")
    words = cost_words(costs.macs[0], costs.params[0])
    print(f"best predicted  {result.evolved.scores[0]:.2f} %, {words}")
    print(f"run directory   {result.run_dir}")


def joint_evolve_command(arguments: Sequence[str], prog: str) -> None:
    """Find the best candidate under each ceiling and write its recipe."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Find the best candidates under ceilings with the predictor of a search.",
    )
    parser.add_argument("run", type=Path, help="directory of a joint search")
    parser.add_argument(
        "--max-macs",
        nargs="+",
        metavar="N",
        help="ceilings such as 50M or 0.4G (a plain number: millions), one result for each; by "
        "default that of the search",
    )
    parser.add_argument("--max-params", metavar="N", help="ceiling, such as 5.2M")
    parser.add_argument("--min-macs", metavar="N", help="floor, such as 20M")
    parser.add_argument(
        "--target-macs",
        metavar="N",
        help="maximise accuracy · (multiply-adds / N) ** exponent instead, such as 400M",
    )
    parser.add_argument(
        "--cost-exponent",
        type=float,
        default=-0.07,
        help="the exponent of --target-macs; -0.07 as for EfficientNet-B0",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the evolution")
    parsed = parser.parse_args(arguments)
    from darts.joint.answers import evolve_within
    from darts.joint.directory import limits_of, read_search
    from darts.joint.problem import NoCandidate
    from darts.joint.query import trade_off_of

    record = read_search(parsed.run)
    trade_off = trade_off_of(parsed.target_macs, parsed.cost_exponent)
    rows: list[tuple[str, ...]] = [
        ("ceiling", "predicted", "multiply-adds", "parameters", "seconds", "recipe")
    ]
    failed: NoCandidate | None = None
    ceilings = parsed.max_macs or [record.config["max_macs"]]
    for ceiling in ceilings:
        limits = limits_of(parsed.min_macs, ceiling, parsed.max_params)
        try:
            found = evolve_within(record, limits, parsed.seed, trade_off)
            rows.append(_evolved_row(ceiling, found))
        except NoCandidate as error:
            failed = error
            rows.append(
                (_ceiling_words(ceiling), *_NONE, f"the cheapest has {error.cheapest:,.0f}")
            )
    if failed is not None and all(row[1:5] == _NONE for row in rows[1:]):
        raise failed
    print_table(rows)


def _evolved_row(ceiling: str | float | None, found: EvolvedCandidate) -> tuple[str, ...]:
    return (
        _ceiling_words(ceiling),
        f"{found.accuracy:.2f} %",
        f"{found.macs:,}",
        f"{found.params:,}",
        f"{found.seconds:.1f}",
        str(found.recipe),
    )


def _ceiling_words(ceiling: str | float | None) -> str:
    return "no ceiling" if ceiling is None else f"{parse_millions(ceiling, '--max-macs'):g} M"


def joint_predict_command(arguments: Sequence[str], prog: str) -> None:
    """Print predicted accuracy and cost of candidates."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Predict the accuracy of candidates with the predictor of a search.",
    )
    parser.add_argument("run", type=Path, help="directory of a joint search")
    parser.add_argument(
        "candidates",
        type=Path,
        nargs="?",
        help="YAML file: one candidate, or a list; by default the best of the search",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="variables to change in each candidate",
    )
    parsed = parser.parse_args(arguments)

    from darts.joint.directory import read_search
    from darts.joint.query import best_candidate, scorer_of

    record = read_search(parsed.run)
    scorer = scorer_of(record)
    if parsed.candidates is None:
        given = [best_candidate(record)]
    else:
        try:
            given = read_yaml_file(parsed.candidates)
        except (OSError, ValueError) as error:
            raise UserError(f"{parsed.candidates} cannot be read as YAML: {error}") from None
        given = given if isinstance(given, list) else [given]
        if not all(isinstance(row, dict) for row in given):
            raise UserError(
                f"{parsed.candidates}: a candidate must be a mapping from variables to values."
            )
    if unnamed := [pair for pair in parsed.set if "=" not in pair]:
        raise UserError(f"--set {unnamed[0]}: give NAME=VALUE.")
    changes = {name: plain_yaml(value) for name, _, value in (p.partition("=") for p in parsed.set)}
    genes = record.problem.space.genes([{**row, **changes} for row in given])
    scores, costs = scorer(genes), record.problem.costs(genes)
    rows = [("predicted accuracy", "multiply-adds", "parameters")]
    rows += [
        (f"{score:.2f} %", f"{macs:,.0f}", f"{params:,.0f}")
        for score, macs, params in zip(scores, costs.macs, costs.params, strict=True)
    ]
    print_table(rows)


def joint_show_command(arguments: Sequence[str], prog: str) -> None:
    """List the spaces, describe one, or write the report of a search."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="List the spaces, describe one, or report on a search.",
    )
    parser.add_argument(
        "what", nargs="?", help="space (names or files, joined by +), or directory of a search"
    )
    parsed = parser.parse_args(arguments)
    from darts.joint.space_file import find_joint_space, list_joint_spaces

    if parsed.what is None:
        rows = [("space", "networks", "variables", "architectures", "recipes")]
        rows += [_overview(find_joint_space(name)) for name in list_joint_spaces()]
        print_table(rows)
        print("\nJoin two with '+', as in darts-cell+recipe. A space may also be a YAML file.")
    elif Path(parsed.what).is_dir():
        print(_write_report(Path(parsed.what)))
    else:
        _describe(find_joint_space(parsed.what))


def _overview(space: Space) -> tuple[str, str, str, str, str]:
    architectures, recipes = space.part_size("architecture"), space.part_size("recipe")
    network = space.network or "any"
    return space.name, network, str(len(space)), _size(architectures), _size(recipes)


def _describe(space: Space) -> None:
    name, network, _, architectures, recipes = _overview(space)
    print(f"{name}: {architectures} architectures x {recipes} recipes, networks: {network}\n")
    rows = [("variable", "part", "values", "number", "sets")]
    for variable in space.variables:
        levels = variable.domain.levels
        sets = "" if variable.sets == (variable.name,) else ", ".join(variable.sets)
        number = "any" if levels is None else str(levels)
        rows.append((variable.name, variable.part, str(variable.domain), number, sets))
    print_table(rows)
    for constraint in space.constraints:
        print(f"constraint: {constraint.kind} {', '.join(constraint.names)}")
    for rule in space.rules:
        factors = ", ".join(f"{name} x {factor:g}" for name, factor in rule.factors)
        print(f"rule: where {rule.variable} is {rule.value}: {factors}")
    if space.about:
        print(f"\n{space.about}")


def _size(size: float) -> str:
    if size == float("inf"):
        return "any number"
    return f"{size:,.0f}" if size < 1e6 else f"{size:.1e}"


def _write_report(directory: Path) -> Path:
    from darts.joint.report import write_joint_report

    return write_joint_report(directory)
