"""How a run shares a machine: alone, beside a busy process, and beside a second run.

    python benchmarks/neighbour.py [--epochs 3] [--rounds 2] [--threads 0] [--json]

Each measurement is a whole search on digits (`--preset quick` with `--epochs`) in processes of its
own, from start to end; forms take turns within a round. A form is how OpenMP's threads wait:

    passive   they sleep: what the entry points set
    short     they spin for about 0.1 ms (GOMP_SPINCOUNT=10000)
    spinning  GNU OpenMP's own default, about 3 ms (GOMP_SPINCOUNT=300000)

The last two are GNU OpenMP's; other libraries ignore them. Targets of `passive`: two runs take at
most 2.3 times, one busy process at most 2.2 times the time of a run alone, and a run alone at most
1.03 times the spinning form. Ratios are medians over the rounds, each of one round's times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
FORMS: Mapping[str, Mapping[str, str]] = {
    "passive": {},
    "short": {"GOMP_SPINCOUNT": "10000"},
    "spinning": {"GOMP_SPINCOUNT": "300000"},
}
"""For each form the variables that a user would set."""
SHARED = ("passive", "spinning")
"""Forms that are also measured beside others."""
TARGETS = {"two runs": 2.3, "busy process": 2.2, "alone": 1.03}
_OPENMP = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")


def command(folder: Path, options: argparse.Namespace) -> list[str]:
    """The search that is measured."""
    words = "search.py --dataset digits --preset quick --device cpu"
    return [
        *(sys.executable, *words.split(), "--epochs", str(options.epochs)),
        *("--arch-warmup-epochs", "1", "--threads", str(options.threads)),
        *("--run-dir", str(folder / "run")),
    ]


def environment(form: str) -> dict[str, str]:
    """The environment of a form, without the caller's own settings of OpenMP."""
    mine = {name: value for name, value in os.environ.items() if name not in _OPENMP}
    return mine | dict(FORMS[form])


def seconds(form: str, runs: int, options: argparse.Namespace) -> float:
    """Start several runs at the same time; the seconds until the last one has ended.

    Raises:
        SystemExit: A run failed; its messages are shown.
    """
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(runs)]
        begun = time.perf_counter()
        started = [
            subprocess.Popen(
                command(folder, options),
                cwd=CHECKOUT,
                env=environment(form),
                stdout=subprocess.DEVNULL,
                stderr=(folder / "messages").open("w"),
            )
            for folder in folders
        ]
        codes = [process.wait() for process in started]
        taken = time.perf_counter() - begun
        for code, folder in zip(codes, folders, strict=True):
            if code:
                raise SystemExit(f"A search failed:\n{(folder / 'messages').read_text()}")
    return taken


@contextmanager
def busy_process() -> Iterator[None]:
    """One process that keeps one processor busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def one_round(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Seconds of every form alone, and of the shared ones beside a busy process and a run."""
    taken = {form: {"alone": seconds(form, 1, options)} for form in FORMS}
    for form in SHARED:
        with busy_process():
            taken[form]["busy process"] = seconds(form, 1, options)
        taken[form]["two runs"] = seconds(form, 2, options)
    return taken


def ratios(rounds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Median ratios: `alone` to the spinning form alone, the others to the same form alone.

    >>> once = {"alone": 10.0, "two runs": 22.0}
    >>> ratios([{"passive": once, "spinning": {"alone": 8.0}}])["passive"]
    {'alone': 1.25, 'two runs': 2.2}
    """
    found: dict[str, dict[str, float]] = {}
    for form in rounds[0]:
        for case in rounds[0][form]:
            base = "spinning" if case == "alone" else form
            each = [one[form][case] / one[base]["alone"] for one in rounds]
            found.setdefault(form, {})[case] = statistics.median(each)
    return found


def table(rounds: Sequence[Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| threads wait | case | seconds | ratio | target |"
    yield "|---|---|---|---|---|"
    for form, cases in ratios(rounds).items():
        for case, ratio in cases.items():
            each = ", ".join(f"{one[form][case]:.1f}" for one in rounds)
            target = f"≤ {TARGETS[case]}" if form == "passive" else ""
            yield f"| {form} | {case} | {each} | {ratio:.2f} | {target} |"


def machine() -> str:
    """Processor, cores, versions and the load before the first run."""
    from importlib.metadata import version

    from darts.system.cores import usable_cores

    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    model = next((line.partition(": ")[2] for line in lines if "model name" in line), "?")
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
    return (
        f"{model}, {usable_cores()} cores, torch {version('torch')}, "
        f"Python {sys.version.split()[0]}, load {load} before the first run"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as a run takes itself")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(CHECKOUT))
    about = machine()
    seconds("passive", 1, options)  # Kernels are compiled, files are in memory.
    rounds = [one_round(options) for _ in range(options.rounds)]
    if options.json:
        print(json.dumps({"machine": about, "rounds": rounds, "ratios": ratios(rounds)}))
        return
    print(f"{about}\n{options.rounds} rounds of {options.epochs} epochs, in turns\n")
    print("\n".join(table(rounds)))


if __name__ == "__main__":
    main()
