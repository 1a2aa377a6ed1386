"""The picture of the packages and their imports shows the code as it is."""

from __future__ import annotations

import doctest
import re

from docs import rooms


def test_the_picture_is_that_of_the_code() -> None:
    """Run `make docs-pictures` if this fails."""
    assert rooms.PICTURE.read_text(encoding="utf-8") == rooms.source()


def test_every_room_has_a_layer() -> None:
    placed = [room for row in rooms.layers() for room in row]
    assert len(placed) == len(set(placed))
    assert set(rooms.imports()) == {*placed, "cells", "ops", "genotypes"}


def test_the_contributing_guide_lists_the_layers() -> None:
    guide = (rooms.CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = "".join(re.findall(r"^\|.*\n", guide, re.MULTILINE))
    assert re.findall(r"`darts\.(\w+)", table) == [room for row in rooms.layers() for room in row]


def test_the_example_runs() -> None:
    assert doctest.testmod(rooms).failed == 0
