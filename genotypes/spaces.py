"""All search spaces by name, and those of YAML files."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from genotypes.errors import GenotypeError
from genotypes.paths import user_path
from genotypes.published_spaces import (
    DARTS_NO_NONE,
    DARTS_NO_POOLS,
    DARTS_NO_SKIP,
    DARTS_SPARSE,
    NASBENCH201,
    S1,
    S2,
    S3,
    S4,
)
from genotypes.search_space import DARTS, NASNET, SearchSpace
from genotypes.yaml_file import read_yaml

_BUILT_IN = {
    space.name: space
    for space in (
        DARTS,
        NASNET,
        S1,
        S2,
        S3,
        S4,
        DARTS_NO_POOLS,
        DARTS_NO_SKIP,
        DARTS_NO_NONE,
        DARTS_SPARSE,
        NASBENCH201,
    )
}
_registered: dict[str, SearchSpace] = dict(_BUILT_IN)

SPACES: Mapping[str, SearchSpace] = MappingProxyType(_registered)
"""All known spaces by name: the built-in ones and those added by `register_space`."""


def register_space(space: SearchSpace) -> SearchSpace:
    """Make a space known by its name in this process, and return it.

    >>> register_space(DARTS) is SPACES["darts"]
    True

    Raises:
        ValueError: The name belongs to another space already.
    """
    if _registered.setdefault(space.name, space) != space:
        raise ValueError(f"There is another search space with the name {space.name!r}.")
    return space


def find_space(name_or_path: str | os.PathLike[str]) -> SearchSpace:
    """The space of a name, or of a YAML file; see `SearchSpace.from_mapping` for its keys.

    >>> find_space("nasbench201").size()
    15625

    Raises:
        GenotypeError: There is no such space, or its file is wrong.
    """
    if name_or_path in SPACES:
        return SPACES[str(name_or_path)]
    path = user_path(name_or_path)
    if not path.is_file():
        close = difflib.get_close_matches(str(name_or_path), SPACES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise GenotypeError(
            f"There is no search space {str(name_or_path)!r}.{hint} Known are {', '.join(SPACES)}, "
            "and YAML files of your own; name the Python file that registers one with --use."
        )
    return space_of(read_yaml(path, str(path)), str(path))


def space_of(value: Any, where: str) -> SearchSpace:
    """The space that a genotype's file or a file of a space contains: a name or a definition.

    Raises:
        GenotypeError: There is no such space, or the definition is wrong.
    """
    if isinstance(value, str) and value in SPACES:
        return SPACES[value]
    if not isinstance(value, Mapping):
        raise GenotypeError(
            f"{where}: unknown space {value!r} (choices: {', '.join(SPACES)}); if it is one of "
            "your own, name the Python file that registers it with --use"
        )
    try:
        space = SearchSpace.from_mapping(value)
    except ValueError as error:
        raise GenotypeError(f"{where}: {error}") from None
    if _BUILT_IN.get(space.name, space) != space:
        raise GenotypeError(
            f"{where}: name: {space.name!r} is a built-in space; give yours another name"
        )
    return space


def plain_space(space: SearchSpace) -> str | dict[str, Any]:
    """The form of a space in a file: the name of a built-in one, the definition of another.

    >>> plain_space(DARTS)
    'darts'
    """
    return space.name if space.name in _BUILT_IN else space.as_mapping()
