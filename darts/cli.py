# PYTHON_ARGCOMPLETE_OK
"""The command line: `python -m darts COMMAND …`; `search.py` and `evaluate.py` run two commands.

Exit codes: 0 done; 2 the user's input is wrong (one message, no traceback); 130 interrupted; 1 any
other failure.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress

from darts.commands.table import COMMANDS, PROGRAM, Command
from darts.errors import DiskError, UserError, disk_problem, in_one_line
from darts.settings.completion import (
    complete_names,
    completing,
    enter_subcommand,
    words_so_far,
)
from darts.settings.used_files import failure_in_used_file
from darts.system.plain_text import plain_streams, shortened
from darts.system.terminal import prepare_streams
from darts.system.versions import version_line
from darts.system.waiting import wait_without_spinning
from genotypes import GenotypeError
from genotypes.plain_files import PlainFileError


def main(arguments: Sequence[str] | None = None, prog: str = "python -m darts") -> int:
    """Run the command that the first argument names and return its exit code.

    >>> main(["no-such-command"])
    2
    """
    return _exit_code(PROGRAM, sys.argv[1:] if arguments is None else arguments, prog)


def entry(command: str, prog: str) -> int:
    """Run one command as the script `prog` and return its exit code."""
    return _exit_code(COMMANDS[command], sys.argv[1:], prog)


def _exit_code(command: Command, arguments: Sequence[str], prog: str) -> int:
    wait_without_spinning()
    prepare_streams()
    if completing():
        return _complete(command, prog)
    with plain_streams():
        return _outcome(command, arguments, prog)


def _outcome(command: Command, arguments: Sequence[str], prog: str) -> int:
    try:
        if "--version" in arguments:
            print(version_line())
        elif "--quiet" in arguments:
            with redirect_stderr(io.StringIO()):
                command.run([one for one in arguments if one != "--quiet"], prog)
        else:
            command.run(arguments, prog)
        sys.stdout.flush()
    except PlainFileError as error:
        return _refused(error if error.path is None else f"{error.path}: {error}")
    except (UserError, GenotypeError) as error:
        return _refused(error)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except OSError as error:
        if (problem := disk_problem(error)) is None:
            return _known_failure(error)
        return _refused(DiskError(problem))
    except Exception as error:
        return _known_failure(error)
    return 0


def _complete(command: Command, prog: str) -> int:
    """Print what may follow the words so far; nothing if the command refuses them."""
    words, start = words_so_far()
    while words and words[0] in command.subcommands:
        command, words, prog = command.subcommands[words[0]], words[1:], f"{prog} {words[0]}"
        enter_subcommand()
    if command.subcommands and not words and not start.startswith("-"):
        complete_names(list(command.subcommands))
    with suppress(UserError, SystemExit):
        command.run(words, prog)
    return 0


def _refused(reason: object) -> int:
    """Print why the input is wrong, and return the exit code."""
    print(f"error: {shortened(str(reason))}", file=sys.stderr)
    return 2


def _known_failure(error: Exception) -> int:
    """Print an error of the lower packages and return its exit code; raise an unknown one.

    The imports are here because these modules import torch, which `--help` does without.
    """
    from darts.runs.interrupt import Interrupted
    from darts.system.distributed import Ended, LostProcess
    from darts.system.memory import is_out_of_memory
    from ops.backends import BackendError
    from ops.native.target import TargetError
    from ops.partial import ChannelError
    from ops.registry import UnknownOperation

    if isinstance(error, Interrupted):
        print(error, file=sys.stderr)
        return 130
    if isinstance(error, LostProcess):
        print(f"error: {error}", file=sys.stderr)
        return 1
    if isinstance(error, Ended):
        return 1
    if is_out_of_memory(error):
        return _refused(
            f"There is too little memory for this ({in_one_line(error)}). Give smaller images, "
            "smaller batches or a smaller network."
        )
    if isinstance(error, (BackendError, ChannelError, TargetError, UnknownOperation)):
        return _refused(error)
    if (failure := failure_in_used_file(error)) is not None:
        return _refused(failure)
    raise error
