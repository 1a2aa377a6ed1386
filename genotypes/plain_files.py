"""Files of plain values, YAML and JSON, read strictly: no content runs code, or hangs.

Refused are tags (`!!python/…`), keys that occur twice, whole numbers of more than 64 bits, texts
that stand for far more than they say (a few anchors and aliases can stand for gigabytes), values
nested too deeply, other encodings than UTF-8, pipes and devices.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

_LARGEST = 64 * 2**20
_MOST_VALUES = 200_000


class PlainFileError(ValueError):
    """A file or text is no YAML or JSON of plain values; the message says why.

    Attributes:
        path: The file; None for a text.
    """

    path: Path | str | None = None


def read_text(path: Path | str, largest: int = _LARGEST) -> str:
    """The content of a text file in UTF-8.

    Args:
        path: The file.
        largest: Most bytes that it may have.

    Raises:
        OSError: There is no such file, or it cannot be read.
        PlainFileError: It is a pipe or a device, too large, or not in UTF-8.
    """
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(21, os.strerror(21), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise PlainFileError("it is a pipe or a device, not a file")
    if found.st_size > largest:
        raise PlainFileError(f"it has more than {largest >> 20} MB")
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PlainFileError(f"not a text file: it is not in UTF-8 ({error.reason})") from None


def read_yaml_file(path: Path | str, largest: int = _LARGEST) -> Any:
    """The plain values of a YAML file; see `read_text` and `plain_yaml`."""
    with _named(path):
        return plain_yaml(read_text(path, largest))


def read_json_file(path: Path | str, largest: int = _LARGEST) -> Any:
    """The plain values of a JSON file; see `read_text` and `plain_json`."""
    with _named(path):
        return plain_json(read_text(path, largest))


@contextmanager
def _named(path: Path | str) -> Iterator[None]:
    try:
        yield
    except PlainFileError as error:
        error.path = path
        raise


def plain_yaml(text: str) -> Any:
    """The plain values of a YAML text.

    >>> plain_yaml("epochs: 50")
    {'epochs': 50}

    Raises:
        PlainFileError: The text is something else; the message says where.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except PlainFileError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise PlainFileError(f"not valid YAML{place}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise PlainFileError(f"not valid YAML: {' '.join(str(error).split())}") from None
    except Exception as error:  # Constructors of odd values raise what they like.
        kind = type(error).__name__
        raise PlainFileError(f"not YAML that can be read ({kind}); write plain values") from None


def plain_json(text: str | bytes, *, unique: bool = True) -> Any:
    """The plain values of a JSON text.

    >>> plain_json('{"epochs": 50}')
    {'epochs': 50}

    Args:
        text: The text.
        unique: Refuse keys that occur twice, which takes longer.

    Raises:
        PlainFileError: The text is something else; the message says where.
    """
    hook = _unique if unique else None
    try:
        return json.loads(text, object_pairs_hook=hook, parse_int=_whole)
    except PlainFileError:
        raise
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise PlainFileError(f"not valid JSON in {place}: {error.msg}") from None
    except (ValueError, RecursionError):
        raise PlainFileError("not JSON that can be read") from None


class _Loader(yaml.SafeLoader):
    """YAML's safe loader with the limits of this module."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Count the values that a node stands for, with all aliases written out."""
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if is_alias:
            if id(node) not in self._sizes:
                raise PlainFileError("an alias stands for what it is a part of")
            return node
        below = node.value if isinstance(node, yaml.CollectionNode) else ()
        if isinstance(node, yaml.MappingNode):
            below = [one for pair in below for one in pair]
        size = 1 + sum(self._sizes[id(one)] for one in below)
        if size > _MOST_VALUES:
            raise PlainFileError(f"it stands for more than {_MOST_VALUES:,} values")
        self._sizes[id(node)] = size
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if len(set(map(str, keys))) < len(keys):
            for index, key in enumerate(keys):
                if key in keys[:index]:
                    mark = node.value[index][0].start_mark
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} occurs twice", mark
                    )
        return super().construct_mapping(node, deep)


def _construct_whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    return _in_range(loader.construct_yaml_int(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_whole)


def _whole(digits: str) -> int:
    return _in_range(int(digits) if len(digits) < 100 else 2**64)


def _in_range(number: int) -> int:
    if abs(number) >= 2**64:
        raise PlainFileError("a whole number has more than 64 bits")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PlainFileError(f"the key {twice!r} occurs twice")
    return found
