"""Commands that stop where work for minutes would begin, after everything has been checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

# Loops of trainings, trials of studies, measurements of the machine.
_BEGIN = (
    "darts.runs.loop:Loop.__call__",
    "darts.trials.executors:run_in_process",
    "darts.trials.processes:run_in_processes",
    "darts.fitting.measuring:measure_machine",
    "darts.advising.machine:measure_training",
    "darts.advising.machine:measure_search",
    "darts.advising.advice:measure_training",
    "darts.advising.advice:measure_search",
    "darts.scoring:score_networks",
)


class Begun(BaseException):
    """The work would begin now."""


def _begun(*arguments: Any, **keywords: Any) -> None:
    raise Begun


@contextmanager
def stopping() -> Iterator[None]:
    """Within it, no training, study or measurement begins: `Begun` is raised instead."""
    with ExitStack() as stack:
        for name in _BEGIN:
            module, _, attribute = name.partition(":")
            try:
                holder: Any = import_module(module)
            except ModuleNotFoundError:
                continue
            owner, _, last = attribute.rpartition(".")
            holder = getattr(holder, owner) if owner else holder
            if hasattr(holder, last):
                stack.enter_context(patch.object(holder, last, _begun))
        yield
