"""What kind of run a `config.yaml` belongs to, and the command that continues it. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunKind:
    """A kind of run.

    Attributes:
        what: What it is, with its article.
        marks: Settings that only this kind has all of; the first kind in the list that fits counts.
        command: The command that continues it, before the directory.
    """

    what: str
    marks: tuple[str, ...]
    command: str


_KINDS = (
    RunKind("the training of a detector", ("nms_threshold",), "python -m darts detect --resume"),
    RunKind("a joint search", ("rounds", "candidates"), "python -m darts joint search --resume"),
    RunKind("a comparison under recipes", ("recipes",), "python -m darts compare --resume"),
    RunKind("a comparison", ("baseline",), "python -m darts compare --resume"),
    RunKind("a search", ("method", "arch_learning_rate"), "python search.py --resume"),
    RunKind("a retraining", ("genotype", "drop_path"), "python evaluate.py --resume"),
)


def kind_of_run(config: Mapping[str, Any]) -> RunKind | None:
    """The kind of run that has these settings, or None.

    >>> kind_of_run({"method": "pc-darts", "arch_learning_rate": 6e-4}).what
    'a search'
    """
    return next((one for one in _KINDS if all(mark in config for mark in one.marks)), None)
