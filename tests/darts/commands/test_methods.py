"""The command `methods`: all methods, one method, all parts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from darts.cli import main
from darts.methods.catalogue import METHODS
from darts.methods.described import described_sources
from darts.methods.parts import PARTS


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["methods", *arguments]) == 0
    return capsys.readouterr().out


def test_all_methods_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    head, first, *others = printed(capsys).splitlines()
    assert head.split() == ["name", "parts", "paper", "about"]
    assert first.startswith("pc-darts")
    assert "softmax, first-order, strongest" in first
    assert "arXiv 1907.05737" in first
    assert len(others) == len(METHODS) - 1
    listed = json.loads(printed(capsys, "--json"))
    assert [one["name"] for one in listed] == list(METHODS)
    assert listed[0]["parts"]["gradient"] == ["first-order"]


def test_the_list_needs_no_torch() -> None:
    check = (
        "import sys; from darts.cli import main; main(['methods']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0


def test_a_method_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "show", "darts-v2")
    assert "Liu et al. 2019" in text
    assert "DARTS, §2.3" in text
    assert "arch_learning_rate=0.0003" in text
    assert "--space nasbench201" in text
    described = json.loads(printed(capsys, "show", "darts-v2", "--json"))
    parts = {part["kind"]: part for part in described["parts"]}
    assert parts["gradient"]["name"] == "unrolled"
    assert all(part["sources"] for part in described["parts"])
    assert described["settings"]["k"] == 1
    assert described["spaces"]["nasbench201"]["nesterov"] is True


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    described = json.loads(printed(capsys, "show", name, "--json"))
    assert {"relaxation", "gradient", "selection"} <= {one["kind"] for one in described["parts"]}
    assert printed(capsys, "show", name).startswith(f"{name}: ")


def test_parts_are_listed_with_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert "strength=50.0 (float)" in printed(capsys, "parts", "regulariser")
    listed = json.loads(printed(capsys, "parts", "--json"))
    assert [(one["kind"], one["name"]) for one in listed] == [
        (kind, name) for kind, names in PARTS.items() for name in names
    ]
    numbers = {number["name"]: number for one in listed for number in one["numbers"]}
    assert numbers["similarity"]["type"] == "columns or flattened"
    assert "edge_normalisation" not in numbers


def test_every_part_of_a_paper_names_it() -> None:
    parts = [entry for names in PARTS.values() for entry in names.values()]
    without = {entry.where for entry in parts if not described_sources(entry.load())}
    assert without == {
        "darts.methods.selection:StrongestOperations",
        "darts.methods.stopping:FixedEpoch",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "pc-drats"], "Did you mean 'pc-darts'"),
        (["parts", "regularizer"], "Did you mean 'regulariser'"),
        (["parts", "nothing"], "Kinds are relaxation"),
    ],
)
def test_wrong_names(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", *arguments]) == 2
    assert words in capsys.readouterr().err
