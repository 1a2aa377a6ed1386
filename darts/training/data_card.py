"""The description of the data that a network was trained on, which comes from a file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from darts.data.pixels import Decoding, Interpolation
from darts.errors import UserError, state_of


def checked_card(card: Any, path: Path | str) -> Mapping[str, Any]:
    """A description as `Dataset.card` makes it, checked before anything is built from it.

    Args:
        card: What a checkpoint or an exported file holds.
        path: The file, for messages.

    Raises:
        UserError: A value is missing, of another kind, or out of range.
    """
    if not isinstance(card, dict) or not _is_sound(card):
        raise UserError(f"{path}: its description of classes and images is damaged.")
    with state_of(path, "its images"):
        how = Decoding.from_dict(card.get("decoding"))
        if how.interpolation not in get_args(Interpolation) or not _is_colour(how.background):
            raise ValueError("how images are read")
    return card


def _is_sound(card: Mapping[str, Any]) -> bool:
    classes, sizes = card.get("classes"), [card.get(n) for n in ("image_size", "stored_size")]
    return (
        isinstance(classes, (list, tuple))
        and len(classes) > 0
        and all(isinstance(name, str) for name in classes)
        and all(type(size) is int and 0 < size < 2**16 for size in sizes)
        and all(_is_rgb(card.get(name)) for name in ("mean", "std"))
        and min(card["std"]) > 0
        and card.get("task") in (None, "single-label", "multi-label")
    )


def _is_colour(values: Any) -> bool:
    return len(values) == 3 and all(type(one) is int and 0 <= one < 256 for one in values)


def _is_rgb(values: Any) -> bool:
    return (
        isinstance(values, (list, tuple))
        and len(values) == 3
        and all(isinstance(value, (int, float)) and math.isfinite(value) for value in values)
    )
