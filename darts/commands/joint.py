"""Commands of the joint search: `joint search`, `evolve`, `predict` and `show`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.commands.help_pages import JOINT
from darts.commands.shared import FIT_TRAINING, Arguments, print_table
from darts.errors import UserError
from darts.files import plain_yaml, read_yaml_file
from darts.settings.parsing import options_from, parse_options
from darts.settings.quantities import parse_millions

_NONE = ("none", "–", "–", "–")
"""What a row of `joint evolve` says where no candidate is within the limits."""

if TYPE_CHECKING:
    from darts.joint.costs import Costs, Limits
    from darts.joint.directory import SearchRecord
    from darts.joint.query import TradeOff
    from darts.joint.space import Space


def joint_search_command(arguments: Sequence[str], prog: str) -> None:
    """Run a joint search, write its report and print the best candidates."""
    from darts.data.options import DataOptions
    from darts.joint.options import JOINT_PRESETS, JointOptions
    from darts.settings.options import names_of
    from darts.settings.recipes import read_recipe
    from darts.training.options import RecipeOptions, training_overlay

    def overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
        implied = training_overlay(settings)
        if implied["dataset"] == "imagenet":
            shared = read_recipe("joint_fbnetv3")
            names = set(names_of(RecipeOptions, DataOptions)) - {"dataset", "classes"}
            implied |= {name: value for name, value in shared.items() if name in names}
        own = {name: value for name, value in implied.items() if name not in ("epochs",)}
        return {**own, "test_every": 1, **JOINT_PRESETS[settings["preset"]]}

    options = parse_options(
        JointOptions, arguments, prog=prog, overlay=overlay, fit=FIT_TRAINING, page=JOINT
    )
    from darts.joint.directory import BEST
    from darts.joint.search import run_joint_search
    from darts.joint.space_file import find_joint_space
    from darts.training.choice import plan_training
    from darts.training.options import training_of

    model = None
    if options.resume is None:
        check_values(find_joint_space(options.space))
        if options.genotype is not None or options.model is not None:
            model = plan_training(training_of(options)).model
    result = run_joint_search(options, model)
    _write_report(result.run_dir)
    measured, accuracies = result.iteration.measured()
    print(f"trials          {len(measured)} completed, {result.seconds:.0f} s of training")
    print(f"early stop      epoch {result.iteration.stop_epoch} of {options.epochs}")
    print(f"best measured   {accuracies.max():.2f} % (held-out images), {result.run_dir / BEST}")
    costs = _cost_words(result.evolved.costs)
    print(f"best predicted  {result.evolved.scores[0]:.2f} %, {costs}")
    print(f"run directory   {result.run_dir}")


def check_values(space: Space) -> None:
    """Raise UserError where an option of a training would not take a variable's value."""
    from darts.joint.checks import check_recipe_names
    from darts.training.options import TrainingOptions, training_overlay

    check_recipe_names(space)
    for variable in space.variables:
        for name in variable.sets if variable.part == "recipe" else ():
            for value in variable.extremes():
                settings = {"dataset": "digits", name: value}
                try:
                    options_from(TrainingOptions, settings, training_overlay)
                except UserError as error:
                    raise UserError(f"{space.name}: variable {variable.name}: {error}") from None


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
    from darts.joint.directory import limits_of, read_search
    from darts.joint.problem import NoCandidate

    record = read_search(parsed.run)
    trade_off = _trade_off(parsed.target_macs, parsed.cost_exponent)
    rows: list[tuple[str, ...]] = [
        ("ceiling", "predicted", "multiply-adds", "parameters", "seconds", "recipe")
    ]
    failed: NoCandidate | None = None
    ceilings = parsed.max_macs or [record.config["max_macs"]]
    for ceiling in ceilings:
        limits = limits_of(parsed.min_macs, ceiling, parsed.max_params)
        try:
            rows.append(_evolved_row(record, ceiling, limits, parsed.seed, trade_off))
        except NoCandidate as error:
            failed = error
            rows.append(
                (_ceiling_words(ceiling), *_NONE, f"the cheapest has {error.cheapest:,.0f}")
            )
    if failed is not None and all(row[1:5] == _NONE for row in rows[1:]):
        raise failed
    print_table(rows)


def _trade_off(target: str | None, exponent: float) -> TradeOff | None:
    from darts.joint.query import TradeOff

    if target is None:
        return None
    return TradeOff(1e6 * parse_millions(target, "--target-macs"), exponent)


def _evolved_row(
    record: SearchRecord,
    ceiling: str | float | None,
    limits: Limits,
    seed: int,
    trade_off: TradeOff | None,
) -> tuple[str, ...]:
    """Find the best candidate within limits and write its recipe; a row about it."""
    import time

    from darts.joint.query import evolve_record, scorer_of
    from darts.joint.recipe_file import write_recipe

    begun = time.perf_counter()
    evolved = evolve_record(record, limits, seed, trade_off)
    seconds = time.perf_counter() - begun
    name = "unlimited" if ceiling is None else f"macs-{limits.max_macs / 1e6:g}M"
    if trade_off is not None:
        name += f"-target-{trade_off.target / 1e6:g}M"
    path = record.path / "evolved" / f"{name}.yaml"
    candidate = record.problem.candidate(evolved.genes[0])
    costs = evolved.costs
    accuracy = scorer_of(record)(evolved.genes[:1])[0]
    comment = f"Predicted: {accuracy:.2f} % (held-out images), {_cost_words(costs)}"
    write_recipe(candidate, record.config, path, comment)
    macs, params = f"{costs.macs[0]:,.0f}", f"{costs.params[0]:,.0f}"
    words = _ceiling_words(ceiling)
    return (words, f"{accuracy:.2f} %", macs, params, f"{seconds:.1f}", str(path))


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


def _cost_words(costs: Costs) -> str:
    return f"{costs.macs[0] / 1e6:.1f} M multiply-adds, {costs.params[0] / 1e6:.3f} M parameters"


def _write_report(directory: Path) -> Path:
    from darts.joint.report import write_joint_report

    return write_joint_report(directory)
