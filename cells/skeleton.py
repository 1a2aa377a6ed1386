"""The stack of cells: which cells reduce, how wide each one is, and what it reads.

The rules are those of DARTS and PC-DARTS (authors' model_search.py and model.py): cells at one and
two thirds of the depth reduce; a reduction cell doubles the channels and halves the image; every
cell reads the two states before it. Supernets, derived networks and their costs iterate over the
places given here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class CellPlace:
    """One cell of the stack, as its neighbours determine it.

    Attributes:
        index: Position in the stack, from 0.
        reduction: Whether this is a reduction cell.
        previous_reduction: Whether the second input is half the size of the first one.
        before_previous: Channels of the first input.
        previous: Channels of the second input.
        channels: C, the channels of every state of the cell.
        shrinkage: Height of the stem's second state divided by height of the second input.
    """

    index: int
    reduction: bool
    previous_reduction: bool
    before_previous: int
    previous: int
    channels: int
    shrinkage: int

    @property
    def kind(self) -> str:
        """The kind of cell: "normal" or "reduce"."""
        return "reduce" if self.reduction else "normal"

    def output_size(self, size: int) -> int:
        """Side of the cell's output where the stem's second state is `size` pixels wide."""
        return size // (self.shrinkage * (2 if self.reduction else 1))


@dataclass(frozen=True)
class Skeleton:
    """A stack of cells behind a stem.

    >>> stack = Skeleton.of(layers=3, channels=16, stem=(48, 48), width=lambda kind: 4)
    >>> [(cell.kind, cell.previous, cell.channels) for cell in stack.cells]
    [('normal', 48, 16), ('reduce', 64, 32), ('reduce', 128, 64)]
    >>> stack.out_channels, stack.shrinkage
    (256, 4)

    Attributes:
        cells: The places, from the stem on.
        out_channels: Channels of the last cell's output.
    """

    cells: tuple[CellPlace, ...]
    out_channels: int

    @classmethod
    def of(
        cls,
        *,
        layers: int,
        channels: int,
        stem: tuple[int, int],
        width: Callable[[str], int],
        stem_reduces: bool = False,
    ) -> Skeleton:
        """The stack of a network.

        Args:
            layers: Number of cells.
            channels: C of the first cell, before it doubles where that cell reduces.
            stem: Channels of the stem's two states.
            width: How many states of a kind of cell ("normal", "reduce") are concatenated.
            stem_reduces: Whether the stem's second state is half the size of its first one.
        """
        cells = []
        (before_previous, previous), previous_reduction, shrinkage = stem, stem_reduces, 1
        reductions = reduction_layers(layers)
        for index in range(layers):
            reduction = index in reductions
            channels *= 2 if reduction else 1
            cell = CellPlace(
                index, reduction, previous_reduction, before_previous, previous, channels, shrinkage
            )
            cells.append(cell)
            before_previous, previous = previous, width(cell.kind) * channels
            shrinkage *= 2 if reduction else 1
            previous_reduction = reduction
        return cls(tuple(cells), previous)

    @property
    def reductions(self) -> tuple[int, ...]:
        """Positions of the reduction cells."""
        return tuple(cell.index for cell in self.cells if cell.reduction)

    @property
    def shrinkage(self) -> int:
        """What the stack divides height and width by."""
        return 2 ** len(self.reductions)


def reduction_layers(layers: int) -> tuple[int, ...]:
    """Positions of the reduction cells: one third and two thirds of the depth, rounded down."""
    return tuple(sorted({layers // 3, 2 * layers // 3}))
