"""Validation of a search's options, before anything is read or written."""

from __future__ import annotations

from darts.costs.ceilings import ceilings_of
from darts.errors import UserError
from darts.searching.options import SearchOptions
from darts.system import distributed
from ops.partial import ChannelError, partial_size


def check_search(options: SearchOptions) -> None:
    """Check the settings of a search.

    Raises:
        UserError: A setting cannot work; the message names the option and its range.
    """
    try:
        partial_size(options.channels, options.k)
    except ChannelError as error:
        raise UserError(f"--k: {error}") from None
    # Of three cells, one is normal and two reduce; with fewer, one kind would be missing.
    for name, least in (("epochs", 1), ("batch_size", 1), ("log_every", 1), ("layers", 3)):
        value = getattr(options, name)
        if value < least:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag}: must be {least} or more, not {value}.")
    distributed.check_parts(options.batch_size, options.accumulate)
    if not 2 <= options.nodes <= 7:
        raise UserError(f"--nodes: a cell has 2 to 7 inner nodes, not {options.nodes}.")
    if not 0 < options.arch_fraction < 1:
        raise UserError(f"--arch-fraction: must be between 0 and 1, not {options.arch_fraction}.")
    ceilings_of(options)
