"""The examples of docs/spaces.md run, and its tables are right."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from genotypes import SPACES, SearchSpace, find_space

GUIDE = (Path(__file__).parents[1] / "docs" / "spaces.md").read_text(encoding="utf-8")


def test_the_example_in_python_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    exec(compile(example, "docs/spaces.md", "exec"), {})


def test_the_space_of_the_guide_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "my-space.yaml").write_text(example)
    space = find_space(tmp_path / "my-space.yaml")
    assert space.choices("normal", 0, 2) == ("skip_connect", "sep_conv_3x3")
    assert space.zero == "none"


def test_every_key_and_every_space_is_listed() -> None:
    names = {one.name for one in fields(SearchSpace)} - {"restricted"} | {"edges"}
    rows = set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))
    assert names <= rows
    assert all(f"`{name}`" in GUIDE for name in SPACES)
