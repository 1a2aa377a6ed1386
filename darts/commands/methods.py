"""The command `methods`: the search methods, what one of them is made of, and all parts."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from darts.commands.shared import Arguments, print_table
from darts.errors import UserError, closest
from darts.methods.catalogue import METHODS, CatalogueEntry, find_method, resolve_parts
from darts.methods.described import described_part, listed_part
from darts.methods.parts import NO_PART, PARTS, PartSpec

_WIDTH = 96


def methods_command(arguments: Sequence[str], prog: str) -> None:
    """List all search methods: name, parts, paper, and what they do in one line."""
    parser = Arguments(
        prog=prog,
        description="List the search methods: search.py --method NAME. "
        f"{prog} show NAME describes one, {prog} parts lists what methods are made of.",
    )
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args(arguments)
    listed = [_listed_method(find_method(name)) for name in METHODS]
    if parsed.json:
        print(json.dumps(listed))
        return
    rows = [("name", "parts", "paper", "about")]
    for one in listed:
        parts = ", ".join(PartSpec.parse(text).name for text in _texts(one["parts"]))
        rows.append((one["name"], parts, one["paper"], one["summary"]))
    print_table(rows)


def methods_show_command(arguments: Sequence[str], prog: str) -> None:
    """Describe one method: its parts with their numbers and sources, and what it sets."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Describe a search method: its parts with their numbers and sources, and the "
        "settings of a search that it implies.",
    )
    parser.add_argument("method", help="name of the method")
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args(arguments)
    entry = find_method(parsed.method)
    described = {
        **_listed_method(entry),
        "code": entry.code,
        "notes": entry.notes,
        "parts": [described_part(kind, PartSpec.parse(text)) for kind, text in _chosen(entry.name)],
        "settings": dict(entry.settings),
        "spaces": {name: dict(values) for name, values in entry.spaces.items()},
        "presets": {name: dict(values) for name, values in entry.presets.items()},
    }
    if parsed.json:
        print(json.dumps(described))
    else:
        _print_method(described)


def methods_parts_command(arguments: Sequence[str], prog: str) -> None:
    """List the parts of one kind, or all, with the numbers that can be set."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="List the parts of search methods and their numbers. A search takes them as "
        "--KIND NAME:number=value,number=value; it joins several regularisers by +.",
    )
    parser.add_argument("kind", nargs="?", help=f"{', '.join(PARTS)}; by default all")
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args(arguments)
    if parsed.kind is not None and parsed.kind not in PARTS:
        raise UserError(
            f"There is no kind of part {parsed.kind!r}.{closest(parsed.kind, PARTS)} "
            f"Kinds are {', '.join(PARTS)}."
        )
    kinds = PARTS if parsed.kind is None else (parsed.kind,)
    listed = [listed_part(kind, name) for kind in kinds for name in PARTS[kind]]
    if parsed.json:
        print(json.dumps(listed))
        return
    rows = [("kind", "name", "numbers", "about")]
    for one in listed:
        numbers = one["numbers"] or [None]
        for first, number in zip((True, *[False] * len(numbers)), numbers, strict=False):
            shown = "" if number is None else f"{number['name']}={_plain(number['default'])}"
            kind = f" ({number['type']})" if number is not None else ""
            head = (one["kind"], one["name"]) if first else ("", "")
            rows.append((*head, shown + kind, one["summary"] if first else ""))
    print_table(rows)


def _listed_method(entry: CatalogueEntry) -> dict[str, Any]:
    parts: dict[str, list[str]] = {}
    for kind, text in _chosen(entry.name):
        parts.setdefault(kind, []).append(text)
    return {
        "name": entry.name,
        "summary": entry.summary,
        "paper": entry.paper,
        "parts": parts,
    }


def _chosen(method: str) -> list[tuple[str, str]]:
    """The kind and the text form of each part that a method has."""
    resolved = resolve_parts(method, {}, order=int(find_method(method).settings.get("order", 1)))
    return [
        (kind, str(spec))
        for kind, text in resolved.items()
        if text != NO_PART
        for spec in PartSpec.parse_several(text)
    ]


def _texts(parts: Mapping[str, Iterable[str]]) -> list[str]:
    return [text for texts in parts.values() for text in texts]


def _print_method(described: Mapping[str, Any]) -> None:
    print(f"{described['name']}: {described['summary']}")
    for name in ("paper", "code", "notes"):
        if described[name]:
            _print_labelled(name, described[name])
    for part in described["parts"]:
        print()
        numbers = ", ".join(f"{name}={_plain(value)}" for name, value in part["numbers"].items())
        _print_labelled(part["kind"], f"{part['name']}{f' ({numbers})' if numbers else ''}")
        _print_labelled("", f"{part['summary']}.")
        for source in part["sources"]:
            _print_labelled("", source)
    print()
    _print_settings("settings", described["settings"])
    for name, values in described["spaces"].items():
        _print_settings(f"--space {name}", values)
    for name, values in described["presets"].items():
        _print_settings(f"--preset {name}", values)


def _print_settings(label: str, values: Mapping[str, Any]) -> None:
    text = ", ".join(f"{name}={_plain(value)}" for name, value in values.items())
    _print_labelled(label, text or "those of every search")


def _print_labelled(label: str, text: str) -> None:
    """Print a text with a label before its first line.

    >>> _print_labelled("paper", "Liu et al. 2019")
    paper                Liu et al. 2019
    """
    indent = " " * 21
    print(
        textwrap.fill(
            " ".join(text.split()),
            width=_WIDTH,
            initial_indent=f"{label:21}",
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _plain(value: Any) -> str:
    """A number as a user writes it in an option."""
    if isinstance(value, (list, tuple)):
        return "/".join(map(_plain, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
