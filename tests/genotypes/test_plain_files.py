"""Files of plain values: what is refused, in one sentence and at once."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genotypes.plain_files import (
    PlainFileError,
    plain_json,
    plain_yaml,
    read_json_file,
    read_text,
    read_yaml_file,
)

BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "stands for more than 200,000 values"),
        ("&a [*a]", "an alias stands for what it is a part of"),
        ("a: 1\na: 2", "the key 'a' occurs twice"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("!!timestamp x", "not YAML that can be read"),
        ("2001-99-99", "not YAML that can be read"),
        ("9" * 5000, "not YAML that can be read"),
        ("a: 99999999999999999999999", "more than 64 bits"),
        ("[" * 5000, "not YAML that can be read"),
        ("{[a]: b}", "not valid YAML"),
        ("a\0b", "not valid YAML"),
        ("*nobody", "not valid YAML"),
    ],
)
def test_yaml_is_plain(text: str, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(PlainFileError) as error:
        plain_yaml(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        ("[" * 100_000, "not JSON that can be read"),
        ("9" * 5000, "more than 64 bits"),
        ("1" + "0" * 30, "more than 64 bits"),
        ("{", "not valid JSON in line 1"),
        ("", "not valid JSON in line 1"),
    ],
)
def test_json_is_plain(text: str, message: str) -> None:
    with pytest.raises(PlainFileError) as error:
        plain_json(text)
    assert message in str(error.value)


def test_a_few_aliases_are_allowed() -> None:
    assert plain_yaml("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}


def test_pipes_devices_and_large_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PlainFileError, match="pipe or a device"):
        read_text(tmp_path / "pipe")
    with pytest.raises(PlainFileError, match="pipe or a device"):
        read_text("/dev/zero")
    (tmp_path / "large").write_bytes(bytes(2**20 + 1))
    with pytest.raises(PlainFileError, match="more than 1 MB"):
        read_text(tmp_path / "large", 2**20)
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "missing")


def test_an_error_knows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "own"
    path.write_text("[1")
    for read in (read_yaml_file, read_json_file):
        with pytest.raises(PlainFileError) as error:
            read(path)
        assert error.value.path == path


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.text() | st.text(alphabet="{}[]&*a:,-?!|>'\"%@`#~ \n\t0.1e"))
def test_any_text_is_values_or_an_error(text: str) -> None:
    for read in (plain_yaml, plain_json):
        with suppress(PlainFileError):
            read(text)
