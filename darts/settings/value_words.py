"""Types of settings in plain words, for `--help` and messages. Torch-free."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

from darts.errors import closest

_KINDS = {
    "bool": "on or off",
    "float": "a number",
    "int": "a whole number",
    "NoneType": "null",
    "str": "text",
    "tuple": "numbers",
}

_SHORT = 30
"""Choices that are shorter together stand in the flag itself."""

_VALUES = {
    "baseline": "SPACE",
    "cache": "DIR",
    "dataset": "DATA",
    "latency_table": "FILE",
    "pretrained": "FILE",
    "resume": "DIR",
    "space": "NAME",
    "subset": "RUN",
    "table": "FILE",
    "teacher": "RUN",
    "use": "FILE",
}
"""What a text is, where the name of its flag does not say it."""


def is_switch(hint: Any) -> bool:
    """Whether a setting can be turned on and off: `--flip`, `--no-flip`.

    >>> is_switch(bool | None), is_switch(int)
    (True, False)
    """
    return bool in _members(hint)


def choices_of(hint: Any) -> list[str]:
    """What a setting may be, if that is one of a few words; else empty.

    >>> choices_of(Literal["cifar", "imagenet"] | None), choices_of(int)
    (['cifar', 'imagenet'], [])
    """
    found = [str(one) for member in _members(hint) for one in _literals(member)]
    return ["on", "off", *found] if found and is_switch(hint) else found


def value_word(name: str, hint: Any) -> str:
    """What follows a flag: a placeholder, or the choices if they are short; "" for a switch.

    >>> value_word("epochs", int), value_word("max_macs", str | float | None)
    ('N', 'AMOUNT')
    >>> value_word("run_dir", str | None), value_word("order", Literal[1, 2])
    ('DIR', '{1,2}')
    """
    members = _members(hint)
    if choices := choices_of(hint):
        short = "{" + ",".join(choices) + "}"
        return short if len(short) <= _SHORT else _placeholder(name)
    if bool in members:
        return ""
    if any(get_origin(one) is tuple for one in members):
        return " ".join(["X"] * len(get_args(members[0])))
    if str in members:
        return "AMOUNT" if float in members else _placeholder(name)
    return "N" if int in members else "X"


def default_words(value: Any) -> str:
    """A default value in words; "" for one that the text of the option explains.

    >>> [default_words(one) for one in (50, 3e-4, True, None, "", (0.5, 0.999))]
    ['50', '0.0003', 'on', '', '', '0.5 0.999']
    """
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (tuple, list)):
        return " ".join(map(default_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def explained(message: str, names: Sequence[str]) -> str:
    """A parser's message in the user's terms, with a guess at what is misspelt.

    >>> explained("Expected a <class 'int'>. Got value: x", ["epochs"])
    'expected a whole number, not x'
    """
    text = re.sub(r'Parser key "(\w+)":\s*', r"--\1: ", message)
    text = re.sub(r"(typing\.)?Literal\[(.*?)\]", r"one of \2", text)
    for kind, words in _KINDS.items():
        text = text.replace(f"Expected a <class '{kind}'>", f"expected {words}")
    text = re.sub(r"[Ee]xpected (a )?tuple with (\d+) elements", r"expected \2 numbers", text)
    text = text.replace("Expected a", "expected").replace(". Got value:", ", not")
    text = re.sub(r"Option '(\w+)' is not accepted", r"unknown setting '\1'", text)
    if "Union subtypes" in text:
        text = _one_of_several(text)
    wrong = re.search(r"one of (.*), not (\S+)$", text.strip())
    if wrong and (hint := closest(wrong[2], re.findall(r"[\w.-]+", wrong[1]))):
        text = f"{text.strip()}.{hint}"
    unknown = re.search(r"(?:unrecognized arguments: --|unknown setting ')(\w+)", text)
    if unknown and (close := difflib.get_close_matches(unknown[1], names, n=1)):
        text += f" (did you mean --{close[0]}?)"
    return " ".join(text.split()) if "\n" in text.strip() else text


def _one_of_several(text: str) -> str:
    """One sentence for a value of none of several types; the parser says it in a page."""
    flag, _, page = text.partition(":")
    kinds = re.findall(r"- expected (.*)", page)
    given = page.rpartition("Given value: ")[2].strip()
    return f"{flag}: expected {' or '.join(one for one in kinds if one != 'null')}, not {given}"


def _placeholder(name: str) -> str:
    return _VALUES.get(name, name.rpartition("_")[2].upper())


def _members(hint: Any) -> tuple[Any, ...]:
    """The types of a union but `None`, or the type itself."""
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(one for one in get_args(hint) if one is not type(None))
    return (hint,)


def _literals(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) is Literal else ()
