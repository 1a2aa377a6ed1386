"""Several processes that work together, as torchrun starts them, for tests."""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from darts.system.distributed import joined

SECONDS = 300


def forkserver() -> ForkServerContext:
    """Where processes start with all that a run imports, which takes seconds, imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.darts.preloaded"])
    return context


@dataclass
class Job:
    """Processes under way; what they print goes to files."""

    processes: list[BaseProcess]
    store: dist.TCPStore
    output: Path

    def join(self) -> list[int | None]:
        """Wait for all, and their exit codes."""
        for process in self.processes:
            process.join(SECONDS)
            if process.exitcode is None:
                process.kill()
                process.join()
        return [process.exitcode for process in self.processes]

    def printed(self, rank: int) -> str:
        return (self.output / f"{rank}.txt").read_text()


def start(
    output: Path,
    function: Callable[..., Any],
    *arguments: Any,
    processes: int = 2,
    patience: float = 30.0,
) -> Job:
    """Call `function(*arguments)` in several new processes that have joined."""
    # As torchrun does it: the store is not a worker's, and its port is found by the system.
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    output.mkdir(parents=True, exist_ok=True)
    context = forkserver()
    started = []
    for rank in range(processes):
        environment = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(processes),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(store.port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }
        process = context.Process(
            target=_work, args=(environment, output / f"{rank}.txt", patience, function, arguments)
        )
        process.start()
        started.append(process)
    return Job(started, store, output)


def together(output: Path, function: Callable[..., Any], *arguments: Any, **settings: Any) -> None:
    """The same to the end, which must be a good one."""
    job = start(output, function, *arguments, **settings)
    codes = job.join()
    if any(codes):
        said = "\n".join(job.printed(rank) for rank in range(len(codes)))
        raise AssertionError(f"exit codes {codes}\n{said}")


def _work(
    environment: dict[str, str],
    output: Path,
    patience: float,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, sys.stdout.fileno())
    os.dup2(stream, sys.stderr.fileno())
    try:
        with joined(patience):
            function(*arguments)
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        raise SystemExit(1) from None
