"""Growth of a population: overhead per trial, memory of the driver, size and rate of its store.

    python benchmarks/population_growth.py [--trials 1 10 100 1000] [--seconds 0.02]
                                           [--long-trials 1 10 100] [--long-seconds 1]
                                           [--workers 2] [--long-workers 8] [--epochs 3]
                                           [--writers 1 2 4] [--machines 100] [--json]

A trial sleeps and reports its epochs: all that a line shows beside the sleep is the toolkit's own.
Each line is a new process. `start` is the time until the first trial begins; `overhead` is the time
from then on beyond the sleeping, divided by the number of trials. The driver is the process that
writes the store: its processor time, and its peak memory (mostly torch itself).

The rate of the store is measured with transactions of its own kind (one epoch of one trial, on disk
when the call returns): one writer; several processes, each with a store of its own; and several
that write into one file, which the toolkit never does (one driver writes, workers send it what they
measured). The last table says from these rates how short an epoch may be before the one writer
holds up a cluster.

By default it takes about three minutes. A thousand trials of one second each take two more:
`--long-trials 1000`. The output is Markdown.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.metadata import version
from importlib.util import find_spec
from math import ceil
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from darts.trials.attempt import ReportEpoch
from darts.trials.executors import run_trials
from darts.trials.job import Resources
from darts.trials.store import TrialStore

EXECUTORS = ("in-process", "processes", "ray")
MEASURED = {"train_loss": 1.2345678, "train_error": 45.678, "test_error": 50.123}
WRITING = 2.0  # seconds of each measurement of the store's rate


def sleeps(settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
    """The trial: nothing but waiting and reporting."""
    for _ in range(settings["epochs"]):
        time.sleep(settings["seconds"] / settings["epochs"])
        report(MEASURED)
    return MEASURED


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One experiment, measured in this process."""
    count, workers = options.count, 1 if options.executor == "in-process" else options.workers
    settings = {"epochs": options.epochs, "seconds": options.seconds}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trials.sqlite"
        with TrialStore(path) as store:
            store.add_all({f"trial-{n:05}": {**settings, "seed": n} for n in range(count)})
            begun, spent = time.time(), time.process_time()
            resources = Resources(workers=workers)
            run_trials(store, sleeps, executor=options.executor, resources=resources)
            driver = time.process_time() - spent
        with sqlite3.connect(path) as connection:
            bounds = "SELECT min(started), max(finished) FROM trial"
            first, last = (value / 1000 for value in connection.execute(bounds).fetchone())
        size = path.stat().st_size
    slept = ceil(count / workers) * options.seconds
    return {
        "executor": options.executor,
        "trials": count,
        "seconds": options.seconds,
        "workers": workers,
        "start": first - begun,
        "overhead": (last - first - slept) / count,
        "driver_cpu": driver / count,
        "driver_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "store_bytes": size,
    }


