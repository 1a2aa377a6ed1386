"""A state dict of another program under the names of this toolkit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from darts.errors import UserError
from darts.models.weights.naming import AUTHORS_INPUTS, NAMINGS, REFUSED, BlockNames, Naming

_PARTS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Translated:
    """Weights under our names.

    Attributes:
        naming: Where they come from.
        tensors: By our name; blocks are `blocks.0`, `blocks.1` … (see `Naming`).
        depths: Number of blocks of each stage of the file.
    """

    naming: Naming
    tensors: Mapping[str, Tensor]
    depths: tuple[int, ...]


def translate(tensors: Mapping[str, Tensor], path: Path | str) -> Translated:
    """Give every tensor of a state dict our name.

    Raises:
        UserError: No naming fits, or a tensor has no counterpart; the message names it.
    """
    layers = {name.rpartition(".")[0] for name in tensors}
    naming = _naming_of(layers, tensors, path)
    blocks = _blocks_of(naming, layers)
    numbers = {block.place: number for number, block in enumerate(b for b in blocks if b.inner)}
    names = {layer: ours for layer in layers if (ours := _outside(naming, layer)) is not None}
    for block in blocks:
        names |= block.names(naming, numbers.get(block.place, 0))
    found: dict[str, Tensor] = {}
    unknown = []
    for name, value in tensors.items():
        layer, _, part = name.rpartition(".")
        if layer in names and part in _PARTS:
            found[f"{names[layer]}.{part}"] = value
        else:
            unknown.append(name)
    if unknown:
        more = f", and neither have {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise UserError(
            f"{path} looks like {naming.title}, but {unknown[0]} has no counterpart here{more}: it "
            f"is {naming.missing}, which this toolkit does not have."
        )
    assert len(found) == len(tensors), f"two tensors of {path} have one name here"
    stages = [stage for stage, _ in numbers]
    return Translated(naming, found, tuple(stages.count(stage) for stage in sorted(set(stages))))


@dataclass(frozen=True)
class _Block:
    """A block of a file.

    Attributes:
        place: Numbers of its stage and of the block there.
        groups: The same as they are written.
        prefix: The name of a layer up to the layer's name in the block.
        layers: The layers in it.
        form: Our names of them, if the naming has such blocks.
    """

    place: tuple[int, int]
    groups: tuple[str, ...]
    prefix: str
    layers: frozenset[str]
    form: BlockNames | None

    @property
    def inner(self) -> bool:
        """Whether it is a block here, and no part of the head."""
        return self.form is None or not any(n.startswith("/") for n in self.form.layers.values())

    def names(self, naming: Naming, number: int) -> dict[str, str]:
        """Our names of its layers, by their full names."""
        target = naming.target.format(*self.groups) if naming.target else f"blocks.{number}."
        known = {} if self.form is None else self.form.layers
        return {
            self.prefix + layer: ours[1:] if ours.startswith("/") else target + ours
            for layer, ours in known.items()
            if layer in self.layers
        }


def _blocks_of(naming: Naming, layers: set[str]) -> list[_Block]:
    """The blocks of a file, from the stem to the head."""
    found: dict[str, tuple[tuple[str, ...], set[str]]] = {}
    for layer in layers:
        if match := naming.block.match(layer):
            found.setdefault(match[0], (match.groups(), set()))[1].add(layer[match.end() :])
    blocks = []
    for prefix, (groups, inside) in found.items():
        form = next((form for form in naming.blocks if form.marker in ("", *inside)), None)
        place = (int(groups[0]), int(groups[1]))
        blocks.append(_Block(place, groups, prefix, frozenset(inside), form))
    return sorted(blocks, key=lambda block: block.place)


def _outside(naming: Naming, layer: str) -> str | None:
    """Our name of a layer that is in no block."""
    if naming.kind == "cells" and (match := AUTHORS_INPUTS[0].fullmatch(layer)):
        return f"{match[1]}.{AUTHORS_INPUTS[1][match[2]]}"
    return naming.layers.get(layer)


def _naming_of(layers: set[str], tensors: Mapping[str, Tensor], path: Path | str) -> Naming:
    for naming in NAMINGS:
        if layers.issuperset(naming.signs) and naming.absent not in (layers - {""}):
            return naming
    for refused in REFUSED:
        if layers.issuperset(refused.signs):
            raise UserError(
                f"{path} holds weights of {refused.title}; they are not taken, because "
                f"{refused.reason}. Give {refused.remedy} instead."
            )
    first = next(iter(tensors), "nothing")
    titles = ", ".join(naming.title for naming in NAMINGS)
    raise UserError(
        f"{path} holds weights of a network that is not recognised; its first tensor is "
        f"{first!r}. Recognised are {titles}, and runs of evaluate.py."
    )
