"""Valid inputs made wrong: bytes, trees of plain values, YAML with tags and bombs, pickles.

Every function takes a `Random`, so a try can be repeated, and hypothesis can choose and shrink.
"""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
from collections.abc import Callable
from random import Random
from typing import Any

import yaml

from tests.torture.trying import canary

NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 7, 255, 65537, 2**31, 2**63, -(2**63) - 1, 10**25),
    *(0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"), float("-inf")),
)
WORDS: tuple[str, ...] = (
    *("", " ", "~", "~nosuchuser", "~nosuchuser/x", ".", "..", "/", "../../outside", "/dev/full"),
    *("null", "None", "nan", "inf", "-1", "1e999", "0x10", "1_000", "true", "'", '"', "--help"),
    *("a" * 300, "a/" * 2500 + "b", "x" * 70000, "\0", "a\0b", "\n", "a\nb", "\x1b[31mred\x1b[0m"),
    *("\x9b31m", "\u202eabc", "\udcff", "é", "日本", "😀", "<script>alert(1)</script>", "{{7*7}}"),
    *("'; DROP TABLE trials; --", "%s%n", "${HOME}", "$(touch canary)", "`touch canary`", "a=b"),
    *("!!python/object/apply:os.system ['touch canary']", "*", "[" * 500, "{" * 500, "con", "nul"),
)


