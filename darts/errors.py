"""The exception for wrong input of the user."""


class UserError(Exception):
    """The user's input is wrong; the message says what, where, and what to do.

    Commands print only the message, without a traceback, and exit with code 2.

    >>> raise UserError("--k 3: 16 channels cannot be divided by 3; choose 1, 2, 4, 8 or 16.")
    Traceback (most recent call last):
    darts.errors.UserError: --k 3: 16 channels cannot be divided by 3; choose 1, 2, 4, 8 or 16.
    """
