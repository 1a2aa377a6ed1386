"""Amounts as people write them: 600M multiply-adds, 1.2G, 20ms. Torch-free."""

from __future__ import annotations

import re
from decimal import Decimal

from darts.errors import UserError

_COUNTS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9}
_DURATION = re.compile(
    r"(?:([0-9]*\.?[0-9]+)h)?(?:([0-9]*\.?[0-9]+)m(?:in)?)?(?:([0-9]*\.?[0-9]+)s)?"
)
_PLAIN_MILLIONS = 100_000
_TIMES = {"us": Decimal("1e-6"), "ms": Decimal("1e-3"), "s": Decimal(1)}


def parse_count(text: str | float, what: str) -> int:
    """A positive number of things: 600M, 5.3M, 1.2G or 600000000; parts of one are cut off.

    Args:
        what: What messages call it, usually a flag.

    Raises:
        UserError: It is nothing of the kind.
    """
    number, unit = _split(text)
    if number is None or unit not in _COUNTS or int(number * _COUNTS[unit]) < 1:
        raise UserError(f"{what}: a number such as 600M, 1.2G or 5300000 is needed, not {text!r}.")
    return int(number * _COUNTS[unit])


def parse_millions(text: str | float, what: str) -> float:
    """A number of things in millions: 50M, 0.4G or 400000000, and 50, which means 50 millions.

    Joint searches have always counted in millions, so there a plain number below 100,000 does; a
    larger one, which would mean more than any network has, is the number of things itself.

    >>> [parse_millions(one, "--max-macs") for one in ("50M", "0.4G", 50, "400000000")]
    [50.0, 400.0, 50.0, 400.0]

    Raises:
        UserError: It is nothing of the kind.
    """
    number, unit = _split(text)
    if number is None or unit not in _COUNTS or number < 0:
        raise UserError(
            f"{what}: a number such as 50M, 0.4G or 50 (millions) is needed, not {text!r}."
        )
    plain = not unit and number < _PLAIN_MILLIONS
    return float(number if plain else number * _COUNTS[unit] / 10**6)


def parse_seconds(text: str | float, what: str) -> float:
    """A positive time in seconds: 20ms, 500us or 0.02s; a unit is needed.

    Raises:
        UserError: It is nothing of the kind.
    """
    number, unit = _split(text)
    if number is None or unit not in _TIMES or number <= 0:
        raise UserError(f"{what}: a time such as 20ms, 500us or 0.02s is needed, not {text!r}.")
    return float(number * _TIMES[unit])


def parse_duration(text: str | float, what: str) -> float:
    """A duration in seconds: 90s, 30m, 2h or 1h30m; a number alone needs a unit.

    >>> parse_duration("1h30m", "--budget"), parse_duration("90s", "--budget")
    (5400.0, 90.0)

    Raises:
        UserError: It is nothing of the kind.
    """
    parts = _DURATION.fullmatch(str(text).replace(" ", ""))
    found = [value for value in parts.groups() if value] if parts else []
    if parts is None or not found:
        raise UserError(f"{what}: a duration such as 90s, 30m, 2h or 1h30m is needed, not {text}.")
    seconds = sum(
        float(value) * unit
        for value, unit in zip(parts.groups(), (3600, 60, 1), strict=True)
        if value
    )
    if not seconds > 0:
        raise UserError(f"{what}: the duration must be longer than 0 s.")
    return seconds


def format_count(value: float) -> str:
    """At most four digits and a unit: 571.1M, 3.635M, 12.5k, 640."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:.4g}{unit}"
    return f"{value:.4g}"


def format_seconds(value: float) -> str:
    """At most four digits and a unit: 20ms, 512.3us, 1.5s."""
    if value >= 1:
        return f"{value:.4g}s"
    return f"{value * 1e3:.4g}ms" if value >= 1e-3 else f"{value * 1e6:.4g}us"


def _split(text: str | float) -> tuple[Decimal | None, str]:
    match = re.fullmatch(
        r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,2})?)\s*([a-zA-Z]*)\s*", str(text)
    )
    return (Decimal(match[1]), match[2]) if match else (None, "")
