"""Parts of search methods in words: their numbers, and the sources that their classes name."""

from __future__ import annotations

import inspect
import sys
from dataclasses import MISSING, fields
from typing import Any

from darts.methods.parts import PARTS, PartSpec, create_part, part_fields

_OTHERWISE_SET = ("edge_normalisation",)
"""Fields of parts that an option of the search sets."""


def listed_part(kind: str, name: str) -> dict[str, Any]:
    """One part as plain values, with all numbers that can be set.

    >>> listed_part("stopping", "fixed-epoch")["numbers"][0]["type"]
    'int'

    Returns:
        `kind`, `name`, `summary`, `class`, and `numbers`: a list of `name`, `type` and `default`
        (None if a number has to be given).
    """
    entry = PARTS[kind][name]
    cls = entry.load()
    types = _numbers(cls)
    numbers = [
        {"name": one.name, "type": _words(types[one.name]), "default": _default(one)}
        for one in (fields(cls) if types else ())
        if one.name in types
    ]
    return {
        "kind": kind,
        "name": name,
        "summary": entry.summary,
        "class": entry.where,
        "numbers": numbers,
    }


def described_part(kind: str, spec: PartSpec) -> dict[str, Any]:
    """The part that a method has, with the values of its numbers and its sources.

    >>> described_part("relaxation", PartSpec.parse("softmax"))["sources"]
    ['DARTS, §2.2, Eq. 2; PC-DARTS, §3.3, Eq. 3. The supernet multiplies w and v.']

    Raises:
        UserError: There is no such part or number.
    """
    part = create_part(kind, spec)
    entry = PARTS[kind][spec.name]
    return {
        "kind": kind,
        "name": spec.name,
        "summary": entry.summary,
        "class": entry.where,
        "numbers": {name: getattr(part, name) for name in _numbers(type(part))},
        "sources": described_sources(type(part)),
    }


def described_sources(cls: type) -> list[str]:
    """The paragraphs "Source: …" in the docstring of a class, or else of its module."""
    texts = (cls.__dict__.get("__doc__"), sys.modules[cls.__module__].__doc__)
    for text in texts:
        paragraphs = inspect.cleandoc(text or "").split("\n\n")
        found = [one for one in paragraphs if one.startswith(("Source:", "Sources:"))]
        if found:
            return [" ".join(one.partition(":")[2].split()) for one in found]
    return []


def _numbers(cls: type) -> dict[str, Any]:
    types = part_fields(cls)
    return {name: kind for name, kind in types.items() if name not in _OTHERWISE_SET}


def _words(kind: Any) -> str:
    """The type of a number in words.

    >>> from typing import Literal
    >>> _words(float), _words(tuple[int, ...]), _words(Literal["l1", "l2"])
    ('float', 'int/int/…', 'l1 or l2')
    """
    inner: tuple[Any, ...] = getattr(kind, "__args__", ())
    if getattr(kind, "__origin__", None) is tuple:
        return f"{_words(inner[0])}/{_words(inner[0])}/…"
    if inner:
        return " or ".join(_words(one) if isinstance(one, type) else str(one) for one in inner)
    return getattr(kind, "__name__", str(kind))


def _default(one: Any) -> Any:
    if one.default is not MISSING:
        return one.default
    return None if one.default_factory is MISSING else one.default_factory()
