"""Engines evaluate search cells. All engines compute the same numbers from the same parameters.

`TorchEngine` runs everywhere; `NativeEngine` has kernels for the CPU, `TritonEngine` for CUDA. An
engine with kernels checks each call and runs it in PyTorch if the kernels cannot handle it: on
another device, under autocast on the CPU, or inside a transform of torch.func.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from cells.search_cell import SearchCell
from cells.topology import INPUTS, EdgeWeights
from cells.torch_engine import Engine, TorchEngine
from ops.backends import BackendName, choose_backend, takes, takes_triton
from ops.native.cell import ChannelOrder, run_native_cell
from ops.native.kernels import Lanes, choose_lanes
from ops.native.preprocess import preprocess
from ops.native.source import NativeSource, sources_of

_log = logging.getLogger(__name__)


class KernelEngine(Engine):
    """An engine with kernels, which runs what they cannot compute in PyTorch.

    The first time that this happens for a reason of the method or the search space, it says so in
    the log.
    """

    def __init__(self) -> None:
        self._said: set[str] = set()

    def obstacle(self, cell: SearchCell, weights: EdgeWeights) -> str | None:
        """What the method or the space asks for and no kernel of this engine computes."""
        if not cell.standard:
            return "cells with one input, or with pooling without batch norm"
        return "drop path on edges" if weights.keep is not None else None

    def _say(self, obstacle: str | None) -> None:
        if obstacle is not None and obstacle not in self._said:
            self._said.add(obstacle)
            _log.info("The back end %s computes in PyTorch: %s.", self.name, obstacle)


_PLAIN = TorchEngine()


class NativeEngine(KernelEngine):
    """The engine with C++ kernels for the CPU, compiled on first use (ops/native).

    In a stack, the output of a cell is preprocessed once for all cells that read it. The nodes of a
    cell are passed on without concatenation, so that kernels access contiguous memory and the
    gradient of a node is one tensor.
    """

    name = "native"

    def __init__(self) -> None:
        super().__init__()
        self._sources: WeakKeyDictionary[SearchCell, list[NativeSource]] = WeakKeyDictionary()

    def __deepcopy__(self, memo: object) -> NativeEngine:
        return NativeEngine()

    def can_run(
        self,
        cell: SearchCell,
        before_previous: Tensor | None,
        previous: Tensor,
        weights: EdgeWeights,
    ) -> bool:
        return self._suits(cell, weights, before_previous, previous)

    def evaluate(
        self,
        cell: SearchCell,
        before_previous: Tensor | None,
        previous: Tensor,
        weights: EdgeWeights,
    ) -> Tensor:
        if not self.can_run(cell, before_previous, previous, weights):
            self._say(self.obstacle(cell, weights))
            return _PLAIN.evaluate(cell, before_previous, previous, weights)
        assert cell.preprocess0 and cell.preprocess1 and before_previous is not None
        inputs = [
            *preprocess([cell.preprocess0], [before_previous]),
            *preprocess([cell.preprocess1], [previous]),
        ]
        return torch.cat(self._nodes(cell, inputs, weights), dim=1)

    def can_run_stack(
        self, cells: Sequence[SearchCell], previous: Tensor, weights: Sequence[EdgeWeights]
    ) -> bool:
        return all(
            self._suits(cell, of_cell, previous)
            for cell, of_cell in zip(cells, weights, strict=True)
        )

    def evaluate_stack(
        self,
        cells: Sequence[SearchCell],
        before_previous: Tensor,
        previous: Tensor,
        weights: Sequence[EdgeWeights],
    ) -> Sequence[Tensor]:
        inputs: list[dict[int, Tensor]] = [{} for _ in cells]

        def read(pieces: Sequence[Tensor], *states: int) -> None:
            """Preprocess the output of cell i (stem: -2, -1) for cells i+1 and i+2."""
            places = ((state + later, 2 - later) for state in states for later in (1, 2))
            readers = [(cell, slot) for cell, slot in places if 0 <= cell < len(cells)]
            pairs = [(cells[cell].preprocess0, cells[cell].preprocess1) for cell, _ in readers]
            modules = [pair[slot] for pair, (_, slot) in zip(pairs, readers, strict=True)]
            found = preprocess([one for one in modules if one is not None], pieces)
            for (cell, slot), y in zip(readers, found, strict=True):
                inputs[cell][slot] = y

        if before_previous is previous:
            # The order in which autograd would add the gradients, so results are bit-identical.
            read([previous], -1, -2)
        else:
            read([before_previous], -2)
            read([previous], -1)
        nodes: Sequence[Tensor] = ()
        for index, (cell, of_cell) in enumerate(zip(cells, weights, strict=True)):
            nodes = self._nodes(cell, [inputs[index][0], inputs[index][1]], of_cell)
            inputs[index].clear()
            if index + 1 < len(cells):
                read(nodes, index)
        return nodes

    def _suits(self, cell: SearchCell, weights: EdgeWeights, *inputs: Tensor | None) -> bool:
        if self.obstacle(cell, weights) is not None:
            return False
        assert cell.preprocess0 and cell.preprocess1
        adapted = (*cell.preprocess0.parameters(), *cell.preprocess1.parameters())
        own = [weight for source in self._sources_of(cell) for weight in source.parameters()]
        given = (*inputs, weights.operations, weights.edges)
        present = [tensor for tensor in given if tensor is not None]
        return takes(present, [*adapted, *own], cell.norms, cell.training)

    def _nodes(
        self, cell: SearchCell, inputs: Sequence[Tensor], weights: EdgeWeights
    ) -> tuple[Tensor, ...]:
        """Compute the nodes `[B, C, H, W]` from the preprocessed inputs."""
        order = place = cell.selection.clone()
        if not cell.sampled:
            order, place = cell.orders, cell.places
        channels = ChannelOrder(order, place)
        mixture, passing = cell.by_source(weights)
        if weights.active is not None or cell.dropping:
            sources = _sources(cell, cell.active_by_source(weights))
        else:
            sources = self._sources_of(cell)
        if all(source.complete for source in sources):
            mixture = cell.folded(mixture)
        return run_native_cell(sources, inputs, channels, mixture, passing)

    def _sources_of(self, cell: SearchCell) -> list[NativeSource]:
        everything = [None] * len(cell.sources)
        if cell.dropping:  # Then skip connections run beside the kernels.
            return _sources(cell, everything)
        sources = self._sources.get(cell)
        if sources is None:
            sources = self._sources[cell] = _sources(cell, everything)
        return sources


def _sources(
    cell: SearchCell, active: Sequence[Sequence[Sequence[int]] | None]
) -> list[NativeSource]:
    """The calls of the kernels that evaluate a cell."""
    return [
        source
        for state, edges in enumerate(cell.sources)
        for source in sources_of(state, edges.fan_out, edges.targets, active[state])
    ]


class TritonEngine(KernelEngine):
    """The engine with Triton kernels for CUDA devices (ops/triton)."""

    name = "triton"

    def obstacle(self, cell: SearchCell, weights: EdgeWeights) -> str | None:
        if weights.active is not None:
            return "sampled operations"
        if not cell.complete:
            return "edges that have different candidates"
        return super().obstacle(cell, weights)

    def can_run(
        self,
        cell: SearchCell,
        before_previous: Tensor | None,
        previous: Tensor,
        weights: EdgeWeights,
    ) -> bool:
        if self.obstacle(cell, weights) is not None:
            return False
        tensors = (before_previous, previous, weights.operations, weights.edges)
        present = [tensor for tensor in tensors if tensor is not None]
        return takes_triton(present, list(cell.parameters()), cell.norms, cell.training)

    def evaluate(
        self,
        cell: SearchCell,
        before_previous: Tensor | None,
        previous: Tensor,
        weights: EdgeWeights,
    ) -> Tensor:
        if not self.can_run(cell, before_previous, previous, weights):
            self._say(self.obstacle(cell, weights))
            return _PLAIN.evaluate(cell, before_previous, previous, weights)
        # Imported here because Triton is optional.
        from ops.triton.cell import run_triton_cell
        from ops.triton.source import TritonSource

        sources = [
            TritonSource(index, index < INPUTS, edges.fan_out, edges.targets)
            for index, edges in enumerate(cell.sources)
        ]
        assert cell.preprocess0 and cell.preprocess1
        inputs = cell.preprocess0(before_previous), cell.preprocess1(previous)
        mixture, passing = cell.by_source(weights)
        mixture = cell.folded(mixture)
        order, place = cell.orders, cell.places
        if cell.sampled:
            order = place = cell.selection
        return run_triton_cell(sources, inputs, order, place, mixture, passing)


def create_engine(backend: BackendName) -> Engine:
    """Create the engine of a back end for the cells of one supernet.

    >>> create_engine("torch").name
    'torch'

    Args:
        backend: "torch", "native" or "triton".
    """
    if backend == "torch":
        return TorchEngine(after_relu=True)
    return NativeEngine() if backend == "native" else TritonEngine()


def kernel_layouts(cells: Sequence[SearchCell]) -> list[Lanes]:
    """The lane layouts that the native kernels of some cells need."""
    fans = [edges.fan_out for cell in cells for edges in cell.sources]
    return [choose_lanes(fan.channels, fan.edges) for fan in fans]


def choose_engine(backend: str, cells: Sequence[SearchCell], device: str | None = None) -> Engine:
    """Choose the engine that evaluates `cells`, and compile the native kernels it needs.

    Args:
        backend: One of `ops.backends.BACKENDS`; see `ops.backends.choose_backend`.
        cells: All cells of the supernet.
        device: Type of the device that computes, such as "cuda"; torch's default device if None.

    Raises:
        BackendError: There is no such back end, or the requested one is not available.
    """
    return create_engine(choose_backend(backend, kernel_layouts(cells), device))
