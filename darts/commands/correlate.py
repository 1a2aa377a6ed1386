"""The command `benchmark correlate`: one-shot accuracies against true ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields

from darts.commands.help_pages import CORRELATE
from darts.correlation.options import CorrelationOptions, correlation_overlay
from darts.settings.parsing import parse_options


def correlate_command(arguments: Sequence[str], prog: str) -> None:
    """Run a study or continue it; print the result, write `correlation.json` and a plot."""
    given, as_json = _arranged(arguments)
    options = parse_options(
        CorrelationOptions, given, prog=prog, overlay=correlation_overlay, page=CORRELATE
    )
    from darts import api

    finished = api.run_correlation(options)
    if as_json:
        print(json.dumps(finished.correlation.as_dict()))
        return
    from darts.correlation.report import PLOT, correlation_text
    from darts.correlation.study import CORRELATION_FILE

    print(correlation_text(finished.correlation))
    print(f"\nresult  {finished.path / CORRELATION_FILE}\nplot    {finished.path / PLOT}.svg")


def _arranged(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """The words that are no options as the one option `--runs`, `-o` by its long name, no `--json`.

    >>> _arranged(["runs/a", "--connected", "runs/b", "-o", "out", "--json"])
    (['--connected', '--output=out', '--runs=["runs/a", "runs/b"]'], True)

    Returns:
        The arguments, and whether `--json` was among them.
    """
    switches = {one.name for one in fields(CorrelationOptions) if one.type == "bool"}
    words: list[str] = []
    options: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name = argument.lstrip("-").replace("-", "_")
        if argument in ("-o", "--output"):
            options.append(f"--output={rest.pop(0) if rest else ''}")
        elif not argument.startswith("-"):
            words.append(argument)
        elif argument != "--json":
            options.append(argument)
            switch = name in {
                *switches,
                *(f"no_{one}" for one in switches),
                "help",
                "help_all",
                "h",
            }
            if "=" not in argument and not switch and rest and name != "print_config":
                options.append(rest.pop(0))
    if words:
        options.append(f"--runs={json.dumps(words)}")
    return options, "--json" in arguments
