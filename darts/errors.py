"""The exceptions for wrong input and for a disk that refuses, and the hint at a misspelt name."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

SAME_COMMAND = "give the same command again"
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Make room"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "Make it accessible"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ESTALE), "Bring it back"),
    **dict.fromkeys((errno.EIO, errno.ENXIO, errno.ENODEV), "Check the disk"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "Allow more open files (ulimit -n)"),
    **dict.fromkeys(
        (errno.ENAMETOOLONG, errno.EISDIR, errno.ELOOP, errno.EEXIST), "Choose another name"
    ),
}
_LONGEST_NAME = 300


class UserError(Exception):
    """The user's input is wrong; the message says what, where, and what to do.

    Commands print only the message, without a traceback, and exit with code 2.

    >>> raise UserError("--k 3: 16 channels cannot be divided by 3; choose 1, 2, 4, 8 or 16.")
    Traceback (most recent call last):
    darts.errors.UserError: --k 3: 16 channels cannot be divided by 3; choose 1, 2, 4, 8 or 16.
    """


def in_one_line(error: BaseException) -> str:
    """Kind and first line of an error of other software, whose messages may be pages long.

    >>> in_one_line(RuntimeError("no memory\\nfor this"))
    'RuntimeError: no memory'
    """
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def closest(name: str, choices: Iterable[str]) -> str:
    """A hint at the choice that a misspelt name resembles, or "".

    >>> closest("gdsa", ("pc-darts", "gdas"))
    " Did you mean 'gdas'?"
    """
    plain = {choice.lower(): choice for choice in choices}
    close = [plain[one] for one in difflib.get_close_matches(name.lower(), list(plain), n=1)]
    return f" Did you mean {close[0]!r}?" if close else ""


MISFITS = (
    *(KeyError, RuntimeError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError),
)
"""What building or filling a network or an optimiser from a wrong state raises."""


@contextmanager
def state_of(path: Path | str, belongs: str = "its network") -> Iterator[None]:
    """Within it, a value of a file that is missing, of another kind or shape is the file's fault.

    >>> with state_of("a.pt"):
    ...     {}["weights"]
    Traceback (most recent call last):
    darts.errors.UserError: a.pt does not fit its network (KeyError: 'weights'): it was changed, \
or belongs to another run.

    Args:
        path: The file that the values come from.
        belongs: What they do not fit then.

    Raises:
        UserError: A value does not fit.
    """
    try:
        yield
    except UserError:
        raise
    except MISFITS as error:
        lines = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {lines[-1].strip()[:300]}"
        raise UserError(
            f"{path} does not fit {belongs} ({reason}): it was changed, or belongs to another run."
        ) from error


class DiskError(UserError):
    """Files can no longer be read or written: no fault of a setting, and no reason to fail a trial.

    What was under way has stopped and can continue.

    Args:
        problem: What is wrong and what to do about it, without a full stop.
        then: How to go on after that.
    """

    def __init__(self, problem: str, then: str = SAME_COMMAND) -> None:
        self.problem = problem
        super().__init__(f"{problem}, then {then}.")


@contextmanager
def disk_errors(then: str = SAME_COMMAND, where: Path | str | None = None) -> Iterator[None]:
    """Raise errors of the operating system about files as `DiskError`.

    Of nested blocks the outermost one says how to go on.

    >>> with disk_errors("continue with --resume run"):
    ...     raise OSError(errno.ENOSPC, "No space left on device", "run/log")
    Traceback (most recent call last):
    darts.errors.DiskError: run/log: No space left on device. Make room, then continue with ...

    Args:
        then: How to go on once the cause is removed.
        where: What was written, for errors that name no file.
    """
    try:
        yield
    except DiskError as error:
        raise DiskError(error.problem, then) from error
    except OSError as error:
        if (problem := disk_problem(error, where)) is None:
            raise
        raise DiskError(problem, then) from error


def disk_problem(error: OSError, where: Path | str | None = None) -> str | None:
    """What is wrong and what to do about it; None for an error that is not about files.

    >>> disk_problem(FileNotFoundError(errno.ENOENT, "No such file or directory", "run"))
    'run: No such file or directory. Bring it back'
    """
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    name = error.filename if error.filename is not None else where
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    name = str(name) if isinstance(name, (str, os.PathLike)) else ""
    if len(name) > _LONGEST_NAME:
        name = f"{name[:60]}…"
    return f"{name + ': ' if name else ''}{error.strerror}. {remedy}"
