"""The methods by name: each is a file in `configs/methods`. Torch-free at import.

A file names the parts of the method and the settings of a search that it implies:

    summary: Samples one path per edge and step.
    paper: Dong and Yang 2019, arXiv 1910.04465
    code: https://github.com/D-X-Y/AutoDL-Projects
    parts:
      relaxation: gumbel-hard
    settings: {k: 1, epochs: 250}
    spaces:
      nasbench201: {batch_size: 64}
    presets:
      quick: {epochs: 20}

`settings` are defaults of the search; `spaces` and `presets` replace some of them in a search
space or at a smaller scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from darts.errors import UserError, closest
from darts.methods.parts import PARTS, PartSpec, create_part
from darts.settings.recipes import read_method, shipped_methods

if TYPE_CHECKING:
    from darts.methods.method import Method

    MethodName = str

DEFAULT = "pc-darts"
METHODS: tuple[str, ...] = (DEFAULT, *(name for name in shipped_methods() if name != DEFAULT))
"""The names of all methods; the first one is the default."""

if not TYPE_CHECKING:
    MethodName = Literal[METHODS]

_SEVERAL = ("regulariser", "skips")
"""Kinds of which a method may have several parts."""


@dataclass(frozen=True, kw_only=True)
class CatalogueEntry:
    """One method, as its file describes it.

    Attributes:
        name: Name of the method.
        summary: What it does, in one line.
        paper: Authors, year and number of the paper.
        code: Address of the authors' code.
        notes: What differs from the paper or the code, and why.
        parts: By kind the text form of its parts; see `darts.methods.parts`.
        settings: Settings of a search that the method implies.
        spaces: Further settings by search space.
        presets: Further settings by preset.
    """

    name: str
    summary: str
    paper: str = ""
    code: str = ""
    notes: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    spaces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def implied(self, space: str) -> dict[str, Any]:
        """The settings that the method implies in a search space."""
        return {**self.settings, **self.spaces.get(space, {})}


@cache
def find_method(name: str) -> CatalogueEntry:
    """The entry of a method.

    >>> find_method("pc-darts").paper
    'Xu et al. 2020, arXiv 1907.05737'

    Raises:
        UserError: There is no such method, or its file is wrong.
    """
    if name not in METHODS:
        raise UserError(
            f"There is no method {name!r}.{closest(name, METHODS)} "
            f"Methods are {', '.join(METHODS)}."
        )
    described = read_method(name)
    try:
        entry = CatalogueEntry(name=name, **described)
    except TypeError as error:
        raise UserError(f"configs/methods/{name}.yaml: {error}.") from None
    unknown = sorted(set(entry.parts).difference(PARTS))
    if unknown:
        raise UserError(
            f"configs/methods/{name}.yaml: parts: unknown {', '.join(unknown)} "
            f"(choices: {', '.join(PARTS)})."
        )
    return entry


def resolve_parts(name: str, chosen: Mapping[str, str], order: int = 1) -> dict[str, str]:
    """The text form of all parts of a method, with those that a user has chosen instead.

    >>> resolve_parts("pc-darts", {"regulariser": "none"})["gradient"]
    'first-order'

    Args:
        name: Name of the method.
        chosen: By kind the user's choice; an empty text keeps the method's part.
        order: 2 chooses the unrolled gradient where nothing else is said (DARTS, §2.3).

    Raises:
        UserError: `order` contradicts the gradient, or there is no such method or kind.
    """
    parts = {"relaxation": "softmax", "selection": "strongest", **find_method(name).parts}
    parts |= {kind: text for kind, text in chosen.items() if text}
    if order == 2:
        if parts.get("gradient", "unrolled") != "unrolled":
            raise UserError(
                f"--order 2 is the unrolled gradient, but the gradient is {parts['gradient']}. "
                "Leave one of them out."
            )
        parts["gradient"] = "unrolled"
    parts.setdefault("gradient", "first-order")
    return {kind: parts.get(kind, "none") for kind in PARTS}


def create_method(
    name: str,
    *,
    edge_normalisation: bool,
    order: int = 1,
    chosen: Mapping[str, str] | None = None,
) -> Method:
    """The method `name`, with parts of the user's choice instead of its own.

    >>> create_method("darts-v2", edge_normalisation=False, order=2).gradient
    Unrolled()

    Args:
        name: One of `METHODS`.
        edge_normalisation: Whether edges are weighted by a softmax of beta (PC-DARTS, §3.3).
        order: 1, or 2 for the gradient through a virtual step of the weights (DARTS, §2.3).
        chosen: By kind of part, the text form of what replaces the method's own.

    Raises:
        UserError: A part does not exist, or the parts do not work together.
    """
    from darts.methods.method import Method

    created: dict[str, Any] = {}
    for kind, text in resolve_parts(name, chosen or {}, order).items():
        specs = PartSpec.parse_several(text)
        if kind not in _SEVERAL and len(specs) > 1:
            raise UserError(f"--{kind} {text}: a method has only one {kind}.")
        parts = []
        for spec in specs:
            if kind == "relaxation":
                values = {**spec.values, "edge_normalisation": edge_normalisation}
                spec = PartSpec(spec.name, values)
            parts.append(create_part(kind, spec))
        if kind in _SEVERAL:
            created["regularisers" if kind == "regulariser" else kind] = tuple(parts)
        else:
            created[kind] = parts[0] if parts else None
    for kind in ("relaxation", "gradient", "selection"):
        if created[kind] is None:
            raise UserError(f"--{kind} none: a method needs a {kind}.")
    method = Method(name=name, **created)
    method.check()
    return method
