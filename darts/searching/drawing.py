"""Pictures of the cells that a search has after each epoch."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from darts.files import atomic_write
from darts.report.cell_text import cell_lines
from darts.report.draw import draw_genotype, render_cell
from darts.runs.directory import RunDirectory
from darts.runs.tracking import Tracker
from genotypes import Genotype


def draw_epoch(
    run: RunDirectory, tracker: Tracker, epoch: int, step: int, genotype: Genotype
) -> None:
    """Keep a drawing of the cells in the run and in TensorBoard; an `EpochHook` of searches.

    A cell that is the same as after the last epoch is not drawn again. Each epoch's file decides
    this for the next epoch, so a resumed run draws what an uninterrupted one draws.
    """
    tracker.later(partial(_draw, run, tracker, epoch, step, genotype))
    tracker.text("cell", "\n".join(cell_lines(genotype)), step)


def _draw(run: RunDirectory, tracker: Tracker, epoch: int, step: int, genotype: Genotype) -> None:
    changed = []
    for kind in genotype.kinds:
        svg = render_cell(genotype, kind, "svg")
        with atomic_write(run.epoch_cell(epoch, kind), "wb") as stream:
            stream.write(svg)
        kept = (run.epoch_cell(epoch - 1, kind), run.cells / f"{kind}.svg")
        if any(_content(path) != svg for path in kept):
            changed.append(kind)
    draw_genotype(genotype, run.cells, formats=("svg", "png"), kinds=changed)
    for kind in changed:
        tracker.image_now(f"cells/{kind}", run.cells / f"{kind}.png", step)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
