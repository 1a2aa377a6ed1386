"""The command `fit`: from one's own images to a trained network within a time budget."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from darts.commands.shared import Arguments
from darts.errors import UserError
from darts.fitting.options import DEFAULT_SECONDS, QUICK_SECONDS, FitOptions
from darts.settings.quantities import parse_duration

_DESCRIPTION = """\
Find and train a network for your images within a time budget, and say how sure the choice is.
Searched cells, published cells, random cells, RegNets and EfficientNets compete on set-aside
training images; the winner is trained, tested once on the test images, and exported. The same
command continues a fit that was stopped."""


def fit_command(arguments: Sequence[str], prog: str) -> None:
    """Carry out a fit, or print its plan."""
    begun = time.monotonic()
    parsed = _parser(prog).parse_args(arguments)
    if parsed.quick and parsed.budget is not None:
        raise UserError("--quick and --budget: give one of the two.")
    seconds = QUICK_SECONDS if parsed.quick else DEFAULT_SECONDS
    if parsed.budget is not None:
        seconds = parse_duration(parsed.budget, "--budget")
    names = ("max_macs", "max_latency", "image_size", "out", "seed", "device", "threads")
    options = FitOptions(
        data=parsed.data,
        budget=seconds,
        pretrained=tuple(parsed.pretrained),
        **{name: getattr(parsed, name) for name in (*names, "data_dir", "workers")},
    )
    from darts import api

    if parsed.plan:
        plan, text = api.plan_fit(options, begun)
        print(_json(plan.as_dict()) if parsed.json else text)
        return
    outcome = api.run_fit(options, begun)
    if parsed.json:
        print(_json(outcome.as_dict()))
        return
    print(outcome.headline())
    for sentence in outcome.sentences():
        print(sentence)
    print(f"report     {options.directory / 'report.html'}")
    for one in outcome.exports.values():
        if "file" in one:
            print(f"network    {options.directory / one['file']}")
    final = options.directory / "final"
    print(f"next       python -m darts predict IMAGE --checkpoint {final}")


def _json(values: Any) -> str:
    from darts.runs.directory import finite

    return json.dumps(finite(values), indent=2, allow_nan=False)


def _parser(prog: str) -> Arguments:
    parser = Arguments(
        prog=prog,
        description=_DESCRIPTION,
        examples=[
            ("digits --quick", "try it out in a few minutes; no download"),
            ("photos --budget 2h", "a network for a folder with a folder of images per class"),
            ("photos --budget 2h --plan", "only what would be done"),
        ],
    )
    add = parser.add_argument
    add("data", metavar="DATA", help="folder of images, file, or name of a data set (digits)")
    add("--budget", metavar="TIME", help="time for everything: 90s, 30m, 2h, 1h30m; 1h by default")
    add("--quick", action="store_true", help=f"a budget of {QUICK_SECONDS:.0f} s, to try it out")
    add("--max-macs", metavar="N", help="most multiply-adds for one image, such as 100M")
    add("--max-latency", metavar="TIME", help="most time for one image on this machine: 5ms")
    add(
        "--pretrained",
        metavar="RUN",
        action="append",
        default=[],
        help="trained network that joins the field; may be repeated",
    )
    add("--image-size", type=int, metavar="N", help="side of the images in pixels")
    add("--plan", action="store_true", help="print the plan and write nothing")
    add("--out", metavar="DIR", help="directory of everything that is written; fits/NAME")
    add("--json", action="store_true", help="print JSON instead of sentences")
    add("--seed", type=int, default=0, help="seed of all random choices")
    add("--device", default="auto", help="cpu, cuda, cuda:1, mps, or auto for the best one here")
    add("--threads", type=int, default=0, help="CPU threads; 0 leaves the choice to torch")
    add("--data-dir", metavar="DIR", help="directory of the named data sets")
    add("--workers", type=int, default=2, help="processes that decode image files")
    return parser
