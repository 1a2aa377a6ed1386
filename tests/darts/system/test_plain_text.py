"""Nothing that a command prints controls the terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darts.cli import main
from darts.system.plain_text import (
    PlainStream,
    direct_stream,
    plain_streams,
    printable,
    shortened,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb", r"a\rb"),
        ("a\r\nb\tc", "a\r\nb\tc"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2028", r"\u2028"),
        ("Zoë 日本 😀", "Zoë 日本 😀"),
    ],
)
def test_controls_become_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_no_control_is_left(text: str) -> None:
    shown = printable(text)
    assert not any(one < " " and one not in "\n\t\r" for one in shown)
    assert "\x1b" not in shown
    assert printable(shown) == shown


def test_long_messages_lose_their_middle() -> None:
    assert shortened("short") == "short"
    text = shortened("begin" + "x" * 10**6 + "end")
    assert len(text) < 2100
    assert text.startswith("begin")
    assert text.endswith("end")


def test_a_stream_is_what_it_wraps() -> None:
    stream = io.StringIO()
    plain = PlainStream(stream)
    assert plain.write("\x1b") == 1
    plain.writelines(["a", "\x07"])
    assert stream.getvalue() == r"\x1ba\x07"
    assert not plain.isatty()
    assert direct_stream(plain) is stream  # type: ignore[arg-type]
    assert direct_stream(stream) is stream


def test_streams_are_put_back() -> None:
    before = sys.stdout
    with plain_streams(), plain_streams():
        assert direct_stream(sys.stdout) is before
    assert sys.stdout is before


def test_a_file_name_in_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31mred\x1b[0m.yaml"
    path.write_text("[")
    assert main(["genotypes", str(path)]) == 2
    error = capsys.readouterr().err
    assert "\x1b" not in error
    assert r"\x1b[31mred" in error


def test_a_genotype_that_paints(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["genotypes", "darts_v2", "--as", "json"]) == 0
    text = capsys.readouterr().out.replace("darts_v2", r"\u001b[31mred\u202e")
    path = tmp_path / "red.json"
    path.write_text(text)
    assert main(["cost", str(path), "--channels", "4", "--layers", "3"]) == 0
    found = capsys.readouterr().out
    assert "\x1b" not in found
    assert "\u202e" not in found


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_was_closed_before_the_start_goes_nowhere(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, name, None)
    with plain_streams():
        print("nobody reads this", file=getattr(sys, name))
    assert getattr(sys, name) is None
