"""The whole chain from searches to their judgement, as small as it can be: `make truth-smoke`.

    python benchmarks/truth_smoke.py [--table TABLE] [--out DIR]

Two methods search NAS-Bench-201 on digits with two seeds, as one sweep; their cells are looked up
in a table of known accuracies; a supernet's ranking of cells is compared with the table's; cells
are scored without training. Without `--table`, a table is made up, in which a cell's accuracy
rises with its parameters: it tries the commands, and its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from darts.cli import main as darts
from genotypes.nasbench201 import all_cells, arch_string, genotype_of

SEARCH = (
    *("--space", "nasbench201", "--dataset", "digits", "--preset", "smoke"),
    *("--channels", "4", "--layers", "3", "--threads", "1"),
)


def made_up_table(path: Path) -> Path:
    """Write a table of all cells in which the accuracies are a formula of the operations."""
    value = {"none": 0.0, "avg_pool_3x3": 1.0, "skip_connect": 2.0}
    value |= {"nor_conv_1x1": 3.0, "nor_conv_3x3": 4.0}
    lines = ["arch,cifar10_valid_acc,cifar10_test_acc"]
    for number, operations in enumerate(all_cells()):
        total = 50 + 1.5 * sum(map(value.__getitem__, operations)) + number % 7 / 10
        lines.append(f"{arch_string(genotype_of(operations))},{total - 3:.2f},{total:.2f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def chain(table: Path, out: Path) -> list[tuple[str, list[str]]]:
    """The commands of the chain, each with what it shows."""
    sweep, known = out / "sweep", ["--table", str(table)]
    run = str(sweep / "runs" / "darts-v1-seed-0")
    cells = ["nb201-1835", "nb201-6111"]
    return [
        (
            "searches of two methods with two seeds",
            [
                *("sweep", "--methods", "darts-v1", "random", "--seeds", "0..1"),
                *(*SEARCH, *known, "--out", str(sweep)),
            ],
        ),
        ("their cells in the table", ["benchmark", "nasbench201", *known, str(sweep / "runs")]),
        (
            "the ranking of cells by a supernet",
            ["benchmark", "correlate", run, *known, "--cells", "8", "-o", str(out / "correlation")],
        ),
        (
            "scores without training",
            ["score", *cells, "--scores", "synflow,nwot", "--channels", "4", "--layers", "3"],
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, help="known accuracies; by default made up")
    parser.add_argument("--out", type=Path, help="directory that keeps the results")
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        table = options.table or made_up_table(out / "made-up.csv")
        for what, arguments in chain(table, out):
            print(f"\n== {what}: darts {' '.join(arguments)}", flush=True)
            if code := darts(arguments):
                return int(code)
    print(f"\nThe chain took {time.monotonic() - begin:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
