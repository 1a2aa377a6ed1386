"""The README's Python examples run as printed, and what documents name exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from darts.commands.table import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_run(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2


def test_every_command_is_shown() -> None:
    for command in set(COMMANDS) - {"search", "evaluate"}:
        assert f"python -m darts {command}" in README, command


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_modules_that_documents_name_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:ops|cells|genotypes|darts|tests|benchmarks)/[\w./]*)`", text):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_imports_of_examples_work(document: Path) -> None:
    for example in re.findall(r"```python\n(.*?)```", document.read_text("utf-8"), re.DOTALL):
        imports = [
            node
            for node in ast.walk(ast.parse(example))
            if isinstance(node, (ast.Import, ast.ImportFrom))
        ]
        exec(compile(ast.Module(imports, []), document.name, "exec"), {})
