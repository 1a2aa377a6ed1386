"""Commands that stop where work for minutes would begin, after everything has been checked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

# Loops of trainings, trials of studies, measurements of the machine.
_BEGIN = (
    "darts.runs.loop:Loop.__call__",
    "darts.trials.executors:run_in_process",
    "darts.trials.processes:run_in_processes",
    "darts.fitting.run:measure_machine",
    "darts.advising.advice:measure_training",
    "darts.advising.advice:measure_search",
    "darts.advising.probe:measure_training",
    "darts.fitting.measuring:measure_training",
    "darts.fitting.measuring:measure_search",
    "darts.fitting.measuring:probed_speed",
    "darts.proxies.study:_score",
)


class Begun(BaseException):
    """The work would begin now."""


_going_on = False


def _stopping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def begun(*arguments: Any, **keywords: Any) -> Any:
        if _going_on:
            return function(*arguments, **keywords)
        raise Begun

    return begun


@contextmanager
def going_on() -> Iterator[None]:
    """Within it, work is done, to make the files of a valid run."""
    global _going_on
    before, _going_on = _going_on, True
    try:
        yield
    finally:
        _going_on = before


@contextmanager
def stopping() -> Iterator[None]:
    """Within it, no training, study or measurement begins: `Begun` is raised instead."""
    with ExitStack() as stack:
        for name in _BEGIN:
            module, _, attribute = name.partition(":")
            holder: Any = import_module(module)
            owner, _, last = attribute.rpartition(".")
            holder = getattr(holder, owner) if owner else holder
            stack.enter_context(patch.object(holder, last, _stopping(getattr(holder, last))))
        yield
