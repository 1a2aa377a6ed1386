"""The exception for wrong input of the user, and the hint at a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


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
