"""What is compared of two directories that a command has filled: everything but times and speeds.

| files | compared |
|---|---|
| checkpoints and other files of torch | all tensors bit by bit, all numbers and texts |
| tables of trials (SQLite) | configuration; each trial's key, settings, status, result and curve |
| JSON, JSON lines, YAML | all values |
| event files of TensorBoard | that there are some: a resumed run begins a further file |
| pictures, genotypes, text | all bytes, times in the text apart |
| pages | complete, and the same words; their figures show times |

Left out are seconds, speeds, memory, latencies, dates, the number of attempts, the environment,
and locks. The names of all files must be the same: so nothing is left over from a kill.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
import yaml

from darts.runs.checkpoints import is_checkpoint

_MEASURED = re.compile(
    "second|latency|memory|images_per|^time$|duration|started|finished|^created$|spent|elapsed|busy"
)
# A time, a speed, an amount of memory, or a date in a text.
_TIMES = re.compile(
    r"\d+d \d+:\d\d:\d\d|\d+:\d\d:\d\d"
    r"|(?<![\w/-])\d[\d.,]*(e[+-]?\d+)?\s*"
    r"(ms|s|sec|min|h|seconds|minutes|hours|[GM]i?B|images/s|per second)\b"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\+\d\d:?\d\d)?"
)


def contents(folder: Path, leave: str = "$^", unread: Collection[str] = ()) -> dict[str, Any]:
    """The comparable content of all files of a directory, by their relative names.

    Args:
        folder: The directory.
        leave: Expression for names of files that hold nothing but measured times.
        unread: Names of more files that are not compared: they are damaged.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or path.name.endswith(".lock"):
            continue
        if path.name.startswith("events.out.tfevents"):
            found.setdefault(f"{path.parent.relative_to(folder).as_posix()}/events", True)
            continue
        left = name in unread or re.search(leave, name)
        found[name] = True if left else _content(path, folder)
    return found


def first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """What differs first, in words; None if nothing does."""
    missing, further = sorted(one.keys() - other.keys()), sorted(other.keys() - one.keys())
    if missing or further:
        return f"missing {missing}, further {further}"
    for name, content in one.items():
        if (where := _differs(content, other[name], name)) is not None:
            return where
    return None


def _differs(one: Any, other: Any, where: str) -> str | None:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if list(one) != list(other):
            return f"{where}: {sorted(map(str, one.keys() ^ other.keys()))}"
        parts = ((f"{where}.{key}", one[key], other[key]) for key in one)
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{where}: {len(one)} and {len(other)} entries"
        parts = (
            (f"{where}[{index}]", *pair) for index, pair in enumerate(zip(one, other, strict=True))
        )
    else:
        if one == other:
            return None
        texts = str(one), str(other)
        pairs = enumerate(zip(*texts, strict=False))
        first = max(next((place for place, (a, b) in pairs if a != b), 0) - 40, 0)
        return f"{where}: {' and '.join(repr(text[first : first + 160]) for text in texts)}"
    return next((found for w, a, b in parts if (found := _differs(a, b, w)) is not None), None)


def _content(path: Path, folder: Path) -> Any:
    if path.suffix == ".html":
        return _words(path.read_text(encoding="utf-8").replace(str(folder.parent), "."))
    if path.suffix in _READERS:
        return _placed(_READERS[path.suffix](path), str(folder.parent))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _words(page: str) -> str:
    """A page without its figures and numbers, which are measured in part."""
    assert page.rstrip().endswith("</html>"), "The page is not complete."
    page = re.sub("<svg.*?</svg>|<script.*?</script>", "", page, flags=re.DOTALL)
    page = re.sub("[0-9a-f]{40}(-dirty)?", "COMMIT", page)
    return re.sub(r"[\d.,]*\d", "#", _plain(page))


def _placed(value: Any, folder: str) -> Any:
    """The value with names of files relative to the folder of the working directory."""
    if isinstance(value, str):
        return value.replace(folder, ".")
    if isinstance(value, list):
        return [_placed(part, folder) for part in value]
    if isinstance(value, dict):
        return {name: _placed(part, folder) for name, part in value.items()}
    return value


def _torch(path: Path) -> Any:
    if is_checkpoint(path):
        from darts.runs.checkpoints import load_checkpoint_file

        return _plain(load_checkpoint_file(path))
    return _plain(torch.load(path, map_location="cpu", weights_only=True))


def _sqlite(path: Path) -> Any:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        tables = {
            "experiment": "SELECT name, value FROM experiment ORDER BY name",
            "trial": "SELECT number, key, settings, status, result, error FROM trial "
            "ORDER BY number",
            "curve": "SELECT trial, epoch, measured FROM curve ORDER BY trial, epoch",
        }
        return {
            name: [[_parsed(value) for value in row] for row in file.execute(query)]
            for name, query in tables.items()
        }


def _parsed(value: Any) -> Any:
    try:
        return _plain(json.loads(value))
    except (TypeError, ValueError):
        return value


def _plain(value: Any) -> Any:
    """The value in comparable form, without what is measured."""
    if isinstance(value, torch.Tensor):
        data = value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        digest = hashlib.sha256(data).hexdigest()
        return f"{value.dtype} {list(value.shape)} {digest}"
    if isinstance(value, Mapping):
        return {
            str(name): _plain(part)
            for name, part in value.items()
            if not _MEASURED.search(str(name))
        }
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, str):
        return _TIMES.sub("TIME", value)
    if isinstance(value, float):
        return repr(value)  # NaN equals itself.
    return value


_READERS: dict[str, Callable[[Path], Any]] = {
    ".txt": lambda path: _plain(path.read_text(encoding="utf-8")),
    ".pt": _torch,
    ".sqlite": _sqlite,
    ".json": lambda path: _plain(json.loads(path.read_text())),
    ".jsonl": lambda path: [_plain(json.loads(line)) for line in path.read_text().splitlines()],
    ".yaml": lambda path: _plain(yaml.safe_load(path.read_text())),
}
