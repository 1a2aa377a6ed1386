"""The commands of docs/tour.md run, one after the other, on a folder of tiny photographs.

They are as printed, but for fewer epochs and smaller images. `advise` measures the machine for half
a minute and is left to its own tests; `fit` is run by `make fit-smoke`.
"""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darts import cli

TOUR = Path(__file__).parents[1] / "docs/tour.md"
SMALLER = {
    "--preset quick": "--preset smoke --epochs 1 --threads 1",
    "--image-size 64": "--image-size 16",
}


def steps() -> list[list[str]]:
    """The commands of the long way, as arguments of the command line."""
    long_way = TOUR.read_text(encoding="utf-8").split("## The long way")[1]
    block = re.findall(r"```sh\n(.*?)```", long_way, re.DOTALL)[0].replace("\\\n", " ")
    for printed, run in SMALLER.items():
        block = block.replace(printed, run)
    words = [shlex.split(line)[1:] for line in block.splitlines()]
    return [
        line[2:] if line[0] == "-m" else [line[0].removesuffix(".py"), *line[1:]] for line in words
    ]


def named(file: str) -> list[tuple[str, str]]:
    """The images of a table and their classes."""
    rows = csv.DictReader(Path(file).read_text(encoding="utf-8").splitlines())
    return [(row["image"], row["class"]) for row in rows]


def test_the_long_way_can_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for part, number in (("train", 12), ("val", 3)):
        for name in ("church", "dog"):
            folder = Path("photos", part, name)
            folder.mkdir(parents=True)
            for index in range(number):
                pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    commands = steps()
    assert [words[0] for words in commands] == [
        *("advise", "search", "evaluate", "predict", "cam", "export", "predict", "report")
    ]
    for words in commands[1:]:
        assert cli.main(words) == 0, words
    assert named("named.csv") == named("named-again.csv")
    assert len(named("named.csv")) == 6
    assert Path("church.png").stat().st_size > 0
    assert "<html" in Path("runs/both.html").read_text(encoding="utf-8")
