"""Reading written values, of Python or JSON, without running anything."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genotypes.errors import GenotypeError
from genotypes.plain_files import PlainFileError, plain_json

LONGEST = 20_000
"""Most characters that are parsed, to keep Python's parser safe; a genotype has about 500."""

_LONGEST_RANGE = 100
_JSON_NAMES = {"true": True, "false": False, "null": None}


GENOTYPE = "Genotype"
"""The only call in a text that is read, apart from `range(...)`."""


@dataclass(frozen=True)
class Call:
    """The arguments of `Genotype(...)` in a text; the call is not carried out.

    Attributes:
        arguments: Values of the positional arguments.
        keywords: Values of the keyword arguments, by name.
    """

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


def read_literal(text: str, where: str) -> Any:
    """The value that a text writes out.

    Numbers, strings, lists, tuples, dictionaries and the constants of Python and JSON stand for
    themselves, `range(...)` for its numbers, and `Genotype(...)` becomes a `Call`. Nothing is
    evaluated: a name, an operator or another call is an error.

    >>> read_literal("{'normal': [('skip_connect', 0)], 'concat': range(2, 4)}", "example")
    {'normal': [('skip_connect', 0)], 'concat': [2, 3]}

    Args:
        text: The text; at most `LONGEST` characters.
        where: Name of the source for error messages.

    Raises:
        GenotypeError: The text is something else.
    """
    if len(text) > LONGEST:
        raise GenotypeError(
            f"{where}: a genotype is written in at most {LONGEST:,} characters, not {len(text):,}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, about unknown escapes.
            tree = ast.parse(text.strip(), mode="eval")
        return _value(tree.body, where)
    except SyntaxError as error:
        raise GenotypeError(f"{where}: not a genotype that can be read: {error.msg}") from None
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        if isinstance(error, GenotypeError):
            raise
        raise GenotypeError(f"{where}: not a genotype that can be read") from None


def read_json(text: str, where: str) -> Any:
    """The value of a JSON text; a key that occurs twice is an error.

    >>> read_json('{"normal_concat": [2, 3]}', "example")
    {'normal_concat': [2, 3]}

    Raises:
        GenotypeError: The text is no JSON.
    """
    try:
        return plain_json(text)
    except PlainFileError as error:
        raise GenotypeError(f"{where}: {error}") from None


def _value(node: ast.expr, where: str) -> Any:
    if isinstance(node, ast.Constant):
        if node.value is None or isinstance(node.value, (str, int, float)):
            return node.value
    elif isinstance(node, ast.List):
        return [_value(item, where) for item in node.elts]
    elif isinstance(node, ast.Tuple):
        return tuple(_value(item, where) for item in node.elts)
    elif isinstance(node, ast.Dict):
        keys = [None if key is None else _value(key, where) for key in node.keys]
        if all(isinstance(key, str) for key in keys):
            values = (_value(value, where) for value in node.values)
            return _unique(list(zip(keys, values, strict=True)), where)
    elif isinstance(node, ast.Name) and node.id in _JSON_NAMES:
        return _JSON_NAMES[node.id]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _value(node.operand, where) if isinstance(node.operand, ast.Constant) else None
        if isinstance(number, (int, float)):
            return -number
    elif isinstance(node, ast.Call) and (name := ast.unparse(node.func)) == "range":
        return _range(node, where)
    elif isinstance(node, ast.Call) and name.rpartition(".")[2] == GENOTYPE:
        return _call(node, where)
    raise GenotypeError(
        f"{where}: {ast.unparse(node)[:60]!r} is not a plain value, and nothing is run to find it; "
        "a genotype has lists or tuples of names in quotes, numbers and range(...)"
    )


def _call(node: ast.Call, where: str) -> Call:
    if any(keyword.arg is None for keyword in node.keywords):
        raise GenotypeError(f"{where}: '**' is not read")
    pairs = [(str(word.arg), _value(word.value, where)) for word in node.keywords]
    arguments = tuple(_value(argument, where) for argument in node.args)
    return Call(arguments, _unique(pairs, where))


def _range(node: ast.Call, where: str) -> list[int]:
    arguments = [_value(argument, where) for argument in node.args]
    whole = all(type(argument) is int for argument in arguments)
    if node.keywords or not whole or not 1 <= len(arguments) <= 3:
        raise GenotypeError(f"{where}: range takes one to three whole numbers")
    try:
        numbers = range(*arguments)
        count = len(numbers)
    except (ValueError, OverflowError):
        count = _LONGEST_RANGE + 1
    if count > _LONGEST_RANGE:
        raise GenotypeError(f"{where}: the range is longer than a cell")
    return list(numbers)


def _unique(pairs: Sequence[tuple[Any, Any]], where: str) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, value in pairs:
        if key in found:
            raise GenotypeError(f"{where}: the key {key!r} occurs twice")
        found[key] = value
    return found
