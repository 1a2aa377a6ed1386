"""`--help` answers at once because it loads no heavy library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
HEAVY = {"torch", "torchvision", "matplotlib", "scipy", "sklearn", "graphviz", "tensorboard"}
COMMANDS = [
    ["-m", "darts"],
    ["-m", "darts", "search"],
    ["-m", "darts", "evaluate"],
    ["search.py"],
    ["evaluate.py"],
]


def test_no_function_is_named_as_a_module() -> None:
    """An import of `darts.report` would otherwise replace a function `report`."""
    import darts

    assert not {path.stem for path in (CHECKOUT / "darts").iterdir()} & set(darts.__all__)


def test_files_in_the_working_directory_hide_no_package(tmp_path: Path) -> None:
    for name in ("genotypes", "cells", "ops"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    done = subprocess.run(
        [sys.executable, "-m", "darts", "genotypes"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "pcdarts_cifar10" in done.stdout, done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_needs_no_heavy_library(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command, "--help"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    timings, messages = [], []
    for line in done.stderr.splitlines():
        (timings if line.startswith("import time:") else messages).append(line)
    assert done.returncode == 0, messages
    assert "usage" in done.stdout.lower()
    loaded = {line.rpartition("|")[2].strip() for line in timings}
    assert "darts" in loaded
    assert not loaded & HEAVY


def test_pages_are_written_without_torch() -> None:
    """Importing it takes longer than to write the page of a population."""
    modules = ("design_space.report", "design_space.stored_population", "report.page", "pages")
    code = "import sys\n" + "".join(f"import darts.{name}\n" for name in modules)
    code += "raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False).returncode == 0
