"""The one exception that means: the user's input is wrong."""


class UserError(Exception):
    """Says what was wrong, where, and what to do; commands print it alone and exit with code 2."""
