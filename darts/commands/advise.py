"""The command `advise`: settings for one's own images, and what they cost on this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from importlib import import_module

from darts.commands.shared import Arguments

_DESCRIPTION = """\
Look at your images, measure this machine for a few seconds, and advise settings for a search and
for the training of the found cell: with reasons, expected time and memory, and the commands."""


def advise_command(arguments: Sequence[str], prog: str) -> None:
    """Print the advice."""
    parser = Arguments(
        prog=prog,
        description=_DESCRIPTION,
        examples=[
            ("photos", "settings for a folder with a folder of images per class"),
            ("photos --image-size 64", "the same for smaller images"),
            ("digits", "for a data set by name"),
        ],
    )
    add = parser.add_argument
    add("data", metavar="DATA", help="folder of images, file, or name of a data set (digits)")
    add("--image-size", type=int, metavar="N", help="side of the images in pixels")
    add("--device", default="auto", help="cpu, cuda, cuda:1, mps, or auto for the best one here")
    add("--threads", type=int, default=0, help="CPU threads; 0 leaves the choice to torch")
    add("--data-dir", metavar="DIR", help="directory of the named data sets")
    add("--workers", type=int, default=2, help="processes that decode image files")
    add("--json", action="store_true", help="print JSON")
    parsed = vars(parser.parse_args(arguments))
    as_json = parsed.pop("json")
    begun = time.monotonic()
    import_module("darts.advising.advice")  # As long as the start of a search or training takes.
    from darts import api
    from darts.runs.directory import finite

    start = time.monotonic() - begun
    advice = api.advise(parsed.pop("data"), **parsed, start_seconds=start)
    if as_json:
        print(json.dumps(finite(advice.as_dict()), indent=2, allow_nan=False))
    else:
        print(advice.text())
