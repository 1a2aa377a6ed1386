"""A stack of search cells by native kernels: each output is preprocessed once for all its readers.

Cells hand on their nodes as they are, not concatenated: kernels read and write whole lines of
memory, and a node's gradient arrives in one piece.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cells.search_cell import SearchCell
from cells.topology import EdgeWeights
from ops.native.preprocess import preprocess


def suits_kernels(
    cells: Sequence[SearchCell], image: Tensor, weights: Sequence[EdgeWeights]
) -> bool:
    """Whether the kernels can evaluate all of `cells`, now, on tensors like `image`."""
    return all(
        cell.backend == "native" and cell.suits_kernels(image, *of_cell)
        for cell, of_cell in zip(cells, weights, strict=True)
    )


def last_nodes(
    cells: Sequence[SearchCell],
    before_previous: Tensor,
    previous: Tensor,
    weights: Sequence[EdgeWeights],
) -> Sequence[Tensor]:
    """The nodes of the last cell, `[B, C, H, W]` each.

    Args:
        before_previous, previous: The inputs of the first cell; perhaps the same tensor.
        weights: Of each cell.
    """
    inputs: list[dict[int, Tensor]] = [{} for _ in cells]

    def read(pieces: Sequence[Tensor], *states: int) -> None:
        """Preprocess what a cell (by its number) gave, or the stem (-2 and -1), for its readers."""
        places = ((state + later, 2 - later) for state in states for later in (1, 2))
        readers = [(cell, slot) for cell, slot in places if 0 <= cell < len(cells)]
        modules = [
            (cells[cell].preprocess0, cells[cell].preprocess1)[slot] for cell, slot in readers
        ]
        for (cell, slot), y in zip(readers, preprocess(modules, pieces), strict=True):
            inputs[cell][slot] = y

    if before_previous is previous:
        # In the order in which autograd would add up the gradients, so that all bits are the same.
        read([previous], -1, -2)
    else:
        read([before_previous], -2)
        read([previous], -1)
    nodes: Sequence[Tensor] = ()
    for index, (cell, of_cell) in enumerate(zip(cells, weights, strict=True)):
        nodes = cell.nodes_by_kernels([inputs[index][0], inputs[index][1]], of_cell)
        inputs[index].clear()
        if index + 1 < len(cells):
            read(nodes, index)
    return nodes
