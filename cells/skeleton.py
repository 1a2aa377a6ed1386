"""The stack of cells: which cells reduce, their widths and their inputs.

The rules of the stack of cells are those of DARTS and PC-DARTS (model_search.py and model.py in
their code): the cells at one third and two thirds of the depth reduce; a reduction cell doubles the
channels and halves the spatial size; every cell reads the two states before it. Those of the stack
of stages are of NAS-Bench-201 (arXiv 2001.00326, §2.1): three stages of equal cells, each of which
reads the state before it; residual blocks between them reduce. Supernets, derived networks and
costs all iterate over the places defined here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

STAGE_COUNT = 3
"""Number of stages in a stack of stages."""


@dataclass(frozen=True)
class CellPlace:
    """The place of one cell in the stack: everything that its neighbours determine.

    Attributes:
        index: Position in the stack, starting at 0.
        reduction: Whether this is a reduction cell.
        previous_reduction: Whether the second input has half the spatial size of the first.
        before_previous: Channels of the first input.
        previous: Channels of the second input.
        channels: C, the channels of every state of the cell.
        shrinkage: Height of the stem's second state divided by the height of the second input.
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
        """Height and width of the output if the stem's second state is `size` x `size`."""
        return size // (self.shrinkage * (2 if self.reduction else 1))


@dataclass(frozen=True)
class Skeleton:
    """A stack of cells after a stem.

    >>> stack = Skeleton.of(layers=3, channels=16, stem=(48, 48), width=lambda kind: 4)
    >>> [(cell.kind, cell.previous, cell.channels) for cell in stack.cells]
    [('normal', 48, 16), ('reduce', 64, 32), ('reduce', 128, 64)]
    >>> stack.out_channels, stack.shrinkage
    (256, 4)

    Attributes:
        cells: The places in order, starting at the stem.
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
            channels: C of the first cell; if this cell reduces, it has 2C channels.
            stem: Channels of the two states that the stem returns.
            width: Number of concatenated states for each kind of cell ("normal", "reduce").
            stem_reduces: Whether the second state of the stem has half the size of the first.
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

    @classmethod
    def of_stages(cls, *, layers: int, channels: int) -> Skeleton:
        """Three stages of layers / 3 cells with C, 2C and 4C channels.

        A residual block, which is not in `cells`, halves the size before the second and the third.

        >>> stack = Skeleton.of_stages(layers=3, channels=16)
        >>> [(cell.channels, cell.shrinkage) for cell in stack.cells]
        [(16, 1), (32, 2), (64, 4)]

        Args:
            layers: Number of cells, a multiple of 3.
            channels: C.

        Raises:
            ValueError: The cells cannot be divided into three stages.
        """
        if layers < STAGE_COUNT or layers % STAGE_COUNT:
            raise ValueError(f"{layers} cells cannot be divided into {STAGE_COUNT} equal stages")
        cells = []
        for index in range(layers):
            factor = 2 ** (index * STAGE_COUNT // layers)
            width = channels * factor
            cells.append(CellPlace(index, False, False, width, width, width, factor))
        return cls(tuple(cells), cells[-1].channels)

    @property
    def reductions(self) -> tuple[int, ...]:
        """Positions of the reduction cells."""
        return tuple(cell.index for cell in self.cells if cell.reduction)

    @property
    def shrinkage(self) -> int:
        """The factor by which the stack divides height and width."""
        last = self.cells[-1]
        return last.shrinkage * (2 if last.reduction else 1)


def reduction_layers(layers: int) -> tuple[int, ...]:
    """Positions of the reduction cells: one third and two thirds of the depth, rounded down.

    >>> reduction_layers(20)
    (6, 13)
    """
    return tuple(sorted({layers // 3, 2 * layers // 3}))
