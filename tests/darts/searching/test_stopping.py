"""Searches that a stopping rule ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.run_files import RunFiles
from darts.searching.task import search_cells
from genotypes import load_genotype
from tests.darts.runs_support import search_options

SEARCH = {
    "train_images": 80,
    "nodes": 2,
    "epochs": 6,
    "space": "s2",
    "channels": 4,
    "k": 2,
    "validate_every": 0,
    "arch_warmup_epochs": 1,
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that any rise of the eigenvalue stops."""
    run = tmp_path_factory.mktemp("stopping") / "run"
    rule = "eigenvalue:every=1,window=3,delta=1,factor=0.01,start=1"
    result = search_cells(search_options(run, **SEARCH, stopping=rule))
    assert result.stopped.startswith("The smoothed dominant eigenvalue is ")
    assert result.stopped.endswith("The cell is that of epoch 2.")
    return run


def test_it_ends_early_with_the_cell_of_the_epoch_that_the_rule_has_chosen(stopped: Path) -> None:
    lines = [json.loads(line) for line in (stopped / "metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    # Eigenvalues of the epochs 1, 2 and 3, in which alpha is trained, make two means in epoch 3.
    assert len(epochs) == 4
    assert [("eigenvalue" in line, "stopped" in line) for line in epochs] == [
        (False, False),
        (True, False),
        (True, False),
        (True, True),
    ]
    assert "validation_accuracy" in epochs[-1]
    chosen = load_genotype(stopped / "genotype.yaml")
    assert chosen.normal == load_genotype(RunFiles(stopped).epoch_genotype(2)).normal
    assert chosen.provenance["epochs"] == 2


def test_the_result_says_why(stopped: Path) -> None:
    result = json.loads((stopped / "result.json").read_text())
    assert result["epoch"] == 4
    assert "of epoch 2" in result["stopped"]
    assert result["genotype"]["provenance"]["epochs"] == 2


def test_a_rule_that_never_fires_changes_nothing(tmp_path: Path) -> None:
    settings = {**SEARCH, "epochs": 2}
    plain = search_cells(search_options(tmp_path / "plain", **settings))
    watched = search_cells(
        search_options(tmp_path / "watched", **settings, stopping="skip-count:limit=9")
    )
    assert watched.genotype.normal == plain.genotype.normal
    assert watched.validation_accuracy == plain.validation_accuracy
    assert watched.stopped == ""
