"""The report of several searches: their cells, how far they agree, and the choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darts.report.cell_images import CellImage, at_one_scale
from darts.report.draw import render_cell
from darts.report.formatting import Card, duration, flat
from darts.report.page import repeat_command
from darts.report.record import RunRecord, read_run
from darts.report.render import render_page
from darts.report.style import cell_title, operation_label, state_name
from darts.run_files import RunFiles
from darts.sweeps.agreement import EdgeAgreement
from darts.sweeps.outcome import CHOICE
from genotypes import Genotype, parse_genotype


@dataclass(frozen=True)
class HeatCell:
    """A field of the table of edges.

    Attributes:
        text: What most cells have there; empty where there is no edge.
        counts: How many cells have it, such as "3/4".
        strength: For the colour: 0 where one cell has it, 1 where all have it.
        title: All choices, as the field's explanation.
    """

    text: str = ""
    counts: str = ""
    strength: float = 0.0
    title: str = ""


def has_choice(directory: Path | str) -> bool:
    """Whether a directory has the finished run of several searches."""
    return RunFiles(Path(directory)).result_has(CHOICE)


def write_choice_report(directory: Path | str) -> Path:
    """Write `report.html` from the files of a finished run of several searches.

    Raises:
        UserError: There is no run in `directory`.
    """
    record = read_run(directory)
    result = record.result or {}
    choice, agreement = result[CHOICE], result["agreement"]
    failed = [one for one in result["seeds"] if one["error"]]
    return render_page(
        __package__,
        "choice.html",
        record.files.report,
        {
            "name": record.name,
            "commands": [("", repeat_command(record))],
            "summary": _summary(record),
            "notes": [
                *([choice["warning"]] if choice["warning"] else []),
                *(f"Seed {one['seed']}: {one['error']}" for one in failed),
                *(
                    f"Seed {one['seed']}, {text}"
                    for one in result["seeds"]
                    for text in one["warnings"]
                ),
            ],
            "cards": _cards(result),
            "sentences": result["sentences"],
            "rows": result["rows"],
            "heat": _heat_maps(agreement, record.genotype),
            "cells": _at_one_scale(
                [*_random_winner(result), *_pictures(result["seeds"], choice["seed"])]
            ),
            "config": flat(record.config),
            "environment": flat(record.environment),
        },
    )


def _summary(record: RunRecord) -> str:
    config = record.config
    seeds = ", ".join(str(one["seed"]) for one in (record.result or {})["seeds"])
    return (
        f"Searches of a cell on {config.get('dataset')} · {config.get('method')}, "
        f"K = {config.get('k')} · seeds {seeds}"
    )


def _cards(result: Mapping[str, Any]) -> list[Card]:
    choice, agreement = result[CHOICE], result["agreement"]
    best = choice["candidates"][0]
    number = best.get("random")
    name = f"seed {choice['seed']}" if number is None else f"random cell {number}"
    cards = [Card("Chosen", name, f"by {choice['rule']}")]
    if best["mean"] is not None:
        note = "training images only; the test images were not read"
        cards.append(Card("Its accuracy", f"{best['mean']:.2f} %", note))
    if choice["difference"] is not None:
        doubt = "within the noise" if choice["within_noise"] else "beyond the noise"
        cards.append(Card("Ahead of the next cell", f"{choice['difference']['middle']:.2f}", doubt))
    if agreement["shared"] is not None:
        by_chance = agreement["by_chance"]
        note = "" if by_chance is None else f"random cells share {by_chance:.1f}"
        shared = f"{agreement['shared']:.1f} of {agreement['kept']:.0f}"
        cards.append(Card("Edges that two seeds share", shared, note))
    if chance := result.get("chance"):
        ahead = f"{chance['surpassed']} of {len(chance['random'])}"
        verdict = {"not shown": "not shown to beat chance"}.get(
            chance["verdict"], f"{chance['verdict']} than chance"
        )
        cards.append(Card("Random cells surpassed", ahead, verdict))
    return [*cards, Card("Time of all searches", duration(result.get("seconds")))]


def _heat_maps(
    agreement: Mapping[str, Any], genotype: Genotype | None
) -> list[tuple[str, list[str], list[tuple[str, list[HeatCell]]]]]:
    """For each kind of cell its title, the names of the sources, and a row for each node."""
    inputs = genotype.rules.inputs if genotype else 2
    edges = agreement["edges"]
    found = []
    for kind in dict.fromkeys(edge["kind"] for edge in edges):
        own = {(one["source"], one["target"]): one for one in edges if one["kind"] == kind}
        sources = sorted({source for source, _ in own})
        rows = [
            (
                state_name(target, inputs),
                [_heat_cell(own.get((source, target))) for source in sources],
            )
            for target in sorted({target for _, target in own})
        ]
        names = [state_name(source, inputs) for source in sources]
        found.append((cell_title(kind), names, rows))
    return found


def _heat_cell(edge: Mapping[str, Any] | None) -> HeatCell:
    if edge is None:
        return HeatCell()
    known = EdgeAgreement.from_dict(edge)
    title = ", ".join(f"{_label(name)}: {count}" for name, count in edge["choices"].items())
    if not known.operation:
        return HeatCell("not kept", "", 0.0, title)
    count = known.choices[known.operation]
    strength = (count - 1) / max(1, known.cells - 1)
    return HeatCell(_label(known.operation), f"{count}/{known.cells}", strength, title)


def _label(choice: str) -> str:
    return " + ".join(map(operation_label, choice.split("+")))


def _pictures(
    seeds: Sequence[Mapping[str, Any]], chosen: int | None
) -> list[tuple[str, list[tuple[str, bytes]]]]:
    """For each different cell its heading, and the title and picture of each kind; chosen first."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in seeds:
        if one["cell"]:
            groups.setdefault(one["cell"], []).append(one)
    order = sorted(groups.items(), key=lambda one: chosen not in [row["seed"] for row in one[1]])
    found = []
    for letter, rows in order:
        genotype = parse_genotype(rows[0]["genotype"], f"cell {letter}")
        many = "s" * (len(rows) > 1)
        heading = f"Cell {letter}: seed{many} {', '.join(str(row['seed']) for row in rows)}"
        if chosen in [row["seed"] for row in rows]:
            heading += " (chosen)"
        found.append((heading, _drawn(heading, genotype)))
    return found


def _random_winner(
    result: Mapping[str, Any],
) -> list[tuple[str, list[tuple[str, bytes]]]]:
    """Heading and pictures of the chosen cell if it is a random one."""
    number = result[CHOICE]["candidates"][0].get("random")
    if number is None:
        return []
    cell = next(one for one in result["random_cells"] if one["random"] == number)
    genotype = parse_genotype(cell["genotype"], f"random cell {number}")
    heading = f"Random cell {number} (chosen)"
    return [(heading, _drawn(heading, genotype))]


def _drawn(heading: str, genotype: Genotype) -> list[tuple[str, bytes]]:
    """Title and picture of each kind of cell."""
    return [
        (f"{heading}, {cell_title(kind)}", render_cell(genotype, kind)) for kind in genotype.kinds
    ]


def _at_one_scale(
    groups: Sequence[tuple[str, list[tuple[str, bytes]]]],
) -> list[tuple[str, list[CellImage]]]:
    """The pictures of all groups at one scale, under their headings."""
    images = iter(at_one_scale([one for _, group in groups for one in group]))
    return [(heading, [next(images) for _ in group]) for heading, group in groups]
