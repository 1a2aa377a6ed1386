"""The commands of `benchmark`: cells and searches judged by known accuracies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from darts.commands.shared import Arguments


def nasbench201_command(arguments: Sequence[str], prog: str) -> None:
    """Look cells up in a table of NAS-Bench-201, and print them beside random search."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Look up the known accuracies of cells of NAS-Bench-201, and of the cell of "
        "every epoch of a search, beside what random search achieves.",
    )
    parser.add_argument(
        "cells",
        nargs="*",
        metavar="RUN|CELL",
        help="run directory, directory of runs, genotype file, or a cell: its string, "
        "nb201-NUMBER, or a tuple of NASLib",
    )
    parser.add_argument(
        "--table",
        type=Path,
        required=True,
        help="known accuracies: CSV, TSV, JSON of GENIUS, .pth or pickle of NAS-Bench-201, file "
        "or folder of NATS-Bench; recognised by content",
    )
    parser.add_argument(
        "--dataset",
        default="",
        help="cifar10, cifar100 or imagenet16-120, if the file has several or does not name it",
    )
    parser.add_argument("--valid-column", default="", help="column of the validation accuracy")
    parser.add_argument("--test-column", default="", help="column of the test accuracy")
    parser.add_argument(
        "--save-table",
        type=Path,
        metavar="FILE",
        help="write what was read as CSV (.csv or .csv.gz), which is read in no time",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="draw the trajectories of runs here"
    )
    parsed = parser.parse_args(arguments)
    from darts import api
    from darts.report.known_accuracies import judgement_text, plot_trajectories

    judged = api.look_up_cells(
        parsed.table,
        parsed.cells,
        dataset=parsed.dataset,
        valid_column=parsed.valid_column,
        test_column=parsed.test_column,
    )
    if parsed.save_table is not None:
        judged.table.save(parsed.save_table)
    pictures = []
    if parsed.output is not None and (figure := plot_trajectories(judged)) is not None:
        from darts.report.frame import write_figure

        write_figure(figure, parsed.output / "known-accuracies")
        pictures = [str(parsed.output / f"known-accuracies.{kind}") for kind in ("svg", "png")]
    if parsed.json:
        print(json.dumps({**judged.as_dict(), "pictures": pictures}, allow_nan=False))
        return
    print(judgement_text(judged))
    if pictures:
        print(f"\nplot  {pictures[0]}")
