"""The cells of a search epoch by epoch, for the slider of its page.

Pictures are stored once however many epochs share them; tables of alpha are rounded, so that fifty
epochs stay small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from darts.report.cell_images import data_uri, svg_size
from darts.report.curves import operations_by_edge, topology_of
from darts.report.draw import render_cell
from darts.report.record import RunRecord
from darts.report.style import cell_title, operation_label, state_name
from genotypes import Genotype
from genotypes.search_space import DARTS


@dataclass(frozen=True)
class HeatMap:
    """Softmax of alpha and beta of one kind of cell over the frames of a film.

    Attributes:
        kind: normal or reduce.
        rows: Name of each edge, `[edges]`.
        columns: Name of each operation, `[operations]`.
        alphas: By frame a table `[edges, operations]`, or None where the run logged none.
        betas: By frame a list `[edges]`; empty without edge normalisation.
        kept: By frame the column that the derived cell keeps of each edge, or -1, `[edges]`.
    """

    kind: str
    rows: Sequence[str]
    columns: Sequence[str]
    alphas: Sequence[Sequence[Sequence[float]] | None]
    betas: Sequence[Sequence[float] | None]
    kept: Sequence[Sequence[int]]

    @property
    def title(self) -> str:
        """Heading."""
        return f"Operations of the {cell_title(self.kind)} at this epoch"

    def data(self) -> dict[str, Any]:
        """What the page's script needs."""
        values = [value for table in self.alphas for row in table or () for value in row]
        return {
            "kind": self.kind,
            "columns": len(self.columns),
            "alphas": self.alphas,
            "betas": self.betas or None,
            "kept": self.kept,
            "least": min(values, default=0.0),
            "most": max(values, default=1.0),
        }


@dataclass(frozen=True)
class Film:
    """The derived cells of all epochs.

    Attributes:
        kinds: The kinds of cells.
        frames: By epoch its number and, by kind, the index of its picture.
        pictures: `address` (a data URI) and `width`, in % of the widest picture.
        changes: Epochs whose cell differs from that of the epoch before.
        width: Width of the widest picture in pixels.
        heights: Height of the tallest picture of each kind in pixels.
        heat: The tables of alpha and beta.
    """

    kinds: Sequence[str]
    frames: Sequence[Mapping[str, int]]
    pictures: Sequence[Mapping[str, Any]]
    changes: Sequence[int]
    width: float
    heights: Mapping[str, float]
    heat: Sequence[HeatMap]

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script needs."""
        return {
            "kinds": self.kinds,
            "frames": self.frames,
            "pictures": self.pictures,
            "heat": [one.data() for one in self.heat],
        }


def film_of(record: RunRecord) -> Film | None:
    """The film of a search; None if it kept no genotypes."""
    if not record.genotypes:
        return None
    kinds = next(iter(record.genotypes.values())).kinds
    known: dict[Any, int] = {}
    drawn: list[tuple[bytes, float, float]] = []
    heights: dict[str, float] = {}
    frames: list[dict[str, int]] = []
    changes: list[int] = []
    for epoch, genotype in record.genotypes.items():
        frame: dict[str, int] = {"epoch": epoch}
        for kind in kinds:
            key = (kind, genotype.cell(kind))
            if key not in known:
                known[key] = len(drawn)
                kept = record.files.epoch_cell(epoch, kind)
                svg = kept.read_bytes() if kept.is_file() else render_cell(genotype, kind)
                drawn.append((svg, *svg_size(svg)))
            frame[kind] = known[key]
            heights[kind] = max(heights.get(kind, 0), drawn[known[key]][2])
        if frames and any(frames[-1][kind] != frame[kind] for kind in kinds):
            changes.append(epoch)
        frames.append(frame)
    widest = max(width for _, width, _ in drawn)
    pictures = [
        {"address": data_uri(svg), "width": round(100 * width / widest, 2)}
        for svg, width, _ in drawn
    ]
    heat = [one for kind in kinds if (one := _heat_map(record, kind)) is not None]
    return Film(kinds, frames, pictures, changes, widest, heights, heat)


def _heat_map(record: RunRecord, kind: str) -> HeatMap | None:
    """The tables of one kind of cell at each epoch; None if the run has none that fit."""
    lines = {line["epoch"] + 1: line["architecture"] for line in record.architecture}
    rules = record.genotype.rules if record.genotype else DARTS
    try:
        found = {epoch: lines[epoch][kind] for epoch in record.genotypes if epoch in lines}
        if not found:
            return None
        edges = len(next(iter(found.values()))["operations"])
        topology = topology_of(edges, rules.inputs)
        alphas = [_alpha(found.get(epoch), edges, rules.operations) for epoch in record.genotypes]
        betas = [_beta(found.get(epoch), edges) for epoch in record.genotypes]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None  # Tables of an unknown shape are left out of the page.
    return HeatMap(
        kind=kind,
        rows=[
            f"{state_name(edge.source, rules.inputs)} → {state_name(edge.target, rules.inputs)}"
            for edge in topology.edges
        ],
        columns=[operation_label(name) for name in rules.operations],
        alphas=alphas,
        betas=betas if any(betas) else [],
        kept=[
            _kept(genotype, kind, topology.edges, rules.operations)
            for genotype in record.genotypes.values()
        ],
    )


def _alpha(
    tables: Mapping[str, Any] | None, edges: int, operations: Sequence[str]
) -> list[list[float]] | None:
    if tables is None:
        return None
    rows = [[round(float(value), 3) for value in row] for row in tables["operations"]]
    if len(rows) != edges or any(len(row) != len(operations) for row in rows):
        raise ValueError
    return rows


def _beta(tables: Mapping[str, Any] | None, edges: int) -> list[float] | None:
    given = None if tables is None else tables.get("edges")
    if given is None:
        return None
    values = [round(float(value), 3) for value in given]
    if len(values) != edges:
        raise ValueError
    return values


def _kept(genotype: Genotype, kind: str, edges: Any, operations: Sequence[str]) -> list[int]:
    kept = operations_by_edge(genotype, kind)
    names = [kept.get((edge.target, edge.source)) for edge in edges]
    return [operations.index(name) if name in operations else -1 for name in names]
