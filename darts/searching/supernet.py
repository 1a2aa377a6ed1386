"""The supernet: a stem, a stack of search cells that share alpha and beta, and a classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from cells.engines import choose_engine
from cells.search_cell import SearchCell
from cells.skeleton import Skeleton
from cells.topology import Tables, Topology
from darts.models.stems import check_image_size, create_search_stem
from darts.searching.search_network import SearchNetwork
from ops.partial import Sampling


class Supernet(SearchNetwork):
    """The weight-sharing network of a search, whose cells are `cells.search_cell.SearchCell`.

    Shapes: images `[B, 3, H, W]`; result `[B, num_classes]`. Source: PC-DARTS (arXiv 1907.05737,
    §4.2: 8 cells, C = 16, K = 4).

    >>> from cells.topology import EdgeWeights
    >>> space = ("none", "skip_connect")
    >>> net = Supernet(Topology(2), space, channels=4, layers=2, k=1, backend="torch")
    >>> tables = {kind: EdgeWeights(torch.full((5, 2), 0.5), None) for kind in ("normal", "reduce")}
    >>> net(torch.zeros(2, 3, 8, 8), tables).shape
    torch.Size([2, 10])

    Args:
        topology: Nodes and edges of the cells.
        operations: Names of the candidates, in the order of alpha's columns.
        channels: C of the first cell; each reduction cell doubles it.
        layers: Number of cells; those at one third and two thirds of the depth reduce.
        k: K; the mixed operations process C/K channels. 1 is plain DARTS.
        num_classes: Number of classes.
        stem: "cifar" keeps the resolution, "imagenet" divides it by 8.
        sampling: "first" selects the first channels and shuffles (the code of PC-DARTS), "random"
            selects the channels that `sample_channels` has sampled (S in the paper).
        candidates: (kind of cell, source, target) -> the operations that an edge has; by default
            all edges have all operations.
        normalised: Whether batch norm follows pooling in the cells.
        output: "concat" if a cell returns all inner nodes, "last" if it returns the last one.
        backend: The back end that evaluates the cells, one of `ops.backends.BACKENDS`. After
            construction `self.backend` is the back end actually chosen.
        device: Type of the device that computes; torch's default device if None.

    Raises:
        UserError: The stem and the reduction cells cannot divide the size of the images (when
            called), or there is no such stem.
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
        candidates: Callable[[str, int, int], Sequence[str]] | None = None,
        normalised: bool = True,
        output: str = "concat",
        backend: str = "auto",
        device: str | None = None,
    ) -> None:
        super().__init__(sampling)
        self.stem = create_search_stem(stem, channels)
        skeleton = Skeleton.of(
            layers=layers,
            channels=channels,
            stem=(self.stem.out_channels0, self.stem.out_channels1),
            width=lambda kind: topology.nodes if output == "concat" else 1,
            stem_reduces=self.stem.reduces,
        )
        cells = [
            SearchCell(
                topology,
                operations,
                place,
                k=k,
                candidates=candidates and partial(candidates, place.kind),
                normalised=normalised,
                output=output,
            )
            for place in skeleton.cells
        ]
        self.cells = nn.ModuleList(cells)
        self.engine = choose_engine(backend, cells, device)
        self.classifier = nn.Linear(skeleton.out_channels, num_classes)
        self.image_multiple = self.stem.multiple * skeleton.shrinkage
        if sampling == "random":
            self.sample_channels(torch.Generator().manual_seed(0))

    def forward(self, images: Tensor, tables: Tables) -> Tensor:
        height, width = images.shape[-2:]
        check_image_size(height, width, self.image_multiple)
        cells, weights = self.search_cells, self.weights_of(tables, images)
        before_previous, previous = self.stem(images)
        if not self.recompute and self.engine.can_run_stack(cells, previous, weights):
            for cell in cells:
                cell.draw_from(self.generator)
            nodes = self.engine.evaluate_stack(cells, before_previous, previous, weights)
            return self.classifier(torch.cat([node.mean(dim=(2, 3)) for node in nodes], dim=1))
        before_previous, previous = map(self.engine.hand_on, (before_previous, previous))
        for cell, of_cell in zip(cells, weights, strict=True):
            output = self.evaluated(cell, before_previous, previous, weights=of_cell)
            if cell is not cells[-1]:
                before_previous, previous = previous, self.engine.hand_on(output)
        return self.classifier(output.mean(dim=(2, 3)))
