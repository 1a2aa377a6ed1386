"""Compound scaling: the ladder of a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.commands.shared import Arguments, print_table
from darts.errors import UserError

if TYPE_CHECKING:
    from darts.scaling.coefficients import Coefficients

_KINDS = ("phi", "macs", "params", "latency")


def scale(arguments: Sequence[str], prog: str) -> None:
    if arguments and arguments[0] in ("grid", "study"):
        from darts.commands import scale_trials

        getattr(scale_trials, arguments[0])(arguments[1:], f"{prog} {arguments[0]}")
        return
    parser = Arguments(
        prog=prog,
        description="Scale depth, width and resolution of a model together, to sizes given by phi "
        "or to budgets; write a recipe for evaluate.py for each. "
        f"{prog} grid and {prog} study train such models.",
    )
    add_base_arguments(parser)
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--phi", nargs="+", type=float, help="by default 0 1 2 3")
    target.add_argument("--macs", nargs="+", help="budgets of multiply-adds: 300M 1.2G")
    target.add_argument("--params", nargs="+", help="budgets of parameters: 5.3M")
    target.add_argument("--latency", nargs="+", help="budgets of a forward pass: 20ms")
    parser.add_argument("--tolerance", type=float, default=0.02, help="share of a budget")
    parser.add_argument(
        "--strategy", default="compound", help="compound, depth, width or resolution"
    )
    add_coefficients(parser)
    parser.add_argument("--device", default="auto", help="where latency is measured")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's choice")
    parser.add_argument("--batch-size", type=int, default=1, help="images of a timed pass")
    parser.add_argument("-o", "--output", type=Path, help="directory; by default ladder-MODEL")
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args(arguments)
    if not 0 < parsed.tolerance < 1:
        raise UserError(f"--tolerance {parsed.tolerance}: a share between 0 and 1 is needed.")
    from darts.report.frame import write_figure
    from darts.scaling.coefficients import Factors, find_coefficients
    from darts.scaling.fit import Fit
    from darts.scaling.ladder import Latency, ladder, row, write_rungs
    from darts.scaling.plots import plot_ladder
    from darts.settings.quantities import parse_count, parse_seconds

    base = base_of(parsed)
    coefficients = find_coefficients(parsed.strategy, coefficients_of(parsed))
    kind = next((name for name in _KINDS if getattr(parsed, name) is not None), "phi")
    targets: list[float] = [0.0, 1.0, 2.0, 3.0] if parsed.phi is None else parsed.phi
    latency = None
    if kind == "latency":
        from darts.system.device import resolve_device, set_threads

        set_threads(parsed.threads)
        device = resolve_device(parsed.device)
        latency = Latency(base.num_classes, device, parsed.batch_size)
        targets = [parse_seconds(text, "--latency") for text in parsed.latency]
    elif kind != "phi":
        targets = [parse_count(text, f"--{kind}") for text in getattr(parsed, kind)]
    fits = ladder(base, coefficients, targets, kind, tolerance=parsed.tolerance, latency=latency)
    rows = [row(name, found, latency) for name, found in fits.items()]
    same = base.rung(Factors(1, 1, 1))
    first = row("base", Fit(rung=same, phi=0, factors=Factors(1, 1, 1), amount=0), latency)
    directory = parsed.output or Path(f"ladder-{Path(parsed.model).stem}")
    each = vars(coefficients).values()
    growing = f"{parsed.strategy} ({', '.join(f'{value:g}' for value in each)})"
    paths = write_rungs(directory, parsed.model, fits, f"Scaled: {growing}.")
    write_figure(
        plot_ladder(f"{Path(parsed.model).stem}: {growing}", first, rows), directory / "ladder"
    )
    for values in rows:
        values["config"] = str(paths[values["name"]])
    if parsed.json:
        print(json.dumps(rows))
        return
    print_table(_lines(first, rows, latency is not None))
    for values in rows:
        if not values.get("within", True):
            print(
                f"{values['name']}: rounding {'and noise forbid' if latency else 'forbids'} "
                f"{100 * parsed.tolerance:g} %; the nearest network is "
                f"{100 * values['off']:+.1f} % off."
            )
    print(f"recipes  {directory}/*.yaml: python evaluate.py --config {rows[0]['config']}")
    print(f"plot     {directory / 'ladder.svg'}, {directory / 'ladder.png'}")


def add_base_arguments(parser: Arguments) -> None:
    """What is scaled."""
    parser.add_argument("model", help="genotype or network: a name, or a YAML file")
    parser.add_argument("--setting", choices=("cifar", "imagenet"), help="stem of the base")
    parser.add_argument("--channels", type=int, help="of the base, if it is made of cells")
    parser.add_argument("--layers", type=int, help="cells of the base")
    parser.add_argument("--resolution", type=int, help="pixels of the base")
    parser.add_argument("--classes", type=int)
    parser.add_argument(
        "--k", type=int, default=1, help="keep channels that a search with this K could split"
    )
    parser.add_argument("--resolution-multiple", type=int, help="by default what strides need")


def add_coefficients(parser: Arguments) -> None:
    for name, value, what in (
        ("alpha", 1.2, "depth"),
        ("beta", 1.1, "width"),
        ("gamma", 1.15, "resolution"),
    ):
        parser.add_argument(
            f"--{name}", type=float, default=value, help=f"growth of {what}: {value} in the paper"
        )


def coefficients_of(parsed: Any) -> Coefficients:
    from darts.scaling.coefficients import Coefficients

    return Coefficients(parsed.alpha, parsed.beta, parsed.gamma)


def base_of(parsed: Any) -> Any:
    from darts.models.registry import find_model
    from darts.scaling.bases import create_base

    if parsed.k < 1:
        raise UserError(f"--k {parsed.k}: a whole number of at least 1 is needed.")
    return create_base(
        find_model(parsed.model),
        stem=parsed.setting,
        channels=parsed.channels,
        layers=parsed.layers,
        resolution=parsed.resolution,
        num_classes=parsed.classes,
        channel_multiple=2 * parsed.k if parsed.k > 1 else None,
        resolution_multiple=parsed.resolution_multiple,
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
