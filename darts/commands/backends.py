"""The command `backends`: what can evaluate a search here, how fast, and whether it is right."""

from __future__ import annotations

import json
from collections.abc import Sequence

from darts.commands.shared import print_table
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.parsing import parse_options

_SWITCHES = ("--json", "--check", "--again")
_HELP = """usage: {prog} [--check] [--again] [--json] [options of a search]

Which back ends can evaluate the cells of a search on this machine, the measured seconds of an
iteration by each, and the one that --backend auto takes. The options are those of a search
(--k 4 --channels 16 --batch-size 256 --precision bf16 ...; `search --help` lists them). The images
need not be here.

  --check  also compare every back end, and on CUDA the recorded iterations, with plain PyTorch
  --again  measure again, and store the new times
  --json   print one JSON object"""


def backends_command(arguments: Sequence[str], prog: str) -> None:
    """Print the table of back ends."""
    if {"-h", "--help"} & set(arguments):
        print(_HELP.format(prog=prog))
        raise SystemExit(0)
    given = [one for one in arguments if one not in _SWITCHES]
    options = parse_options(SearchOptions, given, prog=prog, overlay=search_overlay)
    from darts.searching.backend_table import measured_table

    table = measured_table(options, check="--check" in arguments, again="--again" in arguments)
    if "--json" in arguments:
        print(json.dumps(table.as_dict(), allow_nan=False))
        return
    print(table.heading)
    print_table(table.rows())
    if table.checks:
        print()
        print_table(table.check_rows())
    print(f"\n{table.closing}")
