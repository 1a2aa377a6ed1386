"""The command `doctor`: what this machine has, what works on it, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence

from darts.commands.shared import Arguments

_DESCRIPTION = """\
Look at this machine: versions, devices, back ends and their speed, compiler, threads, data sets,
disks and caches. What is missing is shown with the command that gets it; what fails, as such."""


def doctor_command(arguments: Sequence[str], prog: str) -> None:
    """Print what was found."""
    parser = Arguments(
        prog=prog,
        description=_DESCRIPTION,
        examples=[
            ("", "all of it, in a few seconds"),
            ("--json", "the same for a report of an error"),
        ],
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args(arguments)
    from darts.checkup.checkup import check_machine

    found = check_machine()
    print(json.dumps(found.as_dict(), indent=2) if parsed.json else found.text())
