"""Trials that other processes can import."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darts.trials.attempt import ReportEpoch
from darts.trials.executors import run_trials
from darts.trials.job import Resources
from darts.trials.store import TrialStore


def squares(settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
    """Three epochs; the error is the square of the seed."""
    for epoch in range(3):
        report({"loss": settings["seed"] / (epoch + 1)})
    return {"test_error": float(settings["seed"] ** 2)}


def raises_at_two(settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
    if settings["seed"] == 2:
        raise ArithmeticError("two is too much")
    return squares(settings, report)


def disk_is_full_at_two(settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
    if settings["seed"] == 2:
        raise OSError(errno.ENOSPC, "No space left on device", "trial/log")
    return squares(settings, report)


def dies_once(settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
    """Killed in its first attempt, as when memory runs out, if the settings name a mark."""
    mark = settings.get("mark")
    if mark and not Path(mark).exists():
        Path(mark).touch()
        time.sleep(0.5)  # Until all other workers have run out of trials.
        os.kill(os.getpid(), signal.SIGKILL)
    return squares(settings, report)


def dies_always(settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
    if settings["seed"] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return squares(settings, report)


def tells_its_room(settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "CUDA_VISIBLE_DEVICES")
    if meeting := settings.get("meeting"):  # Until two processes have come here.
        (Path(meeting) / str(os.getpid())).touch()
        deadline = time.monotonic() + 60
        while len(list(Path(meeting).iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    return {name: os.environ.get(name) for name in names} | {"process": os.getpid()}


def sleeps(settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
    Path(settings["mark"]).write_text(str(os.getpid()))
    time.sleep(60)
    return {}


def drive(path: Path, mark: Path) -> None:
    """A driver that waits for one worker process."""
    with TrialStore(path) as store:
        store.add("a", {"mark": str(mark)})
        run_trials(store, sleeps, executor="processes", resources=Resources(workers=1))
