"""The text form of parts: what is understood, and what is refused in which words."""

from __future__ import annotations

import pytest

from darts.errors import UserError
from darts.methods.gradient import FirstOrder
from darts.methods.parts import PARTS, PartSpec, create_part, part_fields
from darts.methods.relaxation import Softmax
from darts.methods.stages import Growing


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("softmax", "softmax", {}),
        (" softmax ", "softmax", {}),
        ("a:x=1", "a", {"x": 1}),
        ("a:x=1.5,y=word", "a", {"x": 1.5, "y": "word"}),
        ("a:x=1e-3", "a", {"x": 0.001}),
        ("a:x=true,y=false", "a", {"x": True, "y": False}),
        ("a:x=8/5/3", "a", {"x": (8, 5, 3)}),
        ("a:two-words=1", "a", {"two_words": 1}),
        ("a:x=-2", "a", {"x": -2}),
        ("a:x=__import__('os')", "a", {"x": "__import__('os')"}),
    ],
)
def test_a_part_is_read_from_text(text: str, name: str, values: dict[str, object]) -> None:
    assert PartSpec.parse(text) == PartSpec(name, values)


@pytest.mark.parametrize("text", ["a", "a:x=1,y=word", "a:x=8/5/3"])
def test_a_part_is_written_as_it_is_read(text: str) -> None:
    assert str(PartSpec.parse(text)) == text


def test_several_parts_are_joined_by_plus() -> None:
    assert PartSpec.parse_several("a:x=1+b") == (PartSpec("a", {"x": 1}), PartSpec("b", {}))
    assert PartSpec.parse_several("none") == () == PartSpec.parse_several("")


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("relaxation", "sofmax", "--relaxation sofmax: there is no such relaxation.*softmax"),
        ("stages", "growing:speed=1", "growing has no 'speed' .choices: added_layers"),
        ("stages", "growing:kept=a/b/c", "kept: must be a whole number, not 'a'"),
        ("stages", "growing:kept=8/5", "one number per stage"),
        ("skips", "auxiliary:schedule=square", "must be one of linear, cosine, slow-cosine"),
        ("skips", "auxiliary:start=much", "start: must be a number, not 'much'"),
        ("relaxation", "softmax:edge_normalisation=1", "must be true or false, not 1"),
    ],
)
def test_what_cannot_be_a_part_is_refused(kind: str, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        create_part(kind, PartSpec.parse(text))


def test_a_number_without_equals_is_refused() -> None:
    with pytest.raises(UserError, match="NAME:key=value"):
        PartSpec.parse("growing:8")


def test_numbers_become_the_types_of_their_fields() -> None:
    part = create_part("stages", PartSpec.parse("growing:skip_dropout=0/0/1"))
    assert part == Growing(skip_dropout=(0.0, 0.0, 1.0))
    assert all(isinstance(rate, float) for rate in part.skip_dropout)


def test_parts_without_numbers() -> None:
    assert create_part("gradient", PartSpec.parse("first-order")) == FirstOrder()
    with pytest.raises(UserError, match="it has no numbers"):
        create_part("gradient", PartSpec.parse("first-order:x=1"))
    assert part_fields(Softmax) == {"edge_normalisation": bool}


@pytest.mark.parametrize("kind", PARTS)
def test_every_part_can_be_created_and_says_what_it_is(kind: str) -> None:
    for name, entry in PARTS[kind].items():
        assert create_part(kind, PartSpec(name, {})) is not None
        assert entry.summary
        assert entry.load().__doc__
