"""The command that makes a run again, for its page."""

from __future__ import annotations

import shlex
from pathlib import Path

from darts.run_files import RunFiles


def command_from_config(program: str, directory: Path) -> str:
    """The command that makes the run in a directory again, into a new directory.

    >>> command_from_config("python search.py", Path("/runs/my cell"))
    "python search.py --config '/runs/my cell/config.yaml' --run-dir 'my cell-again'"

    Args:
        program: The program, with arguments that no recipe has.
        directory: The directory of the run, which has its settings.
    """
    config = shlex.quote(str(RunFiles(directory).config))
    return f"{program} --config {config} --run-dir {shlex.quote(f'{directory.name}-again')}"
