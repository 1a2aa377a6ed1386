"""What all supernets have in common: search cells, their channels, and the engine."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cells.search_cell import SearchCell
from cells.topology import EdgeWeights, Tables
from cells.torch_engine import Engine
from ops.backends import BackendName
from ops.partial import Sampling, draw_channels
from ops.recompute import recomputed
from ops.regularize import draw_mask


class SearchNetwork(nn.Module):
    """Base class of the networks that a search trains; called with images and tables of weights.

    Attributes:
        cells: The search cells in order.
        engine: Evaluates the cells.
        sampling: "first" or "random"; see `darts.searching.supernet.Supernet`.
        recompute: Whether cells are recomputed in the backward pass, which saves memory.
        generator: The source of what the network draws in a forward pass, such as the operation
            `noise`; None if it is not given.
        drop_path: The probability that the output of an edge is dropped for an image in training;
            what stays is divided by 1 - p, and each cell draws for itself.
        skip_dropout: The rate of dropout on skip connections; set by `drop_skips`.
        image_multiple: Height and width of images must be multiples of this.
    """

    cells: nn.ModuleList
    engine: Engine
    image_multiple: int

    def __init__(self, sampling: Sampling) -> None:
        super().__init__()
        self.sampling = sampling
        self.recompute = False
        self.generator: torch.Generator | None = None
        self.drop_path = self.skip_dropout = 0.0

    @property
    def backend(self) -> BackendName:
        """The back end actually chosen."""
        return self.engine.name

    @property
    def search_cells(self) -> list[SearchCell]:
        """The cells in order."""
        return [cell for cell in self.cells if isinstance(cell, SearchCell)]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each cell."""
        return tuple(cell.place.kind for cell in self.search_cells)

    def sample_channels(self, generator: torch.Generator) -> None:
        """Resample the channels of every state of every cell; called once per step.

        Does nothing if `sampling` is "first". In the paper each edge has its own S. Here all edges
        that leave a state share one sample, so that they read the same channels.
        """
        if self.sampling == "first":
            return
        for cell in self.search_cells:
            drawn = [draw_channels(cell.channels, generator) for _ in cell.fan_outs]
            cell.select_channels(torch.stack(drawn))

    def weights_of(self, tables: Tables, images: Tensor) -> list[EdgeWeights]:
        """The weights of each cell; in training, with newly drawn factors for drop path.

        Source: drop path on mixed edges as in RobustDARTS (arXiv 1909.09656, §5).
        """
        given = (
            [tables[kind] for kind in self.kinds] if isinstance(tables, Mapping) else list(tables)
        )
        if not (self.training and self.drop_path):
            return given
        if self.generator is None:
            raise ValueError("Drop path needs a random generator.")
        kept = 1 - self.drop_path
        weights = []
        for one in given:
            size = (len(images), len(one.operations))
            mask = draw_mask(size, self.drop_path, self.generator).t()
            factors = mask.to(one.operations.device, one.operations.dtype) / kept
            weights.append(one._replace(keep=factors))
        return weights

    def drop_skips(self, rate: float) -> None:
        """Let dropout of this rate follow skip connections with stride 1, in training (P-DARTS)."""
        self.skip_dropout = rate
        for cell in self.search_cells:
            cell.drop_skips(rate)

    def evaluated(self, cell: SearchCell, *inputs: Tensor | None, weights: EdgeWeights) -> Tensor:
        """The output of one cell; it is recomputed in the backward pass if `recompute` is set."""
        given = (*inputs, weights, self.engine)
        generator = self.generator if cell.random else None
        if self.recompute:
            return recomputed(cell, *given, generator=generator)
        return cell(*given, generator)
