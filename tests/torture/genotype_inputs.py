"""Bad genotypes and search spaces: YAML, JSON, printed forms, strings, on the command line."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from genotypes import format_genotype, format_python, load_genotype
from genotypes.nasbench201 import arch_string
from tests.torture.mutations import damaged, wrong_text, yaml_text
from tests.torture.trying import commands

_NAMES = ("pcdarts_cifar10", "darts_v2", "nb201-1462")
_SPACE = {
    "name": "mine",
    "operations": ["none", "skip_connect", "sep_conv_3x3", "max_pool_3x3"],
    "nodes": 3,
    "inputs": 2,
    "kept": 2,
}


@cache
def _texts() -> tuple[str, ...]:
    """Valid genotypes in every form that is not plain values."""
    cells = [load_genotype(name) for name in _NAMES]
    printed = [format_python(cell) for cell in cells[:2]]
    return (
        *printed,
        f"A = {printed[0]}\nB = {printed[1]}\n",
        f"log line\n{printed[0]}\nepoch 2\n{printed[1]}\n",
        arch_string(cells[2]),
        *map(format_genotype, cells),
        json.dumps({cell.name: cell.as_dict() for cell in cells}),
    )


@cache
def _values() -> tuple[Any, ...]:
    cells = [yaml.safe_load(format_genotype(load_genotype(name))) for name in _NAMES]
    return (*cells, {**cells[0], "space": _SPACE})


def _genotype_file(random: Random, folder: Path) -> list[str]:
    name = random.choice(("cell.yaml", "cell.yml", "cell.json", "cell.py", "cell.txt", "cell.log"))
    if name.endswith((".yaml", ".yml", ".json")) and random.random() < 0.85:
        write = json.dumps if name.endswith("json") else yaml_text
        content = wrong_text(random, random.choice(_values()), write)
    else:
        text, other = (random.choice(_texts()).encode() for _ in range(2))
        content = damaged(random, text, other)
    (folder / name).write_bytes(content)
    picked = random.choice(("", "", "", ":A", ":last", ":1", ":", ":999999999999999999999"))
    if not name.endswith((".py", ".txt", ".log")):
        picked = ""
    return _reading(random, name + picked)


def _written_genotype(random: Random, folder: Path) -> list[str]:
    text = damaged(random, random.choice(_texts()).encode()).decode("utf-8", "surrogateescape")
    return _reading(random, text.replace("\0", ""))


def _reading(random: Random, word: str) -> list[str]:
    """A command that reads a genotype; mostly the one that does nothing else."""
    chance = random.random()
    if chance < 0.02:
        return ["cost", word, "--channels", "4", "--layers", "3"]
    if chance < 0.06:
        return ["draw", word, "-o", "drawn", "--formats", "svg"]
    return ["genotypes", word, "--as", random.choice(("python", "json", "yaml", "string"))]


def _space_file(random: Random, folder: Path) -> list[str]:
    (folder / "space.yaml").write_bytes(wrong_text(random, _SPACE, yaml_text))
    if random.random() < 0.3:
        return ["spaces", "space.yaml"]
    return ["genotypes", "--random", "1", "--space", "space.yaml"]


KINDS = (
    commands(
        "genotype-files",
        "damaged genotype files: YAML, JSON, Python, logs",
        _genotype_file,
        9000,
        30,
    ),
    commands(
        "written-genotypes", "damaged genotypes on the command line", _written_genotype, 1500, 8
    ),
    commands("space-files", "damaged files of search spaces", _space_file, 1500, 8),
)
