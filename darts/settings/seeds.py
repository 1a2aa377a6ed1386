"""The option `--seeds` of commands that repeat a run: a number, a list or a range. Torch-free."""

from __future__ import annotations

import re

from darts.errors import UserError

_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def seeds_in(
    seeds: int | str | None, first: int, *, least: int, too_few: str, what: str
) -> tuple[int, ...]:
    """The seeds that the option means; a number alone counts from `first`, the option `seed`.

    >>> def seeds(text):
    ...     return seeds_in(text, 2, least=2, too_few="give 2 or more.", what="searches")
    >>> seeds(3), seeds("0,5,7"), seeds("0..2,9")
    ((2, 3, 4), (0, 5, 7), (0, 1, 2, 9))

    Args:
        seeds: The value of the option.
        first: The first seed if only their number is given.
        least: Smallest number of seeds.
        too_few: What the message says where there are fewer.
        what: What is repeated, in the plural.

    Raises:
        UserError: They are not whole numbers from 0, or fewer than `least`, or one is given twice.
    """
    found: list[int] = []
    text = str(seeds).strip()
    if isinstance(seeds, int) or text.isdecimal():
        found += range(first, first + int(text))
    else:
        for part in map(str.strip, text.split(",")):
            if span := _RANGE.fullmatch(part):
                found += range(int(span[1]), int(span[2]) + 1)
            elif part.isdecimal():
                found.append(int(part))
            else:
                raise UserError(
                    f"--seeds {text}: give a number of {what} such as 4, seeds such as "
                    "0,5,7, or a range such as 0..4."
                )
    if len(found) < least:
        raise UserError(f"--seeds {text}: {too_few}")
    if twice := sorted({seed for seed in found if found.count(seed) > 1}):
        raise UserError(f"--seeds {text}: seed {twice[0]} is given twice.")
    return tuple(found)
