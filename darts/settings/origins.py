"""Who set the value of a setting: the user, a preset, a recipe, or nobody. Torch-free.

What a user set is never changed; what a preset or a recipe chose may be fitted to the data, see
`darts.settings.adapting`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

Options = TypeVar("Options")

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Origins:
    """Who set which setting.

    >>> given = {"cutout": "on the command line"}
    >>> origins = Origins(given, implied={"epochs": "--preset quick"})
    >>> origins.words("cutout"), origins.words("epochs"), origins.words("batch_size")
    ('set on the command line', 'set by --preset quick', 'the default')

    Attributes:
        user: Where the user set a value: "on the command line", "in my.yaml", "by the caller".
        implied: What else set a value: "--preset quick", "the recipe evaluate_imagenet".
    """

    user: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    implied: Mapping[str, str] = field(default_factory=lambda: _EMPTY)

    def is_users(self, name: str) -> bool:
        """Whether the user set this value, so that nothing may change it."""
        return name in self.user

    def words(self, name: str) -> str:
        """Who set it, for a message."""
        if name in self.user:
            return f"set {self.user[name]}"
        return f"set by {self.implied[name]}" if name in self.implied else "the default"


Fit = Callable[[Options, Origins], Options]
"""Fits new options to the data at hand; see `darts.training.fitting.fit_training`."""


def implied_origins(
    values: Mapping[str, Any], without_preset: Mapping[str, Any], preset: str | None
) -> dict[str, str]:
    """Who set the values that follow from other settings.

    >>> implied_origins({"epochs": 2, "k": 1}, {"epochs": 50, "k": 1}, "smoke")
    {'epochs': '--preset smoke', 'k': 'the recipe'}

    Args:
        values: What the settings of the user imply.
        without_preset: What they imply without a preset.
        preset: The preset.
    """
    missing = object()
    return {
        name: "the recipe" if without_preset.get(name, missing) == one else f"--preset {preset}"
        for name, one in values.items()
    }
