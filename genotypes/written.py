"""Genotypes in texts: `Genotype(...)` in a Python file, a log or an argument; JSON; strings.

A text may hold several. `FILE:NAME` picks one: the name of its assignment or its key in JSON, or
its number from 1 in a text without names; `FILE:last` is the last one, as in the log of a search.
Files are never run, and nothing in them is evaluated.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from genotypes.errors import GenotypeError
from genotypes.foreign import genotype_from, is_genotype
from genotypes.genotype import Genotype
from genotypes.literals import LONGEST, read_json, read_literal
from genotypes.nasbench201 import ARCH_STRING, parse_arch_string
from genotypes.paths import user_path
from genotypes.plain_files import PlainFileError, read_text

WRITTEN_SUFFIXES = (".py", ".txt", ".log", ".json")
"""Suffixes of files with written genotypes."""

_LARGEST = 32 * 2**20
_CALL = re.compile(
    r"^(?P<name>[A-Za-z_]\w*)[ \t]*(?::[^=\n]*)?(?P<assigned>=[ \t]*)(?:\w+\.)*Genotype[ \t]*\("
    r"|(?<![\w.'\"])(?:\w+\.)*Genotype[ \t]*\("
    r"|^(?P<alias>[A-Za-z_]\w*)[ \t]*=[ \t]*(?P<known>[A-Za-z_]\w*)[ \t]*(?:#.*)?$",
    flags=re.MULTILINE | re.ASCII,
)
_INLINE = re.compile(r"(?:[A-Za-z_]\w*\s*=\s*)?(?:\w+\.)*Genotype\s*\(|\{", flags=re.ASCII)
# Whole strings and comments, so that brackets in them do not count; or one bracket.
_BRACKET = re.compile(
    r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|#[^\n]*|(?P<open>[(\[{])|(?P<close>[)\]}])"
)

Found = Callable[[], Genotype]
"""Reads one genotype of a text; only then are its errors found."""


def is_written(text: str) -> bool:
    """Whether a word is a written genotype, or names a file with some, rather than a zoo's name.

    >>> is_written("Genotype(normal=[])"), is_written("cells.py:MINE"), is_written("darts_v2")
    (True, True, False)
    """
    return _INLINE.match(text.strip()) is not None or _file_and_pick(text) is not None


def read_written(text: str) -> Genotype:
    """The genotype that a word writes out, or that its `FILE` or `FILE:NAME` holds.

    >>> read_written("Genotype([('skip_connect', 0), ('skip_connect', 1)], [2],"
    ...              "[('skip_connect', 0), ('max_pool_3x3', 1)], [2])").reduce
    ((('skip_connect', 0), ('max_pool_3x3', 1)),)

    Raises:
        GenotypeError: The file is missing or holds no genotype, or several and none is picked; or
            the genotype is wrong.
    """
    stripped = text.strip()
    if _INLINE.match(stripped):
        name = f"genotype-{hashlib.sha256(stripped.encode('utf-8', 'replace')).hexdigest()[:8]}"
        return _pick(_find(stripped, name, "the written genotype"), None, "the written genotype")
    found = _file_and_pick(text)
    if found is None:
        raise GenotypeError(f"{text}: this is no written genotype")
    path, picked = found
    content = _content(path)
    return _pick(_find(content, path.stem, str(path)), picked, str(path))


def _file_and_pick(text: str) -> tuple[Path, str | None] | None:
    """The file and the picked name of `FILE` or `FILE:NAME`, or None if a word is neither."""
    if "\n" in text or "\0" in text:
        return None
    whole, (head, colon, name) = Path(text), text.rpartition(":")
    if whole.suffix.lower() in WRITTEN_SUFFIXES:
        return whole, None
    if colon and Path(head).suffix.lower() in WRITTEN_SUFFIXES:
        return Path(head), name
    return None


def _content(path: Path) -> str:
    try:
        path = user_path(path)
        if not path.is_file():
            raise GenotypeError(f"{path}: there is no such file")
        return read_text(path, _LARGEST)
    except PlainFileError as error:
        raise GenotypeError(f"{path}: {error}") from None
    except OSError as error:
        raise GenotypeError(f"{path}: cannot be read: {error.strerror}") from None


def _find(text: str, name: str, where: str) -> dict[str, Found]:
    """All genotypes in a text by name, in their order.

    Args:
        text: Content of a file, or an argument.
        name: Name of a genotype that the text does not name.
        where: Name of the source for error messages.
    """
    if text.lstrip().startswith("{"):
        return _in_dictionary(_dictionary(text, where), name, where)
    if calls := _calls(text, name, where):
        return calls
    strings = dict.fromkeys(match[0] for match in ARCH_STRING.finditer(text))
    return {str(number): partial(parse_arch_string, arch) for number, arch in enumerate(strings, 1)}


def _dictionary(text: str, where: str) -> Any:
    try:
        return read_json(text, where)
    except GenotypeError:
        if len(text) > LONGEST or '"' in text.split(":", 1)[0]:
            raise
        return read_literal(text, where)


def _in_dictionary(value: Any, name: str, where: str) -> dict[str, Found]:
    if is_genotype(value):
        return {name: partial(genotype_from, value, name, where)}
    return {key: partial(genotype_from, one, key, f"{where}: {key}") for key, one in value.items()}


def _calls(text: str, name: str, where: str) -> dict[str, Found]:
    """Every `Genotype(...)` of a text, under the names that are assigned to it.

    A later assignment replaces an earlier one of the same name, and `A = B` gives a second name.
    Only where no call has a name, those without one count, numbered from 1; calls that only a
    running program could complete, such as `Genotype(normal=gene_normal, …)`, are then left out.
    """
    named: dict[str, Found] = {}
    plain: list[tuple[str, str]] = []
    end = 0
    for match in _CALL.finditer(text):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if match.start() < end or "#" in text[line_start : match.start()]:
            continue
        if match["alias"]:
            if match["known"] in named:
                named[match["alias"]] = named[match["known"]]
            continue
        end = _end_of_call(text, match.end())
        begin = match.end("assigned") if match["name"] else match.start()
        lines = text.count("\n", 0, begin) + 1
        place = f"{where}, line {lines}" if "\n" in text else where
        if match["name"]:
            named[match["name"]] = partial(_read_call, text[begin:end], match["name"], place)
        else:
            plain.append((text[begin:end], place))
    if named or not plain:
        return named
    readable = [one for one in plain if _is_literal(*one)] or plain[:1]
    if len(readable) == 1:
        call, place = readable[0]
        return {name: partial(_read_call, call, name, place)}
    return {
        str(number): partial(_read_call, call, f"{name}-{number}", place)
        for number, (call, place) in enumerate(readable, 1)
    }


def _read_call(call: str, name: str, where: str) -> Genotype:
    return genotype_from(read_literal(call, where), name, where)


def _is_literal(call: str, where: str) -> bool:
    try:
        read_literal(call, where)
    except GenotypeError:
        return False
    return True


def _end_of_call(text: str, start: int) -> int:
    """The place behind the bracket that closes the one before `start`, or the end of the text."""
    depth = 1
    for match in _BRACKET.finditer(text, start, start + LONGEST + 1):
        depth += bool(match["open"]) - bool(match["close"])
        if depth == 0:
            return match.end()
    return min(len(text), start + LONGEST + 1)


def _pick(found: Mapping[str, Found], name: str | None, where: str) -> Genotype:
    if not found:
        raise GenotypeError(
            f"{where}: there is no genotype in it; one is written "
            "Genotype(normal=[('sep_conv_3x3', 1), …], normal_concat=range(2, 6), reduce=[…], "
            "reduce_concat=range(2, 6))"
        )
    if name == "last" and name not in found:
        return found[list(found)[-1]]()
    if name is not None:
        if name not in found:
            close = difflib.get_close_matches(name, found, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise GenotypeError(
                f"{where}: there is no genotype {name!r} in it.{hint} There are {_listed(found)}."
            )
        return found[name]()
    if len(set(found.values())) > 1:
        raise GenotypeError(
            f"{where}: there are several genotypes in it; name one, as in "
            f"{where}:{next(iter(found))}. There are {_listed(found)}."
        )
    return next(iter(found.values()))()


def _listed(names: Mapping[str, Found]) -> str:
    listed = list(names)
    if len(listed) > 30:
        return f"{', '.join(listed[:20])} … {listed[-1]} ({len(listed)} in all)"
    return ", ".join(listed)
