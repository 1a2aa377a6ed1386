"""The command of a sweep: for its page, and to repeat it elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from darts.sweeps.options import SweepOptions, value_text


def sweep_command(options: SweepOptions, out: str) -> str:
    """The command that makes the same sweep in the directory `out`.

    >>> options = SweepOptions(out="a", methods=["gdas"], seeds=(0, 1), grid={"k": (1, 4)})
    >>> sweep_command(options, "b")
    'python -m darts sweep --methods gdas --seeds 0,1 --set k=1,4 --out b'
    """
    words = [*_words(options), "--out", out]
    return f"python -m darts sweep {shlex.join(words)}"


def _words(options: SweepOptions) -> Iterator[str]:
    # One seed alone would be a number of seeds; a range of one is a seed.
    seeds = ",".join(map(str, options.seeds))
    if len(options.seeds) == 1:
        seeds = f"{seeds}..{seeds}"
    yield from ("--methods", *options.methods, "--seeds", seeds)
    for name, values in options.grid.items():
        yield from ("--set", f"{_flag(name)}={_listed(values)}")
    for method, own in options.own.items():
        yield from ("--for", method, *_assigned(own))
    for name, value in options.settings.items():
        if isinstance(value, (list, tuple)):
            yield from (f"--{_flag(name)}", *map(str, value))
        else:
            yield f"--{_flag(name)}={value_text(value)}"
    if options.table:
        yield from ("--table", options.table)
    if options.retrain:
        yield from ("--retrain", str(options.retrain))
    if options.retraining:
        yield from ("--retrain-with", *_assigned(options.retraining))
    if options.random_cells:
        yield from ("--random-cells", str(options.random_cells))
    if options.reference:
        yield from ("--reference", options.reference)


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _assigned(settings: Mapping[str, Any]) -> list[str]:
    return [f"{_flag(name)}={value_text(value)}" for name, value in settings.items()]


def _listed(values: Sequence[Any]) -> str:
    """Values of a grid; those with commas are separated by semicolons."""
    texts = [value_text(value) for value in values]
    if any("," in text for text in texts):
        return ";".join(texts) if len(texts) > 1 else f"{texts[0]};"
    return ",".join(texts)
