"""Amounts as people write them."""

from __future__ import annotations

import pytest

from darts.errors import UserError
from darts.settings.quantities import (
    format_count,
    format_seconds,
    parse_count,
    parse_millions,
    parse_seconds,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("600M", 600_000_000),
        ("1.2G", 1_200_000_000),
        (" 5.3 M ", 5_300_000),
        ("12k", 12_000),
        ("0.1G", 100_000_000),
        (600_000_000, 600_000_000),
        (6e8, 600_000_000),
        ("571627328", 571_627_328),
    ],
)
def test_counts(text: str | float, value: int) -> None:
    assert parse_count(text, "--max-macs") == value


@pytest.mark.parametrize("text", ["", "M", "600Q", "-5M", "0", "0.0001k", "1e999999", "6 0M"])
def test_what_is_no_count_is_refused_with_the_flag(text: str) -> None:
    with pytest.raises(UserError, match=r"--max-macs: a number such as 600M"):
        parse_count(text, "--max-macs")


@pytest.mark.parametrize(
    ("text", "value"), [("20ms", 0.02), ("500us", 5e-4), ("0.02s", 0.02), ("2s", 2.0)]
)
def test_times(text: str, value: float) -> None:
    assert parse_seconds(text, "--max-latency") == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["20", "ms", "0ms", "-3ms", "20m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"--max-latency: a time such as 20ms"):
        parse_seconds(text, "--max-latency")


def test_amounts_in_words() -> None:
    assert [format_count(n) for n in (640, 12_500, 3_634_678, 571_137_408, 1.2e9)] == [
        "640",
        "12.5k",
        "3.635M",
        "571.1M",
        "1.2G",
    ]
    assert [format_seconds(s) for s in (0.02, 5.123e-4, 1.5)] == ["20ms", "512.3us", "1.5s"]


@pytest.mark.parametrize(
    ("text", "millions"),
    [("50M", 50), ("0.4G", 400), (50, 50), ("50", 50), (99_999, 99_999), ("5e8", 500), (0, 0)],
)
def test_plain_numbers_of_a_joint_search_are_millions(text: str | float, millions: float) -> None:
    assert parse_millions(text, "--max-macs") == millions


def test_what_is_no_number_of_millions() -> None:
    with pytest.raises(UserError, match=r"--max-macs: a number such as 50M, 0\.4G or 50"):
        parse_millions("fifty", "--max-macs")
