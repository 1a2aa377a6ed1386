"""What the TAB key offers; needs argcomplete."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from darts.commands.table import COMMANDS

pytest.importorskip("argcomplete")
CHECKOUT = Path(__file__).parents[3]


def offered(line: str, folder: Path) -> list[str]:
    """What a shell gets for a line, by running `python -m darts` as its hook does."""
    out = folder / "offered"
    environment = {
        **os.environ,
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(out),
        "PYTHONPATH": str(CHECKOUT),
    }
    subprocess.run([sys.executable, "-m", "darts"], env=environment, cwd=folder, check=True)
    return [one.strip() for one in out.read_text().splitlines()]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("darts se", ["search"]),
        ("darts joint ", list(COMMANDS["joint"].subcommands)),
        ("darts search --arch-ev", ["--arch-every"]),
        ("darts search --method g", ["gdas"]),
        ("darts evaluate --genotype pc", ["pcdarts_cifar10", "pcdarts_imagenet"]),
        ("darts cost --setting ", ["cifar", "imagenet"]),
        ("darts sweep --meth", ["--methods"]),
    ],
)
def test_offers(line: str, wanted: list[str], tmp_path: Path) -> None:
    assert offered(line, tmp_path) == wanted
