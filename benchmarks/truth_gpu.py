"""Search NAS-Bench-201 by the published recipe on a GPU, and look the cells up in a table.

    python benchmarks/truth_gpu.py --table TABLE [--dataset cifar10] [--methods pc-darts drnas
        darts-v1] [--seeds 0] [--minutes 10] [--out runs/truth] [-- SEARCH OPTIONS]

One search per method and seed, all at the same time on one GPU: C = 16, 15 cells, all training
images, and what each method's authors set for this space (`python -m darts methods show NAME`).
After `--minutes` the searches are asked to stop; each writes its checkpoint, and the same command
continues them. It ends with the accuracies of the cells so far, from the table, which no search
sees. What follows `--` is added to each search, such as `--epochs 50`. Without a CUDA device the
exit code is 2, unless `--cpu` is given.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from darts.cli import main as darts

CHECKOUT = Path(__file__).parents[1]
_GRACE = 120.0


def search_command(
    run: Path, method: str, seed: int, dataset: str, more: Sequence[str]
) -> list[str]:
    """The command that starts the search in the directory `run`, or continues it."""
    command = [sys.executable, str(CHECKOUT / "search.py")]
    if (run / "checkpoint.pt").exists():
        return [*command, "--resume", str(run)]
    return [
        *command,
        *("--space", "nasbench201", "--method", method, "--seed", str(seed)),
        *("--dataset", dataset, "--run-dir", str(run), *more),
    ]


def wait(searches: dict[Path, subprocess.Popen], seconds: float) -> None:
    """Wait for the searches; when the time is up, ask them to stop."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(one.poll() is None for one in searches.values()):
        time.sleep(0.5)
    for one in searches.values():
        if one.poll() is None:
            one.send_signal(signal.SIGINT)
    for one in searches.values():
        try:
            one.wait(_GRACE)
        except subprocess.TimeoutExpired:
            one.kill()


def look_up(arguments: Sequence[str]) -> int:
    """Print the known accuracies of the runs; return the exit code."""
    return darts(["benchmark", "nasbench201", *arguments])


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    more = given[given.index("--") + 1 :] if "--" in given else []
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--methods", nargs="+", default=["pc-darts", "drnas", "darts-v1"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--out", type=Path, default=Path("runs/truth"))
    parser.add_argument("--cpu", action="store_true", help="search on the CPU, to try the script")
    options = parser.parse_args(given[: len(given) - len(more) - ("--" in given)])
    if not options.cpu and not torch.cuda.is_available():
        print("There is no CUDA device; --cpu tries the script without one.", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    searches = {}
    for seed in options.seeds:
        for method in options.methods:
            run = options.out / f"{method}-{seed}"
            if (run / "result.json").exists():
                continue
            command = search_command(run, method, seed, options.dataset, more)
            with (options.out / f"{run.name}.log").open("a", encoding="utf-8") as log:
                searches[run] = subprocess.Popen(command, stdout=log, stderr=log)
    wait(searches, 60 * options.minutes)
    for run, one in searches.items():
        state = "finished" if (run / "result.json").exists() else "stopped; run again to continue"
        print(f"{run.name}: exit code {one.returncode}, {state}, log in {run}.log")
    runs = [str(file.parents[1]) for file in options.out.glob("*/genotypes/epoch-001.yaml")]
    return look_up(["--table", str(options.table), *sorted(runs)])


if __name__ == "__main__":
    sys.exit(main())
