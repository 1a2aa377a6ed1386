"""Functions of keyword settings show them in their signature, with defaults. Torch-free."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

from darts.errors import UserError, closest

Function = TypeVar("Function", bound=Callable[..., Any])


def _default(field: Field[Any]) -> Any:
    """The default of a field; an empty parameter's where it must be given."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is MISSING else field.default


def takes(cls: type) -> Callable[[Function], Function]:
    """Show the options of a dataclass in place of `**settings` in a function's signature.

    >>> from darts.settings.options import SeedOptions
    >>> @takes(SeedOptions)
    ... def train(**settings):
    ...     return settings
    >>> str(inspect.signature(train)), train(seed=3)
    ("(*, seed: 'int' = 2)", {'seed': 3})

    Args:
        cls: The options; their meaning is in the docstrings of the groups that it inherits.
    """

    def decorate(function: Function) -> Function:
        kind = inspect.Parameter.KEYWORD_ONLY
        own = inspect.signature(function)
        first = [one for one in own.parameters.values() if one.kind is not one.VAR_KEYWORD]
        named = {one.name for one in first}
        settings = [
            inspect.Parameter(one.name, kind, default=_default(one), annotation=one.type)
            for one in fields(cls)
            if one.name not in named
        ]
        function.__signature__ = own.replace(parameters=[*first, *settings])  # type: ignore[attr-defined]
        return function

    return decorate


def check_names(settings: Mapping[str, Any], *known: str) -> None:
    """Check that settings have known names.

    >>> check_names({"sampl": 3}, "sample", "scores")
    Traceback (most recent call last):
    darts.errors.UserError: Unknown setting sampl. Did you mean 'sample'?

    Raises:
        UserError: One has not; the message has a hint, not all names.
    """
    if unknown := sorted(set(settings).difference(known)):
        hints = "".join(closest(name, known) for name in unknown)
        raise UserError(f"Unknown setting {', '.join(unknown)}.{hints}")
