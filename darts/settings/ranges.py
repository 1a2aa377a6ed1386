"""The range of every numeric setting, in one place; a name means the same in every command.

Settings are checked when a command has parsed them, so that no command needs to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from darts.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Range:
    """The numbers that a setting may have; finite ones only.

    >>> Range(at_least=0, below=1).words
    'at least 0 and below 1'
    >>> 1 in Range(at_least=2, also=0), 0 in Range(at_least=2, also=0)
    (False, True)

    Attributes:
        at_least: Smallest value.
        above: All values are larger than this.
        at_most: Largest value.
        below: All values are smaller than this.
        also: A further value, with a meaning of its own.
    """

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    also: float | None = None

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            return False
        if self.also is not None and value == self.also:
            return True
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    @property
    def words(self) -> str:
        """The range in words."""
        if self.at_least is None and self.above is None and self.at_most is None:
            return "a finite number" if self.below is None else f"below {self.below:g}"
        if self.at_least is not None and self.at_most is not None:
            found = f"from {self.at_least:g} to {_plain(self.at_most)}"
        elif self.above is not None and self.below is not None:
            found = f"between {self.above:g} and {self.below:g}"
        elif self.above is not None:
            found = f"above {self.above:g}"
            found += "" if self.at_most is None else f" and at most {self.at_most:g}"
        elif self.below is not None:
            found = f"at least {self.at_least:g} and below {self.below:g}"
        else:
            found = f"{self.at_least:g} or more"
        return found if self.also is None else f"{found}, or {self.also:g}"


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


_COUNT = Range(at_least=0)
_SOME = Range(at_least=1)
_POSITIVE = Range(above=0)
_NOT_NEGATIVE = Range(at_least=0)
_SHARE = Range(at_least=0, below=1)
_PART = Range(above=0, below=1)
_UP_TO_ONE = Range(at_least=0, at_most=1)
_HELD_OUT = Range(at_least=2, also=0)
_SEED = Range(at_least=0, at_most=2**63 - 1)
# More threads or processes than any machine has: libraries crash or stand still with them.
_WORKERS = Range(at_least=0, at_most=1024)
_SIDE = Range(at_least=1, at_most=65536)
# Far beyond any network: a larger one would fill the memory before it fails.
_WIDTH = Range(at_least=1, at_most=65536)
_DEPTH = Range(at_least=1, at_most=1000)
_MANY = Range(at_least=1, at_most=10_000_000)

RANGES: Mapping[str, Range] = MappingProxyType(
    {
        # Random numbers, place and files.
        "seed": _SEED,
        "threads": _WORKERS,
        "accumulate": _SOME,
        "log_every": _SOME,
        "checkpoint_every": _COUNT,
        "workers": _WORKERS,
        "memory": _NOT_NEGATIVE,
        "parallel": _WORKERS,
        "cpus_per_trial": _NOT_NEGATIVE,
        "gpus_per_trial": _NOT_NEGATIVE,
        # Data.
        "image_size": _SIDE,
        "classes": Range(at_least=2),
        "train_images": _SOME,
        "train_fraction": Range(above=0, at_most=1),
        "test_images": _SOME,
        "hold_out": _HELD_OUT,
        "cutout": _COUNT,
        "color_jitter": _NOT_NEGATIVE,
        # Networks.
        "channels": _WIDTH,
        "layers": _DEPTH,
        "nodes": Range(at_least=1, at_most=8),  # A search needs 2: `check_search`.
        "k": _SOME,
        "stages": Range(at_least=1, at_most=100),
        "stem_width": _WIDTH,
        "finest_stride": _SOME,
        "pyramid_channels": _SOME,
        # Trainings.
        "epochs": _SOME,
        "batch_size": _SOME,
        "learning_rate": _POSITIVE,
        "learning_rate_min": _NOT_NEGATIVE,
        "lr_decay": _POSITIVE,
        "lr_decay_epochs": _POSITIVE,
        "lr_warmup_epochs": _COUNT,
        "momentum": _SHARE,
        "weight_decay": _NOT_NEGATIVE,
        "weight_decay_end": _NOT_NEGATIVE,
        "grad_clip": _NOT_NEGATIVE,
        "label_smoothing": _SHARE,
        "mixup": _NOT_NEGATIVE,
        "ema": _SHARE,
        "ema_share": _SHARE,
        "distillation_weight": _UP_TO_ONE,
        "dropout": _SHARE,
        "drop_path": _SHARE,
        "auxiliary_weight": _NOT_NEGATIVE,
        "test_every": _COUNT,
        # Populations.
        "best_of": _SOME,
        "final_epochs": _SOME,
        "final_seeds": Range(at_least=2),
        # Searches.
        "arch_warmup_epochs": _COUNT,
        "arch_learning_rate": _NOT_NEGATIVE,
        "arch_weight_decay": _NOT_NEGATIVE,
        "arch_betas": _SHARE,
        "arch_grad_clip": _NOT_NEGATIVE,
        "arch_init_mean": Range(),
        "arch_init_std": _NOT_NEGATIVE,
        "arch_every": _SOME,
        "arch_fraction": _PART,
        "validate_every": _COUNT,
        "eigenvalue_every": _COUNT,
        "alignment_every": _COUNT,
        "cost_weight": _NOT_NEGATIVE,
        "cost_temperature": _POSITIVE,
        "target_channels": _WIDTH,
        "target_layers": _DEPTH,
        "target_resolution": _SIDE,
        "random_cells": _COUNT,
        "choice_epochs": _SOME,
        "choice_trainings": _SOME,
        "choice_hold_out": Range(at_least=2),
        # Studies.
        "population": _MANY,
        "tolerance": _PART,
        "latency_batch": _COUNT,
        "n": _MANY,
        "rounds": _SOME,
        "candidates": _MANY,
        "pool": _MANY,
        "rank_correlation": Range(at_least=-1, at_most=1),
        "score_threshold": _UP_TO_ONE,
        "nms_threshold": _UP_TO_ONE,
        "pictures": _COUNT,
        "cells": _MANY,
        "images": _COUNT,
        "statistics_images": _COUNT,
        "retrainings": _COUNT,
        "retrain_epochs": _SOME,
        "retrain_channels": _WIDTH,
        "retrain_layers": _DEPTH,
        "retrain_batch_size": _SOME,
    }
)
"""By name of a setting, what it may be; of a list, what each of its numbers may be."""

ARGUMENT_RANGES: Mapping[str, Range] = MappingProxyType(
    {
        **RANGES,
        "alpha": _POSITIVE,
        "batch": _SOME,
        "best": _SOME,
        "beta": _POSITIVE,
        "budgets": _POSITIVE,
        "cost_exponent": Range(below=0),
        "folds": Range(at_least=2),
        "gamma": _POSITIVE,
        "phi": Range(),
        "random": _MANY,
        "resolution": _SIDE,
        "resolution_multiple": _SOME,
        "retrain": _COUNT,
        "sample": Range(at_least=0, at_most=10_000_000),
        "seeds": _SOME,
        "step": _POSITIVE,
    }
)
"""The same for arguments of small commands, where `seeds` is a number of seeds."""


def check_ranges(values: Mapping[str, Any]) -> None:
    """Check the numbers among settings; text and what is not set have no range.

    >>> check_ranges({"epochs": 3, "momentum": 0.9, "dropout": None})

    Raises:
        UserError: A number is out of range; the message names the flag and the range.
    """
    for name, value in values.items():
        if name in RANGES:
            check_range(f"--{name.replace('_', '-')}", value, RANGES[name])


def check_range(flag: str, value: Any, allowed: Range) -> None:
    """Check one setting, a number or several; text and what is not set have no range.

    >>> check_range("--size", (8, 16), Range(at_least=1))

    Raises:
        UserError: A number is out of range; the message names the flag and the range.
    """
    for one in value if isinstance(value, (tuple, list)) else [value]:
        number = isinstance(one, (int, float)) and not isinstance(one, bool)
        if number and one not in allowed:
            raise UserError(f"{flag}: must be {allowed.words}, not {one}.")
