"""Parts, operations and search spaces of your own, from a plain Python file.

    python search.py --use my_parts.py --space my-space --regulariser my-penalty:strength=0.2

The file registers what it defines, and is run once per process before options are read:

>>> from dataclasses import dataclass
>>> from darts.plugins import register

`@register(KIND, NAME)` stands above a frozen dataclass; its fields are the numbers that a user may
set. `@register.operation(NAME)` stands above a class or a function that builds a module.
`register.space(...)` adds a search space. `docs/extending.md` has a complete file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from darts.errors import UserError, closest
from darts.methods.parts import part_fields, register_part
from genotypes import SearchSpace, register_space

if TYPE_CHECKING:
    from ops.registry import Operation

__all__ = ["register"]

PartClass = TypeVar("PartClass", bound=type)
Builder = TypeVar("Builder", bound=Callable[..., Any])

_PROTOCOLS = {
    "relaxation": "darts.methods.relaxation:Relaxation",
    "gradient": "darts.methods.gradient:Gradient",
    "perturbation": "darts.methods.perturbation:Perturbation",
    "regulariser": "darts.methods.regularisers:Regulariser",
    "stages": "darts.methods.stages:Stages",
    "stopping": "darts.methods.stopping:Stopping",
    "selection": "darts.methods.selection:Selection",
}
"""What a part of each kind has to have. Skips are built in: the supernet knows them."""

_ARGUMENTS = ("channels", "stride", "affine", "normalised")


class _Register:
    """Registers parts, operations and spaces under a name, for this process."""

    def __call__(
        self, kind: str, name: str, *, summary: str = ""
    ) -> Callable[[PartClass], PartClass]:
        """A decorator that registers a part of search methods.

        Args:
            kind: relaxation, gradient, perturbation, regulariser, stages, stopping or selection.
            name: The name for options: `--regulariser NAME`.
            summary: One line for lists; by default the first line of the docstring.

        Raises:
            UserError: There is no such kind, the name is taken, or the class is no such part.
        """
        if kind not in _PROTOCOLS:
            raise UserError(
                f"There is no kind of part {kind!r} to register.{closest(kind, _PROTOCOLS)} "
                f"Kinds are {', '.join(_PROTOCOLS)}."
            )
        _check_name(name)

        def decorate(cls: PartClass) -> PartClass:
            _check_part(kind, cls)
            register_part(kind, name, f"{cls.__module__}:{cls.__name__}", summary or _first(cls))
            return cls

        return decorate

    def operation(
        self, name: str, *, fuse: Callable[[int, int, int], Any] | None = None
    ) -> Callable[[Builder], Builder]:
        """A decorator that registers a candidate operation.

        It stands above a class (`nn.Module`) or a function that returns a module, which maps
        `[B, C, H, W]` to `[B, C, H/stride, W/stride]`. Of these arguments, it gets those that it
        has: `channels`, `stride`, `affine` (whether batch norms have scale and shift, which a
        supernet's have not) and `normalised` (whether batch norm follows pooling).

        Args:
            name: The name in search spaces and genotypes.
            fuse: The fused form; see `ops.registry.Operation`.

        Raises:
            UserError: The name is taken, or it needs other arguments or returns another shape.
        """
        _check_name(name)

        def decorate(build: Builder) -> Builder:
            from ops.registry import Operation, register_operation

            create = _creator(name, build)
            entry = Operation(name, create) if fuse is None else Operation(name, create, fuse)
            _check_shapes(entry)
            try:
                register_operation(entry)
            except ValueError as error:
                raise UserError(str(error)) from None
            return build

        return decorate

    def space(self, space: SearchSpace | None = None, **attributes: Any) -> SearchSpace:
        """Register a search space, or create it from its attributes and register it.

        >>> from genotypes import find_space
        >>> register.space(find_space("darts")).zero
        'none'

        Raises:
            UserError: The attributes contradict each other, or the name belongs to another space.
        """
        try:
            if space is None:
                attributes.setdefault(
                    "zero", "none" if "none" in attributes["operations"] else None
                )
                space = SearchSpace(**attributes)
            return register_space(space)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"A search space: {error}") from None


register = _Register()


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise UserError(
            f"The name {name!r} cannot be used in options: take letters, digits, - and _."
        )


def _check_part(kind: str, cls: type) -> None:
    """Raise UserError unless the class can be a part of a kind."""
    name = cls.__name__
    if "<locals>" in cls.__qualname__ or "." in cls.__qualname__:
        raise UserError(f"{name}: define a part at the top level of its file.")
    if "__dataclass_params__" not in vars(cls) or not vars(cls)["__dataclass_params__"].frozen:
        raise UserError(f"{name}: put @dataclass(frozen=True) below @register.")
    assert is_dataclass(cls)
    for one in fields(cls):
        if one.init and one.default is MISSING and one.default_factory is MISSING:
            raise UserError(f"{name}: {one.name} needs a default.")
    part_fields(cls)  # Fails if the type of a field is unknown.
    module, _, protocol = _PROTOCOLS[kind].partition(":")
    wanted = vars(getattr(import_module(module), protocol))
    members = [one for one in wanted if not one.startswith("_") or one == "__call__"]
    known = dir(cls) + [one.name for one in fields(cls)]
    # Every class can be called; its instances only if it says so.
    missing = [one for one in members if one not in known]
    if missing:
        raise UserError(
            f"{name} is no {kind}: it has no {', '.join(missing)}; see {module}.{protocol}."
        )
    if kind == "relaxation" and "edge_normalisation" not in part_fields(cls):
        raise UserError(f"{name}: a relaxation has a field edge_normalisation: bool = False.")


def _first(cls: type) -> str:
    """The first line of a docstring of the class's own, as a summary."""
    text = inspect.cleandoc(vars(cls).get("__doc__") or "")
    # A dataclass without a docstring gets its signature as one.
    return "" if text.startswith(f"{cls.__name__}(") else text.partition("\n")[0].removesuffix(".")


def _creator(name: str, build: Callable[..., Any]) -> Callable[[int, int, bool, bool], Any]:
    """The function that creates an operation from all four arguments.

    >>> _creator("mine", lambda channels, stride: (channels, stride))(8, 2, True, False)
    (8, 2)
    """
    parameters = inspect.signature(build).parameters.values()
    everything = any(one.kind is one.VAR_KEYWORD for one in parameters)
    taken = [one for one in _ARGUMENTS if everything or one in {p.name for p in parameters}]
    unknown = [
        one.name
        for one in parameters
        if one.name not in _ARGUMENTS
        and one.default is one.empty
        and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    ]
    if unknown:
        raise UserError(
            f"Operation {name!r}: unknown argument {unknown[0]!r}; an operation is built from "
            f"some of {', '.join(_ARGUMENTS)}."
        )

    def create(channels: int, stride: int, affine: bool, normalised: bool) -> Any:
        values = dict(zip(_ARGUMENTS, (channels, stride, affine, normalised), strict=True))
        return build(**{one: values[one] for one in taken})

    return create


def _check_shapes(operation: Operation) -> None:
    """Raise UserError if the operation gives another shape than it has to."""
    import torch

    for stride in (1, 2):
        with torch.device("meta"), torch.no_grad():
            module = operation.create(16, stride, True, False)
            try:
                found = module.eval()(torch.empty(2, 16, 8, 8))
            except (RuntimeError, NotImplementedError):  # It needs numbers; a search will tell.
                continue
        wanted = (2, 16, 8 // stride, 8 // stride)
        if tuple(found.shape) != wanted:
            raise UserError(
                f"Operation {operation.name!r} with stride {stride} maps {[2, 16, 8, 8]} to "
                f"{list(found.shape)}, not to {list(wanted)}."
            )