def in_a_fresh_process(executor: str, count: int, seconds: float, workers: int, epochs: int) -> Any:
    given = {"executor": executor, "count": count, "seconds": seconds, "workers": workers}
    flags = [f"--{name}={value}" for name, value in {**given, "epochs": epochs}.items()]
    command = [sys.executable, __file__, "--measure", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def writes(path: str, seconds: float) -> float:
    """Epochs per second that one driver reports into its own store."""
    with TrialStore(path) as store:
        store.add("a", {})
        store.start("a")
        return _rate(lambda: store.report("a", MEASURED), seconds)


def writes_beside_others(path: str, seconds: float) -> float:
    """The same without the lock that keeps a second driver out."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    connection.execute("PRAGMA synchronous = FULL")
    text = json.dumps(MEASURED)

    def write() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO curve SELECT 1, coalesce(max(epoch) + 1, 0), ? FROM curve", (text,)
        )
        connection.execute("COMMIT")

    return _rate(write, seconds)


def _rate(action: Any, seconds: float) -> float:
    action()
    done, begun = 0, time.monotonic()
    while time.monotonic() - begun < seconds:
        action()
        done += 1
    return done / (time.monotonic() - begun)


def together(function: Any, paths: list[str]) -> float:
    """The sum of the rates of several processes at the same time."""
    with multiprocessing.get_context("spawn").Pool(len(paths)) as pool:
        pool.map(abs, range(len(paths)))  # All have started.
        return sum(pool.starmap(function, [(path, WRITING) for path in paths], chunksize=1))


def store_rates(writers: list[int]) -> list[dict[str, Any]]:
    rows = []
    for count in writers:
        with tempfile.TemporaryDirectory() as folder:
            own = together(writes, [f"{folder}/{n}.sqlite" for n in range(count)])
            with TrialStore(f"{folder}/one.sqlite") as store:
                store.add("a", {})
            shared = together(writes_beside_others, [f"{folder}/one.sqlite"] * count)
        rows.append({"writers": count, "own": own, "shared": shared})
    return rows


def seconds_of_a_message(machines: int) -> float:
    """Seconds until the driver has one message of one of so many workers."""
    with ExitStack() as stack:
        pipes = [multiprocessing.Pipe() for _ in range(machines)]
        for pair in pipes:
            for end in pair:
                stack.enter_context(end)
        spans = []
        for _, theirs in pipes * 3:
            theirs.send(("report", MEASURED))
            begun = time.perf_counter()
            for connection in wait([ours for ours, _ in pipes]):
                connection.recv()  # type: ignore[union-attr]
            spans.append(time.perf_counter() - begun)
    return statistics.median(spans)


def as_markdown(report: dict[str, Any]) -> str:
    lines = [
        f"{report['processor']}, {report['cores']} cores, {platform.system()}; "
        f"Python {report['python']}, SQLite {report['sqlite']}, torch {report['torch']}; "
        f"load at the beginning {report['load']:.1f}; {report['epochs']} epochs a trial.",
        "",
        "| executor | trials | of | workers | start | overhead a trial | driver's CPU a trial "
        "| memory of the driver | store | a trial |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in report["trials"]:
        lines.append(
            f"| {row['executor']} | {row['trials']} | {row['seconds']:g} s | {row['workers']} "
            f"| {row['start']:.1f} s | {1e3 * row['overhead']:.1f} ms "
            f"| {1e3 * row['driver_cpu']:.1f} ms | {row['driver_mb']:.0f} MB "
            f"| {row['store_bytes'] / 1024:.0f} KB "
            f"| {row['store_bytes'] / row['trials']:.0f} B |"
        )
    if missing := report["missing"]:
        lines += ["", f"Not installed here, so not measured: {', '.join(missing)}."]
    lines += [
        "",
        "| writing processes | epochs/s, each its own store | epochs/s, all one file |",
        "|--:|--:|--:|",
    ]
    lines += [f"| {r['writers']} | {r['own']:.0f} | {r['shared']:.0f} |" for r in report["rates"]]
    machines, alone = report["machines"], report["rates"][0]["own"]
    message = report["message_seconds"]
    each = 1 / alone + message
    lines += [
        "",
        f"The driver of {machines} workers: {1e3 * message:.2f} ms to receive a message, "
        f"{1e3 / alone:.2f} ms to write it: {1 / each:.0f} messages a second.",
        "",
        f"| epoch of a trial | messages/s of {machines} workers | share of the driver's time |",
        "|--:|--:|--:|",
    ]
    for epoch in (0.1, 1, 10, 60):
        # Each trial also starts and ends; both are transactions.
        needed = machines * (report["epochs"] + 2) / (report["epochs"] * epoch)
        lines.append(f"| {epoch:g} s | {needed:.0f} | {100 * needed * each:.1f} % |")
    return "\n".join(lines)


def environment(options: argparse.Namespace) -> dict[str, Any]:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "torch": version("torch"),
        "epochs": options.epochs,
        "machines": options.machines,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="*", default=[1, 10, 100, 1000])
    parser.add_argument("--seconds", type=float, default=0.02)
    parser.add_argument("--long-trials", type=int, nargs="*", default=[1, 10, 100])
    parser.add_argument("--long-seconds", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--long-workers", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--executor", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options)))
        return
    missing = [] if find_spec("ray") else ["ray"]
    report = {
        **environment(options),
        "missing": missing,
        "trials": [
            in_a_fresh_process(executor, count, options.seconds, options.workers, options.epochs)
            for executor in EXECUTORS
            if executor not in missing
            for count in options.trials
        ]
        + [
            in_a_fresh_process(
                "processes", count, options.long_seconds, options.long_workers, options.epochs
            )
            for count in options.long_trials
        ],
        "rates": store_rates(options.writers),
        "message_seconds": seconds_of_a_message(options.machines),
    }
    print(json.dumps(report, indent=2) if options.json else as_markdown(report))


if __name__ == "__main__":
    main()
