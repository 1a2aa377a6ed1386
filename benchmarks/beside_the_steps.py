"""Share of a quick search's time that is not steps, by part.

    python benchmarks/beside_the_steps.py [--dataset digits] [--epochs 12] [--k 1] [--threads 0]
                                          [--device auto] [--processor-time] [--json]

One search of the preset `quick`, with all that the command does: drawing, diagnostics, TensorBoard,
checkpoints, the report. Each part has the time that it takes itself, without the parts inside.
`steps` is the forward and backward passes; `start` is everything before the first step (imports,
data, compiled kernels), which does not grow with the length of a search and is shown, but not
counted. `--processor-time` counts processor time instead, for a machine that is not idle. Pictures,
events and checkpoints are written by a thread of their own: its processor time is shown below the
table and is not in the parts, which are what the steps wait for. On a GPU a step's kernels run on
while the host does the next thing, so `steps` ends with a synchronisation there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

PARTS = {
    "steps": ["darts.searching.task.SearchTask.step"],
    "validation": ["darts.searching.task.SearchTask.validate"],
    "diagnostics": ["darts.searching.diagnostics.Diagnostics.__call__"],
    "drawing": ["darts.searching.drawing.draw_epoch"],
    "checkpoints": ["darts.runs.loop.Loop._store"],
    "TensorBoard and log": [
        "darts.runs.loop.Loop._log",
        "darts.runs.tracking.Tracker.__init__",
        "darts.runs.tracking.Tracker.close",
        "darts.runs.tracking.Tracker.flush",
        "darts.runs.tracking.Tracker.scalars",
    ],
    "report": ["darts.report.page.write_report"],
}
"""The functions that make up each part, in the thread of the steps."""


class WriterClock:
    """The processor time of the thread that writes, while it lives and afterwards."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    def measured(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function that does a job in that thread, with its time counted."""

        def timed(*arguments: Any) -> Any:
            begun = time.thread_time()
            try:
                return function(*arguments)
            finally:
                with self._lock:
                    self.seconds += time.thread_time() - begun

        return timed


class Clocks:
    """Seconds of nested parts, each without the parts inside it."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.first_step = 0.0
        self._clock, self._inside = clock, [0.0]

    def now(self) -> float:
        """The present time of the clock."""
        return self._clock()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside the context for a part."""
        begun = self._clock()
        if name == "steps" and not self.first_step:
            self.first_step = begun
            self.seconds.clear()  # Of the start.
        self._inside.append(0.0)
        try:
            yield
        finally:
            whole = self._clock() - begun
            self.seconds[name] += whole - self._inside.pop()
            self._inside[-1] += whole


def measured(function: Callable[..., Any], name: str, clocks: Clocks) -> Callable[..., Any]:
    """The function, with its time counted for the part `name`."""
    import torch

    def timed(*arguments: Any, **settings: Any) -> Any:
        with clocks.part(name):
            result = function(*arguments, **settings)
            if name == "steps" and torch.cuda.is_available():
                torch.cuda.synchronize()
            return result

    return timed


def search(options: argparse.Namespace, clocks: Clocks, writer: WriterClock) -> float:
    """Search once, with every part timed; returns the seconds from the first step to the end."""
    from importlib import import_module

    from darts import api
    from darts.runs.background import Background

    with tempfile.TemporaryDirectory() as folder:
        patches = []
        for name, paths in PARTS.items():
            for path in paths:
                owner, attribute = _owner(path, import_module)
                function = measured(getattr(owner, attribute), name, clocks)
                patches.append(mock.patch.object(owner, attribute, function))
        job = writer.measured(Background._do)
        patches.append(mock.patch.object(Background, "_do", job))
        for patch in patches:
            patch.start()
        try:
            api.search(
                dataset=options.dataset,
                preset="quick",
                epochs=options.epochs,
                k=options.k,
                threads=options.threads,
                device=options.device,
                run_dir=str(Path(folder) / "run"),
            )
        finally:
            for patch in patches:
                patch.stop()
        return clocks.now() - clocks.first_step


def _owner(path: str, load: Callable[[str], Any]) -> tuple[Any, str]:
    """The module or class that holds an attribute, and the attribute's name."""
    words = path.split(".")
    cut = next(i for i, word in enumerate(words) if word[0].isupper() or i == len(words) - 1)
    owner = load(".".join(words[:cut]))
    for word in words[cut:-1]:
        owner = getattr(owner, word)
    return owner, words[-1]


def shares(seconds: Mapping[str, float], whole: float) -> dict[str, float]:
    """The share of each part, in %; what no part has counts as `the rest`.

    >>> shares({"steps": 9.0, "drawing": 0.5}, 10.0)
    {'steps': 90.0, 'drawing': 5.0, 'the rest': 5.0}
    """
    found = {name: 100 * value / whole for name, value in seconds.items()}
    return {**found, "the rest": 100 - sum(found.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--k", type=int, default=1, help="of the preset: 1")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    from darts.system.waiting import wait_without_spinning

    wait_without_spinning()
    writer = WriterClock()
    clock = time.perf_counter
    if options.processor_time:
        # A job is counted when it ends, so single parts may hold some of its time.
        def clock() -> float:
            return time.process_time() - writer.seconds

    # The time since the process began is not known to every system: it counts from here.
    begun = clock()
    clocks = Clocks(clock)
    whole = search(options, clocks, writer)
    import torch

    from darts.system.device import device_name, resolve_device

    start = clocks.first_step - begun
    seconds = {name: clocks.seconds[name] for name in PARTS}
    written = writer.seconds
    percent = shares(seconds, whole)
    about = f"{device_name(resolve_device(options.device))}, torch {torch.__version__}"
    if options.json:
        found = {"machine": about, "start": start, "seconds": seconds, "%": percent}
        print(json.dumps({**found, "written in the background": written}))
        return
    print(f"{about}, {torch.get_num_threads()} threads, {options.epochs} epochs\n")
    print(f"start {start:.1f} s, then {whole:.1f} s:\n\n| part | seconds | share |\n|---|---|---|")
    for name, share in percent.items():
        print(f"| {name} | {share * whole / 100:.2f} | {share:.1f} % |")
    print(f"\nwritten in the background: {written:.2f} s of processor time")


if __name__ == "__main__":
    main()
