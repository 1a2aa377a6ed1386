"""The guides: Python blocks run, and the commands of shell blocks are understood.

What would train for minutes stops where its options are understood. Blocks that read the results of
such a run are only checked for names that they lack.
"""

from __future__ import annotations

import ast
import builtins
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darts import cli
from darts.api import joint, populations, runs, scaling, studies
from darts.commands import shared
from darts.settings import parsing
from genotypes import load_genotype, save_genotype

ROOT = Path(__file__).parents[1]
# The examples of docs/extending.md run in tests/test_extending.py, in order.
GUIDES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *(path for path in sorted(ROOT.glob("docs/**/*.md")) if path.name != "extending.md"),
]
# Words of blocks that read a finished run or fit for minutes, and of blocks that train.
READS_A_RUN = ("darts.fit(", '"RUN_DIR"', '"pop/regnetx"')
TRAINS = (
    *("darts.api.evaluate(", "darts.search(", "api.compare("),
    *("darts.search_jointly(", "darts.compare_scalings("),
)
# Programs that guides call; their calls are recorded.
STUBS = ("python", "torchrun", "pip", "make", "pytest")


class Understood(BaseException):
    """A command has understood its options and would begin now."""


def blocks(language: str) -> list[Any]:
    """All blocks in a language, each with its guide and its number there."""
    found = []
    for guide in GUIDES:
        text = guide.read_text(encoding="utf-8")
        texts = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        found += [
            pytest.param(block, id=f"{guide.parent.name}-{guide.stem}-{number}")
            for number, block in enumerate(texts)
        ]
    return found


PYTHON, SHELL = blocks("python"), blocks("sh")


def test_all_blocks_are_of_a_known_kind() -> None:
    assert len(PYTHON) >= 15
    assert len(SHELL) >= 30
    marks = {
        mark
        for guide in GUIDES
        for mark in re.findall(r"^```(.*)$", guide.read_text("utf-8"), re.MULTILINE)[::2]
    }
    assert marks <= {"python", "sh", "yaml", "sql", "text"}


def undefined(source: str) -> set[str]:
    """The names that a block reads but neither imports, assigns nor defines."""
    read, given = set(), set(dir(builtins))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else given).add(node.id)
        elif isinstance(node, ast.arg):
            given.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            given.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            given |= {(name.asname or name.name).split(".")[0] for name in node.names}
    return read - given - {"__name__"}


def test_a_block_without_its_import_is_found() -> None:
    assert undefined("darts.api.compare(genotype='x')") == {"darts"}
    assert undefined("import darts.api\ndarts.api.compare()") == set()


@pytest.mark.parametrize("block", PYTHON)
def test_python_blocks_run(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert undefined(block) == set()
    if any(words in block for words in READS_A_RUN):
        return
    monkeypatch.chdir(tmp_path)
    if "cifar10.npz" in block:
        images = {part: np.zeros((6000, 1), np.uint8) for part in ("x_train", "y_train", "x_test")}
        np.savez("cifar10.npz", **images)
    if "__main__" in block:  # Its worker processes import the file.
        Path("example.py").write_text(block, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "example.py"], env=environment, check=True)
    elif any(words in block for words in TRAINS):
        for home in (joint, populations, runs, scaling, studies):
            monkeypatch.setattr(home, "options_from", stopping(parsing.options_from))
        with pytest.raises(Understood):
            exec(compile(block, "guide", "exec"), {})
    else:
        exec(compile(block, "guide", "exec"), {"__name__": "guide"})


def stopping(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does its work and then stops the command."""

    def stops(*arguments: Any, **keywords: Any) -> Any:
        raise Understood(function(*arguments, **keywords))

    return stops


def recorded(block: str, folder: Path) -> Iterator[list[str]]:
    """The calls of programs of a block that bash makes of it, as lists of words."""
    bin_, log = folder / "bin", folder / "log"
    bin_.mkdir()
    for name in STUBS:
        stub = bin_ / name
        stub.write_text(f'#!/bin/sh\nprintf "%s\\0" {name} "$@" >> {log}\nprintf "\\n" >> {log}\n')
        stub.chmod(0o755)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "activate").touch()
    environment = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", block], cwd=folder, env=environment, check=True)
    for line in log.read_text(encoding="utf-8").splitlines():
        yield line.split("\0")[:-1]


def stand_ins(words: list[str]) -> None:
    """Write the files that a command reads before it begins: cells, recipes and spaces."""
    cell = load_genotype("darts_v1")
    for flag, word in zip(["", *words], words, strict=False):
        path = Path(word)
        if path.exists() or word.startswith("-"):
            continue
        if flag == "--config" and path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("epochs: 1\n")
        elif flag == "--space" and path.suffix:
            path.write_text("name: mine\noperations: [none, skip_connect, noise]\n")
        elif word == "FILE" or path.suffix == ".yaml":
            path.parent.mkdir(parents=True, exist_ok=True)
            save_genotype(cell, path)
        elif words[0] == "compare" and word.startswith("runs/") and flag != "--run-dir":
            path.mkdir(parents=True)
            save_genotype(cell, path / "genotype.yaml")


def understand(words: list[str]) -> None:
    """Have a command understand its arguments."""
    if words[:2] == ["-m", "darts"]:
        words = words[2:]
    elif words[0] in ("search.py", "evaluate.py"):
        words = [words[0].removesuffix(".py"), *words[1:]]
    else:
        assert (ROOT / words[0]).is_file(), words
        return
    stand_ins(words)
    try:
        assert cli.main(words) == 0, words
    except (Understood, SystemExit):
        return


@pytest.mark.parametrize("block", SHELL)
def test_commands_of_shell_blocks_are_understood(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parsing, "build", stopping(parsing.build))
    monkeypatch.setattr(parsing, "_continued", stopping(lambda *_: None))
    parse = shared.Arguments.parse_args
    monkeypatch.setattr(shared.Arguments, "parse_args", stopping(parse))
    seen = set()
    for program, *words in recorded(block, tmp_path):
        # A loop repeats its commands with other numbers.
        form = re.sub(r"\d+", "0", " ".join(words))
        if program == "pytest":
            assert all((ROOT / word).exists() for word in words if word.startswith("tests/"))
        if program == "torchrun":
            script = next(n for n, word in enumerate(words) if word.endswith(".py") or word == "-m")
            program, words = "python", words[script:]
        if program == "python" and form not in seen and "…" not in words:
            seen.add(form)
            understand(words)


def test_a_wrong_command_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        test_commands_of_shell_blocks_are_understood(
            "python search.py --no-such-flag 1", tmp_path, monkeypatch
        )
