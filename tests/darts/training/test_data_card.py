"""Descriptions of data in checkpoints and exported files are checked before they are used."""

from __future__ import annotations

from typing import Any

import pytest

from darts.errors import UserError
from darts.training.data_card import checked_card

CARD: dict[str, Any] = {
    "classes": ["cat", "dog"],
    "image_size": 8,
    "stored_size": 8,
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
}
HOW = {"whole": True, "interpolation": "bicubic", "background": [0, 0, 0]}


def test_a_sound_card_comes_back() -> None:
    for card in (CARD, {**CARD, "decoding": HOW}, {**CARD, "task": "multi-label"}):
        assert checked_card(card, "a.pt") is card


@pytest.mark.parametrize(
    "change",
    [
        {"classes": []},
        {"classes": "cat"},
        {"classes": ["cat", 1]},
        {"image_size": 10**9},
        {"image_size": True},
        {"stored_size": 8.0},
        {"mean": [0.5]},
        {"mean": [0.5, None, 0.5]},
        {"std": [0.5, 0.0, 0.5]},
        {"std": [0.5, float("nan"), 0.5]},
        {"std": None},
        {"task": []},
        {"task": "x"},
        {"decoding": 3},
        {"decoding": {"whole": True}},
        {"decoding": {**HOW, "interpolation": "x"}},
        {"decoding": {**HOW, "background": [0, 0, 900]}},
        {"decoding": {**HOW, "further": 1}},
    ],
)
def test_a_damaged_card_is_one_sentence(change: dict[str, Any]) -> None:
    with pytest.raises(UserError) as error:
        checked_card({**CARD, **change}, "a.pt")
    assert str(error.value).startswith("a.pt")


def test_what_is_no_card() -> None:
    for card in (None, [], "x"):
        with pytest.raises(UserError, match="is damaged"):
            checked_card(card, "a.pt")
