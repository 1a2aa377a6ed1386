"""The supernet: a stem, a stack of search cells that share alpha and beta, and a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.native_stack import last_nodes, suits_kernels
from cells.search_cell import SearchCell
from cells.topology import EdgeWeights, Topology, reduction_layers
from darts.models.stems import check_image_size, create_search_stem
from ops.backends import choose_backend
from ops.partial import Sampling, draw_channels
from ops.recompute import recomputed


class Supernet(nn.Module):
    """The weight-sharing network of a search (PC-DARTS, §4.2: 8 cells, C = 16, K = 4).

    Args:
        topology: Nodes and edges of the cells.
        operations: Names of the candidates, in the order of alpha's columns.
        channels: C of the first cell; it doubles at each reduction cell.
        layers: Number of cells; those at one and two thirds of the depth reduce.
        k: One Kth of the channels goes through the mixed operations; 1 is plain DARTS.
        num_classes: Number of classes.
        stem: "cifar" keeps the resolution, "imagenet" divides it by 8.
        sampling: "first" takes the first channels and shuffles (the authors' code), "random" those
            that `sample_channels` has drawn (the paper's S).
        backend: What evaluates the cells: one of `ops.backends.BACKENDS`. The attribute of this
            name tells what "auto" became.
        device: Kind of device that the network is for; torch's default device if None.

    Shapes: images `[B, 3, H, W]`, result `[B, num_classes]`. Raises UserError for images that the
    stem and the reduction cells cannot divide.
    """

    def __init__(
        self,
        topology: Topology,
        operations: Sequence[str],
        *,
        channels: int = 16,
        layers: int = 8,
        k: int = 4,
        num_classes: int = 10,
        stem: str = "cifar",
        sampling: Sampling = "first",
        backend: str = "auto",
        device: str | None = None,
    ) -> None:
        super().__init__()
        self.sampling = sampling
        # Whether cells are computed again in the backward pass, to save memory.
        self.recompute = False
        self.stem = create_search_stem(stem, channels)
        before_previous, previous = self.stem.out_channels0, self.stem.out_channels1
        reductions = reduction_layers(layers)
        previous_reduction = self.stem.reduces
        cells: list[SearchCell] = []
        for layer in range(layers):
            reduction = layer in reductions
            channels *= 2 if reduction else 1
            cells.append(
                SearchCell(
                    topology,
                    operations,
                    before_previous=before_previous,
                    previous=previous,
                    channels=channels,
                    k=k,
                    reduction=reduction,
                    previous_reduction=previous_reduction,
                )
            )
            before_previous, previous = previous, topology.nodes * channels
            previous_reduction = reduction
        self.cells = nn.ModuleList(cells)
        layouts = [source.lanes for cell in cells for source in cell.sources]
        self.backend = choose_backend(backend, layouts, device)
        for cell in cells:
            cell.backend, cell.rectified = self.backend, self.backend == "torch"
        self.classifier = nn.Linear(previous, num_classes)
        self.image_multiple = self.stem.multiple * 2 ** len(reductions)
        if sampling == "random":
            self.sample_channels(torch.Generator().manual_seed(0))

    def sample_channels(self, generator: torch.Generator) -> None:
        """Draw the channels of every state of every cell anew, once a step; nothing if "first".

        The paper's S belongs to an edge; here all edges that leave a state share one draw, so that
        they go on reading the same channels.
        """
        if self.sampling == "first":
            return
        for cell in self.cells:
            assert isinstance(cell, SearchCell)
            drawn = [draw_channels(cell.channels, generator) for _ in cell.fan_outs]
            cell.select_channels(torch.stack(drawn))

    def forward(self, images: Tensor, tables: Mapping[str, EdgeWeights]) -> Tensor:
        height, width = images.shape[-2:]
        check_image_size(height, width, self.image_multiple)
        weights = [tables["reduce" if cell.reduction else "normal"] for cell in self.cells]
        before_previous, previous = self.stem(images)
        cells = [cell for cell in self.cells if isinstance(cell, SearchCell)]
        if not self.recompute and suits_kernels(cells, previous, weights):
            nodes = last_nodes(cells, before_previous, previous, weights)
            return self.classifier(torch.cat([node.mean(dim=(2, 3)) for node in nodes], dim=1))
        # Two cells read each state. Kernels rectify as they read; PyTorch does it once for both.
        rectify = functional.relu if self.backend == "torch" else nn.Identity()
        before_previous, previous = map(rectify, (before_previous, previous))
        for cell, of_cell in zip(cells, weights, strict=True):
            given = (before_previous, previous, of_cell)
            output = recomputed(cell, *given) if self.recompute else cell(*given)
            if cell is not cells[-1]:
                before_previous, previous = previous, rectify(output)
        return self.classifier(output.mean(dim=(2, 3)))
