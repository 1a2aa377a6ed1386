"""The command `scale`: one model at several sizes, by compound scaling (EfficientNet)."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.commands.scale_arguments import (
    add_base_arguments,
    add_coefficients,
    base_of,
    coefficients_of,
)
from darts.commands.shared import Arguments, print_table
from darts.errors import UserError

if TYPE_CHECKING:
    from darts.scaling.bases import Base
    from darts.scaling.fit import Fit
    from darts.scaling.ladder import Latency

_BUDGETS = ("macs", "params", "latency")
_DEFAULT_PHIS = [0.0, 1.0, 2.0, 3.0]


def scale_command(arguments: Sequence[str], prog: str) -> None:
    """Fit a ladder of networks, print it, and write a recipe for each rung and a plot."""
    parsed = _parser(prog).parse_args(arguments)
    if not 0 < parsed.tolerance < 1:
        raise UserError(f"--tolerance {parsed.tolerance}: a share between 0 and 1 is needed.")
    from darts.scaling.coefficients import Factors, find_coefficients
    from darts.scaling.fit import Fit
    from darts.scaling.ladder import ladder, row

    base = base_of(parsed)
    coefficients = find_coefficients(parsed.strategy, coefficients_of(parsed))
    kind, targets = _targets(parsed)
    latency = _latency(parsed, base) if kind == "latency" else None
    fits = ladder(base, coefficients, targets, kind, tolerance=parsed.tolerance, latency=latency)
    rows = [row(name, found, latency) for name, found in fits.items()]
    unscaled = Factors(1, 1, 1)
    base_fit = Fit(rung=base.rung(unscaled), phi=0, factors=unscaled, amount=0)
    first = row("base", base_fit, latency)
    each = ", ".join(f"{value:g}" for value in vars(coefficients).values())
    directory = parsed.output or Path(f"ladder-{Path(parsed.model).stem}")
    _write(directory, parsed.model, f"{parsed.strategy} ({each})", fits, first, rows)
    if parsed.json:
        print(json.dumps(rows))
        return
    print_table(_lines(first, rows, latency is not None))
    _print_misses(rows, parsed.tolerance, latency is not None)
    print(f"recipes  {directory}/*.yaml: python evaluate.py --config {rows[0]['config']}")
    print(f"plot     {directory / 'ladder.svg'}, {directory / 'ladder.png'}")


def _parser(prog: str) -> Arguments:
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Scale depth, width and resolution of a model together, to sizes given by phi "
        "or to budgets, and write a recipe for evaluate.py for each size. "
        f"{prog} grid and {prog} study train such models.",
    )
    add_base_arguments(parser)
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--phi", nargs="+", type=float, help="by default 0 1 2 3")
    target.add_argument("--macs", nargs="+", help="budgets of multiply-adds: 300M 1.2G")
    target.add_argument("--params", nargs="+", help="budgets of parameters: 5.3M")
    target.add_argument("--latency", nargs="+", help="budgets of a forward pass: 20ms")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.02,
        help="largest deviation from a budget, as a share of it",
    )
    parser.add_argument(
        "--strategy", default="compound", help="compound, depth, width or resolution"
    )
    add_coefficients(parser)
    parser.add_argument("--device", default="auto", help="where latency is measured")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's choice")
    parser.add_argument("--batch-size", type=int, default=1, help="images per timed forward pass")
    parser.add_argument("-o", "--output", type=Path, help="directory; by default ladder-MODEL")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def _targets(parsed: Namespace) -> tuple[str, list[float]]:
    """Return what is given ("phi" or the kind of the budgets) and its values."""
    from darts.settings.quantities import parse_count, parse_seconds

    kind = next((name for name in _BUDGETS if getattr(parsed, name) is not None), "phi")
    if kind == "phi":
        return kind, _DEFAULT_PHIS if parsed.phi is None else parsed.phi
    parse = parse_seconds if kind == "latency" else parse_count
    return kind, [parse(text, f"--{kind}") for text in getattr(parsed, kind)]


def _latency(parsed: Namespace, base: Base) -> Latency:
    from darts.scaling.ladder import Latency
    from darts.system.device import resolve_device
    from darts.system.threads import set_threads

    set_threads(parsed.threads)
    return Latency(base.num_classes, resolve_device(parsed.device), parsed.batch_size)


def _write(
    directory: Path,
    model: str,
    growth: str,
    fits: Mapping[str, Fit],
    first: dict[str, Any],
    rows: list[dict[str, Any]],
) -> None:
    """Write the recipes and the plot; note in each row the path of its recipe."""
    from darts.report.frame import write_figure
    from darts.scaling.ladder import write_rungs
    from darts.scaling.plots import plot_ladder

    paths = write_rungs(directory, model, fits, f"Scaled: {growth}.")
    write_figure(plot_ladder(f"{Path(model).stem}: {growth}", first, rows), directory / "ladder")
    for values in rows:
        values["config"] = str(paths[values["name"]])


def _print_misses(rows: Sequence[dict[str, Any]], tolerance: float, timed: bool) -> None:
    """Print a line for each network that misses its budget by more than the tolerance."""
    for values in rows:
        if not values.get("within", True):
            print(
                f"{values['name']}: rounding {'and noise forbid' if timed else 'forbids'} "
                f"{100 * tolerance:g} %; the nearest network is {100 * values['off']:+.1f} % off."
            )


def _lines(base: dict[str, Any], rows: list[dict[str, Any]], timed: bool) -> list[tuple[str, ...]]:
    titles = ["", "phi", "depth", "width", "channels", "pixels", "params", "macs", "activations"]
    lines = [(*titles, *(["latency"] if timed else []), "off")]
    for values in (base, *rows):
        line = [
            values["name"],
            f"{values['phi']:.3f}",
            str(values["depth"]),
            f"{values['width']:.3f}",
            str(values["channels"]),
            str(values["resolution"]),
            *(f"{values[name]:,}" for name in ("params", "macs", "activations")),
        ]
        if timed:
            line.append(f"{1e3 * values['latency']:.2f} ms")
        line.append(f"{100 * values['off']:+.2f} %" if "off" in values else "")
        lines.append(tuple(line))
    return lines
