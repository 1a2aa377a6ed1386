"""The supernet of NAS-Bench-201: three stages of search cells, joined by residual blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from cells.engines import choose_engine
from cells.search_cell import SearchCell
from cells.skeleton import STAGE_COUNT
from cells.topology import Tables, Topology
from darts.models.stages import (
    StageReduction,
    cell_stages,
    check_stages_stem,
    create_stage_head,
    create_stage_stem,
)
from darts.models.stems import check_image_size
from darts.searching.search_network import SearchNetwork
from ops.partial import Sampling


class StagesSupernet(SearchNetwork):
    """The weight-sharing network of a search in a space with `stack="stages"`.

    Batch norms in cells have no parameters; those of the stem, of the residual blocks and behind
    the last cell have. Source: arXiv 2001.00326, §2, and the code of DrNAS (arXiv 2006.10355).

    Shapes: images `[B, 3, H, W]` with H and W multiples of 4; result `[B, num_classes]`.

    >>> import torch
    >>> from cells.topology import EdgeWeights
    >>> from genotypes import find_space
    >>> space = find_space("nasbench201")
    >>> sizes = {"channels": 4, "layers": 3, "backend": "torch"}
    >>> net = StagesSupernet(Topology(3, 1), space.operations, **sizes)
    >>> tables = {"normal": EdgeWeights(torch.full((6, 5), 0.2), None)}
    >>> net(torch.zeros(2, 3, 8, 8), tables).shape
    torch.Size([2, 10])

    Args:
        topology: Nodes and edges of the cells, with one input.
        operations: Names of the candidates, in the order of alpha's columns.
        channels: C of the first stage; the others have 2C and 4C.
        layers: Number of cells, a multiple of 3.
        k: K; the mixed operations process C/K channels.
        num_classes: Number of classes.
        stem: "cifar"; there is no other.
        sampling: See `Supernet`.
        candidates: See `Supernet`.
        normalised: Whether batch norm follows pooling.
        backend: See `Supernet`.
        device: See `Supernet`.

    Raises:
        UserError: The cells cannot be divided into three stages, or there is no such stem.
    """

    def __init__(
        self,
        topology: Topology,
        operations: Sequence[str],
        *,
        channels: int = 16,
        layers: int = 15,
        k: int = 1,
        num_classes: int = 10,
        stem: str = "cifar",
        sampling: Sampling = "first",
        candidates: Callable[[str, int, int], Sequence[str]] | None = None,
        normalised: bool = False,
        backend: str = "auto",
        device: str | None = None,
    ) -> None:
        super().__init__(sampling)
        check_stages_stem(stem)
        skeleton = cell_stages(layers, channels)
        self.stem = create_stage_stem(channels)
        cells = [
            SearchCell(
                topology,
                operations,
                place,
                k=k,
                candidates=candidates and partial(candidates, place.kind),
                normalised=normalised,
                output="last",
            )
            for place in skeleton.cells
        ]
        self.cells = nn.ModuleList(cells)
        self.reductions = nn.ModuleList(
            StageReduction(channels * 2**stage) for stage in range(STAGE_COUNT - 1)
        )
        self.head = create_stage_head(skeleton.out_channels)
        self.classifier = nn.Linear(skeleton.out_channels, num_classes)
        self.engine = choose_engine(backend, cells, device)
        self.image_multiple = skeleton.shrinkage
        if sampling == "random":
            self.sample_channels(torch.Generator().manual_seed(0))

    def forward(self, images: Tensor, tables: Tables) -> Tensor:
        height, width = images.shape[-2:]
        check_image_size(height, width, self.image_multiple)
        x, each = self.stem(images), len(self.cells) // STAGE_COUNT
        pairs = zip(self.search_cells, self.weights_of(tables, images), strict=True)
        for number, (cell, weights) in enumerate(pairs):
            if number and number % each == 0:
                x = self.reductions[number // each - 1](x)
            x = self.evaluated(cell, x, x, weights=weights)
        return self.classifier(self.head(x).mean(dim=(2, 3)))
