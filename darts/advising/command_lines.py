"""The command that stands for given options: only what differs from the usual settings."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from darts.searching.options import SearchOptions, search_overlay
from darts.settings.parsing import options_from
from darts.training.options import TrainingOptions, training_overlay

_NOT_REPEATED = ("resume", "run_dir", "log_every")


def repeat_training(options: TrainingOptions) -> str:
    """The command of a training.

    >>> repeat_training(TrainingOptions(model="resnet50", dataset="digits", epochs=3))
    'python evaluate.py --dataset digits --epochs 3 --model resnet50'
    """
    named = {name: getattr(options, name) for name in ("genotype", "model", "dataset")}
    usual = options_from(TrainingOptions, named, training_overlay)
    return " ".join(["python evaluate.py", *flags_of(options, usual, tuple(named))])


def repeat_search(options: SearchOptions) -> str:
    """The command of a search.

    >>> repeat_search(SearchOptions(dataset="digits", k=2))
    'python search.py --dataset digits --k 2'
    """
    named = {"dataset": options.dataset, "method": options.method}
    usual = options_from(SearchOptions, named, search_overlay)
    return " ".join(["python search.py", *flags_of(options, usual, ("dataset",))])


def flags_of(options: Any, usual: Any, always: Sequence[str]) -> list[str]:
    """The flags of what differs from the usual settings."""
    found: list[str] = []
    for one in fields(options):
        value = getattr(options, one.name)
        if one.name in _NOT_REPEATED or value is None:
            continue
        if value == getattr(usual, one.name) and one.name not in always:
            continue
        flag = one.name.replace("_", "-")
        if isinstance(value, bool) and one.type == "bool":
            found.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found.append(f"--{flag} {shlex.quote(text)}")
    return found
