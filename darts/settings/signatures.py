"""Functions of keyword settings show them in their signature, with defaults. Torch-free."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

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
