"""Try to break the toolkit: `python -m tests.torture [KIND …]` (`make torture`).

Prints a line for each kind and each fault; exit code 1 if there was a fault.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

# Before torch is loaded, and inherited by all processes: they run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.torture.kinds import Effort, Kind, Tally, all_kinds, shares

_ROW = "{:24} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7}"


def main(arguments: list[str] | None = None) -> int:
    """Try the named kinds, all by default; return the exit code."""
    kinds = all_kinds()
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("kind", nargs="*", help=f"of {', '.join(kinds)}; all by default")
    parser.add_argument("--cases", type=int, help="number of tries in all; some kinds have a fixed")
    parser.add_argument("--each", type=int, help="number of tries of each kind")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same tries")
    parser.add_argument("--first", type=int, default=0, help="number of the first try")
    parser.add_argument("--jobs", type=int, default=2, help="kinds that are tried side by side")
    parsed = parser.parse_args(arguments)
    if unknown := set(parsed.kind).difference(kinds):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    chosen = [kinds[name] for name in parsed.kind or kinds]
    numbers = {kind.name: kind.cases for kind in chosen}
    if parsed.cases is not None:
        numbers = shares(chosen, parsed.cases)
    if parsed.each is not None:
        numbers = dict.fromkeys(numbers, parsed.each)

    def run(kind: Kind) -> tuple[Kind, Tally, float]:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="torture-") as place:
            cases = numbers[kind.name]
            tally = kind.run(Effort(cases, Path(place), parsed.seed, parsed.first))
        return kind, tally, time.monotonic() - started

    print(_ROW.format("kind", "tries", "done", "refused", "faults", "CPU s", "seconds"), flush=True)
    faults = 0
    with ThreadPoolExecutor(parsed.jobs) as pool:
        for ended in as_completed([pool.submit(run, kind) for kind in chosen]):
            kind, tally, seconds = ended.result()
            bad = len(tally.faults)
            counts = (tally.tries, tally.done, tally.refused, bad, f"{tally.seconds:.0f}")
            print(_ROW.format(kind.name, *counts, f"{seconds:.0f}"), flush=True)
            for fault in tally.faults:
                print(f"  {kind.name} {fault}", flush=True)
            faults += bad
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
