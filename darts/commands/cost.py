"""The command `cost`: one model, or several in one table; counted, and timed if asked to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darts.commands.shared import Arguments, print_table
from darts.errors import UserError

_DESCRIPTION = """\
Count the cost of models for one image: parameters, multiply-adds, activations.
Several models make one table; --latency also times a batch on this machine, all models in turns."""


def cost_command(arguments: Sequence[str], prog: str) -> None:
    """Print parameters, multiply-adds and activations of networks, and their latency."""
    parsed = _parser(prog).parse_args(arguments)
    if parsed.batch < 1:
        raise UserError(f"--batch: 1 image or more is needed, not {parsed.batch}.")
    from darts.costs.models import cost_of_model, latencies

    found = [
        cost_of_model(
            model,
            setting=parsed.setting,
            channels=parsed.channels,
            layers=parsed.layers,
            classes=parsed.classes,
            resolution=parsed.resolution,
            auxiliary=parsed.auxiliary,
        )
        for model in parsed.model
    ]
    tables: list[dict[str, Any]] = [one.table for one in found]
    if parsed.latency:
        for table, seconds in zip(
            tables, latencies(found, parsed.batch, parsed.device, parsed.threads), strict=True
        ):
            table |= {"batch": parsed.batch, "latency_ms": round(1e3 * seconds, 3)}
    if parsed.output is not None:
        _draw(tables, parsed.batch, parsed.output)
    if parsed.json:
        print(json.dumps(tables if len(tables) > 1 else tables[0]))
    elif len(tables) > 1:
        print_table(_rows(tables))
    else:
        values = {**tables[0], **found[0].notes}
        print_table([(name, _shown(value)) for name, value in values.items()])


def _parser(prog: str) -> Arguments:
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description=_DESCRIPTION,
        examples=[
            ("pcdarts_cifar10", "a published cell's network"),
            ("runs/…/genotype.yaml regnetx_400mf --latency", "several networks, timed in turns"),
        ],
    )
    parser.add_argument(
        "model",
        nargs="+",
        help="genotype (published name, YAML file, or cell of NAS-Bench-201), or a network: "
        "regnetx_400mf; several make one table",
    )
    parser.add_argument("--setting", choices=("cifar", "imagenet"), help="stem and sizes")
    parser.add_argument("--channels", type=int, help="channels of a genotype's network")
    parser.add_argument("--layers", type=int, help="cells of a genotype's network")
    parser.add_argument("--classes", type=int, help="number of classes")
    parser.add_argument("--resolution", type=int, help="side of the image in pixels")
    parser.add_argument(
        "--auxiliary", action="store_true", help="add the parameters of the auxiliary head"
    )
    parser.add_argument("--latency", action="store_true", help="time a forward pass on this device")
    parser.add_argument("--batch", type=int, default=1, help="images of that pass; by default 1")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 …")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch decides")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="draw the costs as bars: costs.svg or .png",
    )
    parser.add_argument("--json", action="store_true")
    return parser


_HEADS = {
    "model": "model",
    "params": "parameters",
    "macs": "multiply-adds",
    "activations": "activations",
    "resolution": "pixels",
    "latency_ms": "latency (ms)",
}


def _rows(tables: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    names = [name for name in _HEADS if name in tables[0]]
    heads = dict(_HEADS)
    if "batch" in tables[0]:
        heads["latency_ms"] = f"latency of {tables[0]['batch']} (ms)"
    rows = [tuple(heads[name] for name in names)]
    return rows + [tuple(_shown(table[name]) for name in names) for table in tables]


def _shown(value: Any) -> str:
    if type(value) is int:
        return f"{value:,}"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def _draw(tables: Sequence[dict[str, Any]], batch: int, path: Path) -> None:
    if path.suffix not in (".svg", ".png"):
        raise UserError(f"--output {path}: the picture's file ends in .svg or .png.")
    from darts.report.cost_bars import plot_cost_bars
    from darts.report.frame import save_figure

    names = [name for name in ("macs", "params", "activations", "latency_ms") if name in tables[0]]
    images = f"{batch} image{'s' * (batch != 1)}"
    figure = plot_cost_bars(
        [table["model"] for table in tables],
        {name: [float(table[name]) for table in tables] for name in names},
        {"latency_ms": f"latency of {images} (ms)"},
    )
    save_figure(figure, path)
