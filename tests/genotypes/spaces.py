"""A user's space for tests: one edge per node, and one edge with fewer candidates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from genotypes import SearchSpace, register_space, spaces

TINY = SearchSpace(
    name="tiny",
    operations=("none", "skip_connect", "sep_conv_3x3"),
    restricted={("normal", 0, 2): ("none", "skip_connect")},
    nodes=2,
    kept=1,
)


@contextmanager
def registered(space: SearchSpace) -> Iterator[SearchSpace]:
    """Make a space known inside the block, and forget it afterwards."""
    with mock.patch.dict(spaces._registered):
        yield register_space(space)