_WIDE = (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\x7f")


class Runs:
    """Its pickle creates the canary."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {canary()}",)


def pickled_code(protocol: int = 2) -> bytes:
    """A pickle that runs a command."""
    return pickle.dumps({"x": Runs()}, protocol)


def damaged(random: Random, data: bytes, other: bytes = b"") -> bytes:
    """Bytes with bits flipped, parts cut out, doubled, overwritten, or spliced with `other`."""
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        start = random.randrange(len(found) + 1)
        length = random.choice((1, 2, 4, 8, 64, len(found) // 4 + 1))
        match random.randrange(9):
            case 0:
                del found[start:]
            case 1:
                del found[start : start + length]
            case 2:
                found[start:start] = found[start : start + length]
            case 3:
                found[start : start + length] = random.randbytes(length)
            case 4:
                found[start:start] = random.choice(WORDS).encode("utf-8", "surrogateescape")
            case 5:
                found[start : start + 4] = random.choice(_WIDE)
            case 6:
                found[start:] = other[random.randrange(len(other) + 1) :]
            case _:
                for _ in range(random.choice((1, 1, 3, 20))):
                    if found:
                        found[random.randrange(len(found))] ^= 1 << random.randrange(8)
    return bytes(found)


def wrong_value(random: Random, value: Any = None) -> Any:
    """A plain value that is odd, or of another kind than `value`."""
    match random.randrange(9):
        case 0:
            return None
        case 1 | 2:
            return random.choice(NUMBERS)
        case 3 | 4:
            return random.choice(WORDS)
        case 5:
            return random.choice(([], {}, [[]], [None], {"": None}, {"a": {"b": []}}, True, False))
        case 6:
            return _nested(random, random.choice((3, 60, 300)))
        case 7:
            return [copy.deepcopy(value) for _ in range(random.choice((2, 5, 300)))]
        case _:
            return {random.choice(WORDS): copy.deepcopy(value)}


def _nested(random: Random, depth: int) -> Any:
    found: Any = random.choice(NUMBERS)
    as_list = random.random() < 0.5
    for _ in range(depth):
        found = [found] if as_list else {"a": found}
    return found


def broken_tree(random: Random, value: Any) -> Any:
    """A copy of plain values with some nodes replaced, removed, renamed, doubled or swapped."""
    found = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        found = _change(random, found)
    return found


def _change(random: Random, tree: Any) -> Any:
    places = list(_places(tree))
    if not places or random.random() < 0.02:
        return wrong_value(random, tree)
    holder, key = random.choice(places)
    match random.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            name = random.choice((f"{key}x", str(key).upper(), random.choice(WORDS), 0, None))
            holder[name] = holder.pop(key)
        case 1:
            holder.insert(key, copy.deepcopy(holder[key]))
        case 2:
            other, place = random.choice(places)
            if place in other if isinstance(other, dict) else place < len(other):
                holder[key] = copy.deepcopy(other[place])
        case _:
            holder[key] = wrong_value(random, holder[key])
    return tree


def _places(tree: Any) -> Any:
    """All nodes below the root as (container, key or index)."""
    if isinstance(tree, (dict, list)):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


def wrong_text(random: Random, value: Any, write: Callable[[Any], str]) -> bytes:
    """A text of plain values, damaged as a tree, as YAML or JSON, or as bytes.

    Args:
        random: Where choices come from.
        value: A valid value.
        write: Writes it, such as `json.dumps`.
    """
    if random.random() < 0.55:
        try:
            text = write(broken_tree(random, value))
        except (yaml.YAMLError, ValueError, RecursionError, AttributeError):
            text = repr(value)
    else:
        text = write(value)
    if random.random() < 0.25:
        text = _spiked(random, text)
    data = text.encode("utf-8", "surrogateescape")
    if random.random() < 0.05:
        data = text.encode(random.choice(("utf-16", "latin-1")), "replace")
    if random.random() < 0.3:
        data = damaged(random, data, json.dumps(value, default=str).encode())
    return data


def yaml_text(value: Any) -> str:
    """Plain values as YAML."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _spiked(random: Random, text: str) -> str:
    """The text with one token replaced by what YAML can do and nobody means."""
    spike = random.choice(
        (
            f"!!python/object/apply:os.system ['touch {canary()}']",
            f"!!python/object/new:os.system ['touch {canary()}']",
            *("!!python/name:os.system", "!!python/module:os", "!mine x", "!!binary AAAA"),
            *("!!set {a, b}", "!!omap [a: 1]", "!!timestamp 2001-99-99", "2001-99-99", "!!int x"),
            *("!!float x", "!!binary é", "&a [*a]", "&a {a: *a}", "*nobody", "<<: 3", "<<: [1]"),
            *("{[a]: b}", "{{a: b}: c}", "? [a]", "? {a: b}", "1e999", "0o7", "0b1", "1:30:00"),
            *(".inf", ".nan", "~", "@", "`", "%YAML 3.0", "---", "...", "\t", "|", ">", "\x07"),
            *("[" * 2000, "{a: " * 2000, "- " * 2000, "9" * 5000, "0x" + "f" * 5000, "9" * 200),
            bomb(),
        )
    )
    lines = text.splitlines() or [""]
    number = random.randrange(len(lines))
    line = lines[number]
    head, colon, _ = line.partition(":")
    match random.randrange(4):
        case 0 if colon:
            lines[number] = f"{head}: {spike}"
        case 1:
            lines.insert(number, spike)
        case 2:
            lines[number] = spike
        case _:
            place = random.randrange(len(line) + 1)
            lines[number] = line[:place] + spike + line[place:]
    return "\n".join(lines)


def bomb(levels: int = 12) -> str:
    """A few lines of YAML that stand for 10 to the power of `levels` values."""
    lines = [f"a0: &a0 [{', '.join('x' * 10)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def odd_name(random: Random) -> str:
    """A name of a file or folder that can be created: controls, escapes, no UTF-8, long."""
    plain = [word for word in WORDS if word and "/" not in word and "\0" not in word]
    usable = [word for word in plain if len(os.fsencode(word)) < 200 and word not in (".", "..")]
    return random.choice([*usable, "-rf", "--help", "a b", "a,b", "a:b", "a;b", "=1+1", "#x"])


def archive_of(files: dict[str, bytes]) -> bytes:
    """A zip archive, whose names may lead anywhere."""
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()
