"""Pictures of the cells of each epoch: only what has changed is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from darts.report.draw import render_cell
from darts.runs.directory import RunDirectory
from darts.runs.tracking import Tracker
from darts.searching.drawing import draw_epoch
from genotypes import Genotype, load_genotype


class Shown(Tracker):
    """Notes the names and steps of pictures."""

    def __init__(self) -> None:
        super().__init__(None)
        self.pictures: list[tuple[str, int]] = []

    def image_now(self, name: str, picture: object, step: int) -> None:
        assert isinstance(picture, Path)
        assert picture.read_bytes().startswith(b"\x89PNG")
        self.pictures.append((name, step))


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run", "search", {})


def cells(*names: str) -> Genotype:
    """The normal cell of the first and the reduction cell of the second published genotype."""
    normal, reduce = (load_genotype(name) for name in names)
    return replace(normal, reduce=reduce.reduce, name="search", provenance={})


A = cells("darts_v1", "darts_v1")
B = cells("darts_v1", "darts_v2")


def files(run: RunDirectory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.cells.iterdir()}


def test_only_cells_that_changed_are_drawn_and_shown(run: RunDirectory) -> None:
    shown = Shown()
    draw_epoch(run, shown, 1, 10, A)
    assert shown.pictures == [("cells/normal", 10), ("cells/reduce", 10)]
    before = files(run)
    assert set(before) == {
        *(f"{kind}.{suffix}" for kind in ("normal", "reduce") for suffix in ("gv", "svg", "png")),
        "epoch-001-normal.svg",
        "epoch-001-reduce.svg",
    }
    draw_epoch(run, shown, 2, 20, A)
    draw_epoch(run, shown, 3, 30, B)
    assert shown.pictures[2:] == [("cells/reduce", 30)]
    after = files(run)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"reduce.gv", "reduce.svg", "reduce.png"}
    assert after["epoch-002-normal.svg"] == before["epoch-001-normal.svg"]
    assert after["epoch-003-reduce.svg"] == render_cell(B, "reduce")
    assert after["reduce.svg"] == render_cell(B, "reduce")
    assert after["reduce.png"] == render_cell(B, "reduce", "png")


def test_a_killed_and_resumed_run_has_the_same_files_and_pictures(
    run: RunDirectory, tmp_path: Path
) -> None:
    # Killed after the second epoch was drawn and before its checkpoint: it is drawn again.
    first, again = Shown(), Shown()
    draw_epoch(run, first, 1, 10, A)
    draw_epoch(run, first, 2, 20, B)
    draw_epoch(run, again, 2, 20, B)
    assert again.pictures == first.pictures[2:] == [("cells/reduce", 20)]
    whole = RunDirectory.create(tmp_path / "whole", "search", {})
    for epoch, genotype in [(1, A), (2, B)]:
        draw_epoch(whole, Shown(), epoch, 10 * epoch, genotype)
    assert files(run) == files(whole)
    # A picture that is missing, for whatever reason, comes back.
    (run.cells / "normal.svg").unlink()
    draw_epoch(run, again, 3, 30, B)
    assert (run.cells / "normal.svg").is_file()
