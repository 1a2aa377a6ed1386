"""The methods by name. Torch-free at import: `search.py --method` takes its choices from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from darts.methods.method import Method

    MethodName = str


@dataclass(frozen=True)
class CatalogueEntry:
    """One method.

    Attributes:
        create: Joins the parts: (name, edge_normalisation, order) -> `Method`.
        settings: Options of a search that the method implies.
    """

    create: Callable[[str, bool, int], Method]
    settings: Mapping[str, Any] = field(default_factory=dict)


def _softmax(name: str, edge_normalisation: bool, order: int) -> Method:
    """DARTS and PC-DARTS, which differ in edge normalisation and partial channels only."""
    from darts.methods.gradient import FirstOrder, Unrolled
    from darts.methods.method import Method
    from darts.methods.relaxation import Softmax
    from darts.methods.selection import StrongestEdges

    return Method(
        name=name,
        relaxation=Softmax(edge_normalisation),
        gradient=FirstOrder() if order == 1 else Unrolled(),
        selection=StrongestEdges(),
    )


CATALOGUE: Mapping[str, CatalogueEntry] = {
    "pc-darts": CatalogueEntry(_softmax),
    "darts": CatalogueEntry(_softmax, {"k": 1, "edge_normalisation": False}),
}
"""All methods; the first one is the default."""

if not TYPE_CHECKING:
    MethodName = Literal[tuple(CATALOGUE)]


def create_method(name: str, *, edge_normalisation: bool, order: int) -> Method:
    """The method `name`.

    >>> create_method("darts", edge_normalisation=False, order=2).gradient
    Unrolled()

    Args:
        name: A key of `CATALOGUE`.
        edge_normalisation: Whether edges are weighted by a softmax of beta (PC-DARTS, §3.3).
        order: 1, or 2 for the gradient through a virtual step of the weights (DARTS, §2.3).
    """
    return CATALOGUE[name].create(name, edge_normalisation, order)
